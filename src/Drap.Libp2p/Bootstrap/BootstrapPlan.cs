namespace Drap.Libp2p.Bootstrap;

/// <summary>
/// Which of the peers that a user named are dialed when, so that a node finds into its network, and back into it when it was lost: a few
/// of them stay connected, each that fails is left alone for longer and longer. Not thread-safe.
/// </summary>
public sealed class BootstrapPlan
{
    /// <summary>Peers in a list; those after them are left out. The public network's list has six.</summary>
    public const int PeersMax = 64;

    /// <summary>How many of the list are kept connected: one may be down, and the others be told by it.</summary>
    public const int WantedDefault = 3;

    private static readonly TimeSpan BackoffFirst = TimeSpan.FromSeconds(1), BackoffLongest = TimeSpan.FromMinutes(1);

    private readonly List<Entry> entries = [];
    private readonly Prng random;
    private readonly int wanted;

    /// <summary>A plan for these peers, in the order in which they are to be tried.</summary>
    public BootstrapPlan(IEnumerable<PeerId> peers, int wanted, Prng random, Instant now)
    {
        Invariant.Check(wanted > 0);
        this.wanted = wanted;
        this.random = random;
        foreach (PeerId peer in peers.Distinct().Take(PeersMax))
            entries.Add(new Entry(peer) { At = now });
    }

    /// <summary>Peers of the list that are connected.</summary>
    public int Connected => entries.Count(entry => entry.State == State.Connected);

    /// <summary>When <see cref="TryNext"/> may give somebody; never while enough are connected or being dialed.</summary>
    public Instant NextDeadline => IsEnough
        ? Instant.Never : entries.Where(entry => entry.State == State.Idle).Select(entry => entry.At).Aggregate(Instant.Never, Instant.Min);

    private bool IsEnough => entries.Count(entry => entry.State != State.Idle) >= wanted;

    /// <summary>Whom to dial now; false if nobody. How it goes is to be told.</summary>
    public bool TryNext(Instant now, out PeerId peer)
    {
        peer = default;
        if (IsEnough || entries.Find(entry => entry.State == State.Idle && entry.At <= now) is not { } next)
            return false;
        next.State = State.Dialing;
        peer = next.Peer;
        return true;
    }

    /// <summary>There is a connection with a peer, whoever dialed; others than the list's do not matter.</summary>
    public void Met(PeerId peer)
    {
        if (Find(peer) is not { } entry)
            return;
        entry.State = State.Connected;
        entry.Failures = 0;
    }

    /// <summary>There is no connection with a peer any more.</summary>
    public void Lost(PeerId peer, Instant now)
    {
        if (Find(peer) is not { State: State.Connected } entry)
            return;
        entry.State = State.Idle;
        // Many lose the same peer at once: they do not all come back at once.
        entry.At = now + Jittered(BackoffFirst);
    }

    /// <summary>The dial of a peer failed.</summary>
    public void Failed(PeerId peer, Instant now)
    {
        if (Find(peer) is not { State: State.Dialing } entry)
            return;
        entry.State = State.Idle;
        entry.At = now + Jittered(new TimeSpan(Math.Min(BackoffFirst.Ticks << Math.Min(entry.Failures++, 20), BackoffLongest.Ticks)));
        // The next in line is tried first.
        entries.Remove(entry);
        entries.Add(entry);
    }

    /// <summary>The network is another, or is back: what failed before says nothing any more.</summary>
    public void Renew(Instant now)
    {
        foreach (Entry entry in entries.Where(entry => entry.State == State.Idle))
        {
            entry.Failures = 0;
            entry.At = now;
        }
    }

    private Entry? Find(PeerId peer) => entries.Find(entry => entry.Peer == peer);

    private TimeSpan Jittered(TimeSpan span) => new(span.Ticks / 2 + (long)random.Below((ulong)span.Ticks / 2 + 1));

    private enum State
    {
        Idle,
        Dialing,
        Connected,
    }

    private sealed class Entry(PeerId peer)
    {
        public PeerId Peer { get; } = peer;

        public State State { get; set; }

        public Instant At { get; set; }

        public int Failures { get; set; }
    }
}
