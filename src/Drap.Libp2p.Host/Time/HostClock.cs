namespace Drap.Libp2p.Host.Time;

/// <summary>The host's time: instants of a monotonic clock. They are compared with one another only, so where they begin means nothing.</summary>
internal sealed class HostClock(TimeProvider provider)
{
    private readonly long frequency = provider.TimestampFrequency;

    public TimeProvider Provider => provider;

    /// <summary>Now. About 25 ns.</summary>
    public Instant Now
    {
        get
        {
            long stamp = provider.GetTimestamp();
            return new Instant(frequency == 1_000_000_000 ? stamp : (long)((Int128)stamp * 1_000_000_000 / frequency));
        }
    }
}
