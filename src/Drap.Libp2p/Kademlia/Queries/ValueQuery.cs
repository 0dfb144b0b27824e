namespace Drap.Libp2p.Kademlia.Queries;

/// <summary>
/// Which value stands under this key? Over when so many peers as are wanted have said one, or, if that is 0, all nearest were asked, and then the best of them holds: those that
/// said a worse one, or that are among the nearest and said none, are told it (kad-dht, "Entry correction").
/// </summary>
internal sealed class ValueQuery(
    long id, Instant deadline, byte[] key, int quorum, IRecordValidator validator, byte[]? local, Lookup walk)
    : WalkQuery(id, deadline, walk, new KadMessage(KadMessageType.GetValue, key))
{
    // Which value each said, as its hash: hostile peers would else make a question hold a value of 64 KiB for each that it asks.
    private readonly Dictionary<PeerId, KadKey?> said = [];
    private byte[]? best = local;
    private int valid = local is null ? 0 : 1;

    public override bool IsOver => (quorum > 0 && valid >= quorum) || base.IsOver;

    public override KadOutcome Outcome => new KadOutcome.Value(best);

    public override void Answered(PendingRequest request, KadMessage? answer, List<KadEffect> effects)
    {
        base.Answered(request, answer, effects);
        said[request.To.Id] = null;
        if (answer?.Record is not { } record || !record.Key.AsSpan().SequenceEqual(key) || !validator.IsValid(key, record.Value))
            return;
        said[request.To.Id] = KadKey.Of(record.Value);
        valid++;
        if (best is null || (!best.AsSpan().SequenceEqual(record.Value) && validator.IsBetter(key, record.Value, best)))
            best = record.Value;
    }

    /// <summary>Whom to tell the best value, at the end.</summary>
    public IEnumerable<KadPeer> Corrected
    {
        get
        {
            if (best is null)
                return [];
            KadKey right = KadKey.Of(best);
            var nearest = Walk.Closest.Select(peer => peer.Id).ToHashSet();
            return Walk.Answerers.Where(peer => said.TryGetValue(peer.Id, out KadKey? value)
                && (value is null ? nearest.Contains(peer.Id) : value != right));
        }
    }

    /// <summary>The correction: a put of the best value.</summary>
    public KadMessage Correction(UtcTime utc) =>
        new(KadMessageType.PutValue, key) { Record = new KadRecord(key, best!, utc) };
}
