namespace Drap.Libp2p.Relay;

/// <summary>
/// Judges whether a node can be dialed, by what it sees of itself: peers that it dialed say from where it came to them (identify's observed address).
/// If that is none of its own addresses, something on the way translates them, and if then nobody dials it for a while it takes itself for unreachable.
/// A connection from outside proves the opposite at any time. Who lies can only make it ask a relay for a place. Not thread-safe.
/// </summary>
/// <param name="patience">How long to wait for somebody to dial; <see cref="PatienceDefault"/> as a rule.</param>
public sealed class Reachability(TimeSpan patience)
{
    /// <summary>20 s: whoever is told of an address dials within some seconds, if at all.</summary>
    public static readonly TimeSpan PatienceDefault = TimeSpan.FromSeconds(20);

    /// <summary>Peers whose views are held; others' are passed over, since one that is true is as good as many.</summary>
    public const int ViewsMax = 64;

    private readonly HashSet<PeerId> foreign = [];
    private Instant? since;

    /// <summary>Whether it can be dialed; null while that is not known.</summary>
    public bool? IsReachable { get; private set; }

    /// <summary>When <see cref="Advance"/> has something to do.</summary>
    public Instant NextDeadline => since is { } from && IsReachable is null ? from + patience : Instant.Never;

    /// <summary>A peer that was dialed has seen this node at one of its own addresses, or at another.</summary>
    public void Seen(PeerId by, bool isOwn, Instant now)
    {
        if (isOwn)
            Gone(by);
        else if (foreign.Count < ViewsMax && foreign.Add(by))
            since ??= now;
    }

    /// <summary>The peer is connected no more, and what it saw may be over.</summary>
    public void Gone(PeerId by)
    {
        foreign.Remove(by);
        if (foreign.Count == 0)
            since = null;
    }

    /// <summary>Somebody outside has dialed this node.</summary>
    public void Dialed() => IsReachable = true;

    /// <summary>This node has other addresses now: what was known is over.</summary>
    public void Moved(Instant now)
    {
        IsReachable = null;
        since = foreign.Count > 0 ? now : null;
    }

    /// <summary>Judges, if it is time.</summary>
    public void Advance(Instant now)
    {
        if (now >= NextDeadline)
            IsReachable = false;
    }
}
