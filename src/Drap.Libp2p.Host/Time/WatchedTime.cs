namespace Drap.Libp2p.Host.Time;

/// <summary>
/// Time as far as somebody watched it, who looks at the clock each <paramref name="step"/>: of what passes between two looks twice that counts at most. A process that
/// stood still has not seen what others could have done meanwhile, and must not hold it against them.
/// </summary>
internal sealed class WatchedTime(TimeSpan step, Instant since)
{
    private Instant last = since;

    /// <summary>What was seen so far.</summary>
    public TimeSpan Seen { get; private set; }

    /// <summary>Looks at the clock.</summary>
    public void Look(Instant now)
    {
        TimeSpan passed = now - last;
        Seen += passed < 2 * step ? passed : 2 * step;
        last = now;
    }
}
