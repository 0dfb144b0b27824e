using System.Collections.Immutable;

namespace Drap.Libp2p.Kademlia.Queries;

/// <summary>What a search for the members of a region has found, and where it has yet to look.</summary>
/// <param name="region">The region.</param>
/// <param name="wanted">How many members are enough.</param>
internal sealed class RegionSearch(KeyPrefix region, int wanted)
{
    private readonly Dictionary<PeerId, KadPeer> members = [];
    private readonly List<PeerId> order = [];

    public KeyPrefix Region { get; } = region;

    public Stack<KeyPrefix> Unseen { get; } = new([region]);

    public bool IsEnough => order.Count >= wanted;

    public ImmutableArray<KadPeer> Members => [.. order.Select(id => members[id])];

    /// <summary>A peer answered; true if it is a member that was not known as one.</summary>
    public bool Add(KadPeer peer)
    {
        if (IsEnough || !Region.Covers(peer.Key) || !members.TryAdd(peer.Id, peer))
            return false;
        order.Add(peer.Id);
        return true;
    }
}

/// <summary>
/// Who stands in this region? A walk to a place in it finds the k nearest to that place. If those are all members there may be more, and
/// each half of the region is walked to in turn; if some are not, the region is searched through. Members are peers that answered.
/// </summary>
internal sealed class RegionQuery(
    long id, Instant deadline, RegionSearch search, KeyPrefix part, int k, Lookup walk, byte[] target, Func<RegionSearch, KadQuery?> next)
    : WalkQuery(id, deadline, walk, new KadMessage(KadMessageType.FindNode, target))
{
    public override bool IsOver => search.IsEnough || base.IsOver;

    public override KadOutcome Outcome => new KadOutcome.Peers(search.Members);

    public override void Answered(KadPeer peer, KadMessage? answer, List<KadEffect> effects)
    {
        base.Answered(peer, answer, effects);
        if (search.Add(peer))
            effects.Add(new KadEffect.Found(Id, [peer]));
    }

    public override KadQuery? Successor(Instant now)
    {
        if (search.IsEnough)
            return null;
        if (Walk.Closest is var nearest && nearest.Length >= k && nearest.All(peer => part.Covers(peer.Key))
            && part.Length < KeyPrefix.LengthMax)
        {
            search.Unseen.Push(part.Half(0));
            search.Unseen.Push(part.Half(1));
        }
        return next(search);
    }
}
