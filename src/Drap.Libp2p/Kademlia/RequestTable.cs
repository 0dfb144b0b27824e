using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Kademlia.Queries;

namespace Drap.Libp2p.Kademlia;

/// <summary>A request that is under way.</summary>
internal sealed class PendingRequest(long number, KadPeer to, KadMessage message, bool isAnswered, Instant sentAt)
{
    public long Number { get; } = number;

    public KadPeer To { get; } = to;

    public KadMessage Message { get; } = message;

    public bool IsAnswered { get; } = isAnswered;

    public Instant SentAt { get; } = sentAt;

    /// <summary>Who asks; null when only the table wants to know how it ends.</summary>
    public KadQuery? Query { get; set; }
}

/// <summary>The requests under way, in the order in which they were sent, which is that of their deadlines. Not thread-safe.</summary>
internal sealed class RequestTable(TimeSpan timeout)
{
    private readonly Dictionary<long, LinkedListNode<PendingRequest>> byNumber = [];
    private readonly LinkedList<PendingRequest> byAge = [];
    private readonly Dictionary<PeerId, int> toPeer = [];
    private long last;

    public int Count => byNumber.Count;

    public Instant NextDeadline => byAge.First is { } oldest ? oldest.Value.SentAt + timeout : Instant.Never;

    public int CountTo(PeerId peer) => toPeer.GetValueOrDefault(peer);

    public KadEffect.Send Add(KadPeer to, KadMessage message, KadQuery? query, bool isAnswered, Instant now)
    {
        var pending = new PendingRequest(++last, to, message, isAnswered, now) { Query = query };
        byNumber.Add(pending.Number, byAge.AddLast(pending));
        toPeer[to.Id] = CountTo(to.Id) + 1;
        return new KadEffect.Send(pending.Number, to, message, isAnswered);
    }

    public bool TryEnd(long number, [NotNullWhen(true)] out PendingRequest? pending)
    {
        pending = null;
        if (!byNumber.Remove(number, out LinkedListNode<PendingRequest>? node))
            return false;
        byAge.Remove(node);
        pending = node.Value;
        int left = CountTo(pending.To.Id) - 1;
        if (left == 0)
            toPeer.Remove(pending.To.Id);
        else
            toPeer[pending.To.Id] = left;
        return true;
    }

    /// <summary>Ends the oldest if its time is up.</summary>
    public bool TryTakeDue(Instant now, [NotNullWhen(true)] out PendingRequest? pending)
    {
        pending = null;
        return NextDeadline <= now && byAge.First is { } oldest && TryEnd(oldest.Value.Number, out pending);
    }

    /// <summary>Those of one question.</summary>
    public List<PendingRequest> Of(KadQuery query) => [.. byAge.Where(pending => ReferenceEquals(pending.Query, query))];

    public void CheckInvariants() =>
        Invariant.Check(byNumber.Count == byAge.Count && toPeer.Values.Sum() == byAge.Count && toPeer.Values.All(count => count > 0));
}
