using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Kademlia.Queries;

/// <summary>
/// Who stands in this region? A walk to a place in it hears of the k nearest to that place, dead ones too: answers hold no more than k. If some of those
/// are no members, the region is searched through. If all are, the walk has seen the whole of the largest part around its target in which the k-th of
/// them does not stand, and the rest, a sibling for each bit that this part is longer, is walked to likewise, several parts at a time. Members are
/// peers that answered.
/// </summary>
internal sealed class RegionQuery : KadQuery
{
    /// <summary>Walks at a time. With the ten requests that each has under way they take what <see cref="AwaitedMax"/> leaves them.</summary>
    public const int PartsMax = 16;

    /// <summary>Requests under way: half of the machine's, so that other questions go on beside a search.</summary>
    public const int AwaitedMax = KadMachine.RequestsMax / 2;

    /// <summary>
    /// Parts that wait. The deepest are taken first, so an honest network leaves one for each of 18 bits and walk; only peers made up for it could
    /// leave more. Those are not looked into, and the search is not whole.
    /// </summary>
    public const int UnseenMax = PartsMax * KeyPrefix.LengthMax;

    /// <summary>Members of a search, of about 1 KiB each, and with the longest addresses that are read 6. Who wants more gets as many.</summary>
    public const int MembersMax = 16 * 1024;

    /// <summary>
    /// A part with a longer prefix in which nobody is known is not looked into, and the search is not whole: of a network where such parts are
    /// full a walk next to one hears of it, and a key that hashes into it costs 2^length hashes, which made-up neighbours would have us compute for nothing.
    /// </summary>
    public const int UnheardLengthMax = 12;

    /// <summary>Requests to one peer that may be lost; after as many it is dead for all walks that are still to come, which all hear of it.</summary>
    public const int FailuresMax = 2;

    private readonly KadOptions options;
    private readonly KeyPrefix region;
    private readonly int wanted;
    private readonly RoutingTable table;
    private readonly Func<KadKey, Lookup> begin;
    private readonly Prng random;
    private readonly List<Part> walking = [];
    private readonly Stack<(KeyPrefix Prefix, KadPeer? There)> unseen = new();
    private readonly Dictionary<PeerId, KadPeer> members = [];
    private readonly List<KadPeer> order = [];
    // Of at most as many peers as there may be members; those after them are asked by each walk anew.
    private readonly Dictionary<PeerId, int> failures = [];
    private bool isWhole = true;
    private int awaited, turn;

    public RegionQuery(
        long id, Instant now, KeyPrefix region, int wanted, KadOptions options, RoutingTable table, Func<KadKey, Lookup> begin, Prng random)
        : base(id, now + options.SearchTimeout)
    {
        this.options = options;
        this.region = region;
        this.wanted = Math.Min(wanted, MembersMax);
        this.table = table;
        this.begin = begin;
        this.random = random;
        unseen.Push((region, null));
        Start(now);
    }

    public override Instant NextDeadline =>
        walking.Aggregate(Deadline, (next, part) => Instant.Min(next, Instant.Min(part.Deadline, part.Walk.NextDeadline)));

    public override bool IsOver => IsEnough || (walking.Count == 0 && unseen.Count == 0);

    public override KadOutcome Outcome =>
        new KadOutcome.Members([.. order], isWhole && walking.Count == 0 && unseen.Count == 0);

    private bool IsEnough => order.Count >= wanted;

    public override bool TryNext(
        Instant now, Func<PeerId, bool> isBusy, [NotNullWhen(true)] out KadPeer? peer, [NotNullWhen(true)] out KadMessage? message)
    {
        do
        {
            Start(now);
            for (int i = 0; i < walking.Count && awaited < AwaitedMax; i++)
            {
                Part part = walking[turn++ % walking.Count];
                while (part.Walk.TryNext(now, isBusy, out peer))
                {
                    if (failures.GetValueOrDefault(peer.Id) >= FailuresMax)
                    {
                        part.Walk.Failed(peer);
                        continue;
                    }
                    awaited++;
                    message = part.Request;
                    return true;
                }
            }
        }
        // A walk to which only the dead were left is over with that, and others may begin.
        while (EndThose(part => part.Walk.IsOver));
        (peer, message) = (null, null);
        return false;
    }

