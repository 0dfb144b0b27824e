using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// The walk towards a key: of the peers it has heard of it asks the nearest, a few at a time, learns nearer ones from their answers, and
/// is over when the k nearest that answer at all have answered (libp2p/specs, kad-dht, "Peer routing"). Whom it asks what is its owner's
/// to say. Not thread-safe.
/// </summary>
internal sealed class Lookup
{
    /// <summary>
    /// Peers that a walk remembers. An honest one meets about 150; a peer that answers with ever new ones near the key would else make us
    /// keep them all. At the limit the farthest that was not asked is forgotten.
    /// </summary>
    public const int CandidatesMax = 512;

    /// <summary>
    /// Peers that a walk asks. An honest one asks about 40; hostile peers could lead it nearer to the key without end. Then the walk ends
    /// with what it has.
    /// </summary>
    public const int AskedMax = 256;

    private readonly SortedList<KadKey, Candidate> candidates = [];
    private readonly KadKey self;
    private readonly int k, alpha;
    private readonly TimeSpan slowAfter, hopelessAfter;
    private int awaited, answered;

    public Lookup(KadKey target, KadKey self, int k, int alpha, TimeSpan slowAfter, TimeSpan hopelessAfter)
    {
        Target = target;
        this.self = self;
        this.k = k;
        this.alpha = alpha;
        this.slowAfter = slowAfter;
        this.hopelessAfter = hopelessAfter;
    }

    /// <summary>What is looked for.</summary>
    public KadKey Target { get; }

    /// <summary>Peers that were asked.</summary>
    public int Asked { get; private set; }

    /// <summary>When somebody who was asked is no longer waited for; nothing else in here goes by time.</summary>
    public Instant NextDeadline { get; private set; } = Instant.Never;

    /// <summary>
    /// Whether the k nearest, of those that have not failed and are not given up, have answered, so that nobody nearer is left to be
    /// asked.
    /// </summary>
    public bool IsOver
    {
        get
        {
            int nearer = 0;
            foreach (Candidate candidate in candidates.Values)
            {
                bool isAwaited = candidate.State switch
                {
                    CandidateState.Asked or CandidateState.Slow => true,
                    CandidateState.Hopeless => answered == 0,
                    CandidateState.New => Asked < AskedMax,
                    _ => false,
                };
                if (isAwaited)
                    return false;
                if (candidate.State == CandidateState.Answered && ++nearer == k)
                    return true;
            }
            return true;
        }
    }

    /// <summary>The k nearest that have answered, the nearest first.</summary>
    public ImmutableArray<KadPeer> Closest =>
        [.. candidates.Values.Where(candidate => candidate.State == CandidateState.Answered).Take(k).Select(candidate => candidate.Peer)];

    /// <summary>All that have answered, the nearest first.</summary>
    public IEnumerable<KadPeer> Answerers =>
        candidates.Values.Where(candidate => candidate.State == CandidateState.Answered).Select(candidate => candidate.Peer);

    /// <summary>All that were heard of, the nearest first.</summary>
    public IEnumerable<KadPeer> Heard => candidates.Values.Select(candidate => candidate.Peer);

    /// <summary>Peers to begin with, or that were learnt.</summary>
    public void Add(IEnumerable<KadPeer> peers)
    {
        foreach (KadPeer peer in peers)
        {
            KadKey distance = peer.Key ^ Target;
            if (peer.Key == self)
                continue;
            if (candidates.TryGetValue(distance, out Candidate? known))
            {
                if (known.State == CandidateState.New && known.Peer.Addresses.IsEmpty)
                    known.Peer = peer;
                continue;
            }
            candidates.Add(distance, new Candidate(peer));
            if (candidates.Count > CandidatesMax)
                ForgetFarthest();
        }
    }

    /// <summary>
    /// Whom to ask next, and now; false if enough are being asked, or nobody of the nearest is left but those that <paramref name="isBusy"/>
    /// says may not be asked yet.
    /// </summary>
    public bool TryNext(Instant now, Func<PeerId, bool> isBusy, [NotNullWhen(true)] out KadPeer? peer)
    {
        peer = null;
        if (awaited >= alpha || Asked == AskedMax)
            return false;
        int nearer = 0;
        foreach (Candidate candidate in candidates.Values)
        {
            if (candidate.State == CandidateState.New && !isBusy(candidate.Peer.Id))
            {
                candidate.State = CandidateState.Asked;
                candidate.AskedAt = now;
                NextDeadline = Instant.Min(NextDeadline, now + slowAfter);
                awaited++;
                Asked++;
                peer = candidate.Peer;
                return true;
            }
            if (candidate.State is CandidateState.New or CandidateState.Answered or CandidateState.Asked or CandidateState.Slow && ++nearer == k)
                return false;
        }
        return false;
    }

    /// <summary>A peer answered, perhaps when nobody waited for it any more.</summary>
    public void Answered(KadPeer peer, IEnumerable<KadPeer> closer)
    {
        Settle(peer, CandidateState.Answered);
        Add(closer);
    }

    /// <summary>A peer will not answer.</summary>
    public void Failed(KadPeer peer) => Settle(peer, CandidateState.Failed);

    /// <summary>
    /// For those that are slow others are asked besides; those that are hopeless are not waited for at the end, if anybody has answered: else there is nothing to
    /// end with. Their answers still count when they come.
    /// </summary>
    public void Advance(Instant now)
    {
        if (now < NextDeadline)
            return;
        NextDeadline = Instant.Never;
        foreach (Candidate candidate in candidates.Values)
        {
            if (candidate.State == CandidateState.Asked && candidate.AskedAt + slowAfter <= now)
            {
                candidate.State = CandidateState.Slow;
                awaited--;
            }
            if (candidate.State == CandidateState.Slow && candidate.AskedAt + hopelessAfter <= now)
                candidate.State = CandidateState.Hopeless;
            if (candidate.State is CandidateState.Asked or CandidateState.Slow)
                NextDeadline = Instant.Min(
                    NextDeadline, candidate.AskedAt + (candidate.State == CandidateState.Asked ? slowAfter : hopelessAfter));
        }
    }

    private void Settle(KadPeer peer, CandidateState state)
    {
        if (!candidates.TryGetValue(peer.Key ^ Target, out Candidate? candidate))
            return;
        if (candidate.State == CandidateState.Asked)
            awaited--;
        answered += (state == CandidateState.Answered ? 1 : 0) - (candidate.State == CandidateState.Answered ? 1 : 0);
        candidate.State = state;
    }

    private void ForgetFarthest()
    {
        for (int i = candidates.Count - 1; i >= 0; i--)
        {
            if (candidates.Values[i].State is not (CandidateState.New or CandidateState.Failed))
                continue;
            candidates.RemoveAt(i);
            return;
        }
        Invariant.Fail("a walk asks fewer peers than it remembers");
    }

    private enum CandidateState
    {
        New,
        Asked,
        Slow,
        Hopeless,
        Answered,
        Failed,
    }

    private sealed class Candidate(KadPeer peer)
    {
        public KadPeer Peer { get; set; } = peer;

        public CandidateState State { get; set; }

        public Instant AskedAt { get; set; }
    }
}
