using System.Collections.Immutable;

namespace Drap.Core.Health;

/// <summary>What a peer did that was refused.</summary>
/// <param name="Peer">Who.</param>
/// <param name="Count">How often, as far as is remembered.</param>
/// <param name="Last">The last of it, in words.</param>
public sealed record Complaint(PeerId Peer, long Count, string Last);

/// <summary>
/// Counts by peer what was refused, and remembers the last of it: nothing is done about it here, a person is to see it (<c>drap market</c>, <c>drap explain</c>). Not thread-safe.
/// </summary>
public sealed class ComplaintBook
{
    /// <summary>Peers that are told apart: 300 B each. At the limit the one that was quiet longest is forgotten.</summary>
    public const int PeersMax = 256;

    /// <summary>As many as are shown: those with most.</summary>
    public const int ShownMax = 8;

    /// <summary>Characters that are kept of what was said: a line.</summary>
    private const int WordsMax = 200;

    private readonly Dictionary<PeerId, (long Count, string Last, long At)> all = [];
    private long time;

    /// <summary>Peers that are remembered.</summary>
    public int Count => all.Count;

    /// <summary>A peer did something that was refused.</summary>
    public void Note(PeerId peer, string what)
    {
        if (!all.TryGetValue(peer, out (long Count, string Last, long At) known) && all.Count >= PeersMax)
            all.Remove(all.MinBy(c => c.Value.At).Key);
        all[peer] = (known.Count + 1, what.Length <= WordsMax ? what : what[..WordsMax], ++time);
    }

    /// <summary>Of one peer; null if it did nothing of the kind.</summary>
    public Complaint? Of(PeerId peer) => all.TryGetValue(peer, out (long Count, string Last, long At) known) ? new Complaint(peer, known.Count, known.Last) : null;

    /// <summary>Those with most, <see cref="ShownMax"/> of them.</summary>
    public ImmutableArray<Complaint> Worst =>
        [.. all.OrderByDescending(c => c.Value.Count).ThenBy(c => c.Key).Take(ShownMax).Select(c => new Complaint(c.Key, c.Value.Count, c.Value.Last))];
}