    public override void Answered(PendingRequest request, KadMessage? answer, List<KadEffect> effects)
    {
        awaited--;
        failures.Remove(request.To.Id);
        if (!IsEnough && region.Covers(request.To.Key) && members.TryAdd(request.To.Id, request.To))
        {
            order.Add(request.To);
            effects.Add(new KadEffect.Found(Id, [request.To]));
        }
        Told(request, walk => walk.Answered(request.To, answer?.Closer ?? []));
    }

    public override void Failed(PendingRequest request)
    {
        awaited--;
        if (failures.Count < MembersMax || failures.ContainsKey(request.To.Id))
            failures[request.To.Id] = failures.GetValueOrDefault(request.To.Id) + 1;
        Told(request, walk => walk.Failed(request.To));
    }

    public override void Advance(Instant now)
    {
        foreach (Part part in walking)
            part.Walk.Advance(now);
        EndThose(part => part.Walk.IsOver);
        // A walk that is not over by now has been led on by its peers, or has nobody but silent ones.
        if (walking.RemoveAll(part => part.Deadline <= now) > 0)
            isWhole = false;
    }

    // The walk that asked may be over: then only who answered counts.
    private void Told(PendingRequest request, Action<Lookup> tell)
    {
        if (walking.Find(part => ReferenceEquals(part.Request, request.Message)) is not { } asked)
            return;
        tell(asked.Walk);
        EndThose(part => part == asked && part.Walk.IsOver);
    }

    private void Start(Instant now)
    {
        while (walking.Count < PartsMax && unseen.TryPop(out (KeyPrefix Prefix, KadPeer? There) part))
        {
            // A peer known to stand there serves as a target; a key that hashes there is sought only where none is known.
            KadPeer[] there = [.. table.Peers.Concat(order).Where(peer => part.Prefix.Covers(peer.Key))];
            KadPeer? chosen = there.Length > 0 ? there[random.Below(there.Length)] : part.There;
            byte[] target = chosen?.Id.Bytes.ToArray() ?? part.Prefix.FindPreimage(random);
            Lookup walk = begin(KadKey.Of(target));
            walk.Add(order.OrderBy(peer => peer.Key ^ walk.Target).Take(options.K));
            // Nobody is known who could be asked.
            if (walk.IsOver)
            {
                isWhole = false;
                continue;
            }
            walking.Add(new Part(part.Prefix, walk, new KadMessage(KadMessageType.FindNode, target), now + options.QueryTimeout));
        }
    }

    private bool EndThose(Predicate<Part> isOver)
    {
        List<Part> over = walking.FindAll(isOver);
        foreach (Part part in over)
        {
            walking.Remove(part);
            LeaveRest(part);
        }
        return over.Count > 0;
    }

    private void LeaveRest(Part part)
    {
        bool hasAnswers = part.Walk.Answerers.Any();
        if (part.Walk.Asked == Lookup.AskedMax || !hasAnswers)
            isWhole = false;
        KadKey target = part.Walk.Target;
        ImmutableArray<KadPeer> nearest = [.. part.Walk.Heard.Take(options.K)];
        if (!hasAnswers || nearest.Length < options.K || nearest.Any(peer => !part.Prefix.Covers(peer.Key)))
            return;
        // Whoever shares more bits with the target than the farthest of the k does is nearer than it, and so was heard of.
        int seen = nearest.Min(peer => peer.Key.CommonPrefix(target)) + 1;
        if (seen > KeyPrefix.LengthMax)
            isWhole = false;
        for (int length = part.Prefix.Length + 1; length <= Math.Min(seen, KeyPrefix.LengthMax); length++)
        {
            KeyPrefix own = KeyPrefix.Of(target, length);
            KeyPrefix sibling = own with { Bits = own.Bits ^ 1 };
            KadPeer? there = part.Walk.Heard.Concat(order).Concat(table.Peers).FirstOrDefault(peer => sibling.Covers(peer.Key));
            if (unseen.Count < UnseenMax && (there is not null || length <= UnheardLengthMax))
                unseen.Push((sibling, there));
            else
                isWhole = false;
        }
    }

    private sealed record Part(KeyPrefix Prefix, Lookup Walk, KadMessage Request, Instant Deadline);
}
