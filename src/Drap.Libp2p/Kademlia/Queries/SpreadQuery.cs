using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Kademlia.Queries;

/// <summary>Finds the k nearest to the key of a message, a put or that we provide, to give it to each of them.</summary>
internal sealed class SpreadQuery(long id, Instant deadline, KadMessage message, Lookup walk, int alpha)
    : WalkQuery(id, deadline, walk, new KadMessage(KadMessageType.FindNode, message.Key))
{
    public override KadOutcome Outcome => new KadOutcome.Kept(0);

    public override KadMessage Kept => message;

    public override KadQuery? Successor(Instant now) => new TellQuery(Id, Deadline, message, Walk.Closest, alpha);
}

/// <summary>Gives a message to each of some peers.</summary>
internal sealed class TellQuery(long id, Instant deadline, KadMessage message, IEnumerable<KadPeer> peers, int alpha)
    : KadQuery(id, deadline)
{
    private readonly Queue<KadPeer> untold = new(peers);
    private int awaited, kept;

    public override Instant NextDeadline => Deadline;

    public override bool IsOver => untold.Count == 0 && awaited == 0;

    public override KadOutcome Outcome => new KadOutcome.Kept(kept);

    public override KadMessage Kept => message;

    public override bool TryNext(
        Instant now, Func<PeerId, bool> isBusy, [NotNullWhen(true)] out KadPeer? peer, [NotNullWhen(true)] out KadMessage? request)
    {
        peer = null;
        request = message;
        if (awaited >= alpha || !untold.TryPeek(out KadPeer? next) || isBusy(next.Id))
            return false;
        peer = untold.Dequeue();
        awaited++;
        return true;
    }

    public override void Answered(PendingRequest request, KadMessage? answer, List<KadEffect> effects)
    {
        awaited--;
        kept++;
    }

    public override void Failed(PendingRequest request) => awaited--;

    public override void Advance(Instant now)
    {
    }
}
