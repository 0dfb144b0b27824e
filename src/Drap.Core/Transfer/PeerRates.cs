namespace Drap.Core.Transfer;

/// <summary>
/// How fast blobs go to each peer, over all its streams together: a bucket for each that holds <see cref="Burst"/> of its rate. Whoever is over it
/// waits, and so holds back the disk and the network behind it. Pure; one caller at a time.
/// </summary>
public sealed class PeerRates
{
    /// <summary>What a peer may have at once after it was idle: a tenth of a second's worth, so that small blobs never wait.</summary>
    public static readonly TimeSpan Burst = TimeSpan.FromMilliseconds(100);

    /// <summary>Peers that are counted: 64 KiB. At the limit the one that is furthest from owing anything is forgotten, and begins anew.</summary>
    public const int PeersMax = 1024;

    private readonly Dictionary<PeerId, Instant> paidUntil = [];
    private readonly long bytesPerSecond;

    /// <summary>A rate for each peer.</summary>
    /// <param name="bytesPerSecond">At least 1; 0 for no limit.</param>
    public PeerRates(long bytesPerSecond)
    {
        Invariant.Check(bytesPerSecond >= 0);
        this.bytesPerSecond = bytesPerSecond;
    }

    /// <summary>Counts bytes that are about to go to a peer, and says how long to wait before they do.</summary>
    public TimeSpan Take(PeerId peer, int bytes, Instant now)
    {
        if (bytesPerSecond == 0)
            return TimeSpan.Zero;
        Instant from = Instant.Max(paidUntil.GetValueOrDefault(peer, Instant.Zero), now - Burst);
        // A leaf times a billion fits 64 bits thousands of times over.
        Instant until = from + TimeSpan.FromTicks((long)((Int128)bytes * TimeSpan.TicksPerSecond / bytesPerSecond));
        if (!paidUntil.ContainsKey(peer) && paidUntil.Count == PeersMax)
            paidUntil.Remove(paidUntil.OrderBy(p => p.Value).ThenBy(p => p.Key).First().Key);
        paidUntil[peer] = until;
        return until > now ? until - now : TimeSpan.Zero;
    }
}
