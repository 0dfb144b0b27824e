namespace Drap.Core.Health;

/// <summary>
/// Decides when a peer that was heard regularly has been silent for too long. The time-out follows what was measured: the smoothed
/// interval between signs of life and its deviation, as TCP smooths round trips (RFC 6298), since a fixed one is wrong both ways.
/// </summary>
public sealed class Suspicion
{
    /// <summary>Never suspect sooner: a full garbage collection or a busy disk must pass unpunished.</summary>
    public static readonly TimeSpan TimeoutMin = TimeSpan.FromSeconds(3);

    /// <summary>Never wait longer: a lease lasts no longer either.</summary>
    public static readonly TimeSpan TimeoutMax = TimeSpan.FromSeconds(30);

    private const int Deviations = 6;

    private long smoothedTicks;
    private long deviationTicks;
    private bool measured;

    /// <summary>A peer of whom the last sign of life came at <paramref name="now"/>.</summary>
    public Suspicion(Instant now) => LastHeard = now;

    /// <summary>The last sign of life.</summary>
    public Instant LastHeard { get; private set; }

    /// <summary>How long a silence is still believed.</summary>
    public TimeSpan Timeout
    {
        get
        {
            long ticks = measured ? smoothedTicks + Deviations * deviationTicks : TimeoutMin.Ticks;
            return TimeSpan.FromTicks(Math.Clamp(ticks, TimeoutMin.Ticks, TimeoutMax.Ticks));
        }
    }

    /// <summary>A sign of life that was asked for: it counts for the measure.</summary>
    public void Answered(Instant now)
    {
        long interval = (now - LastHeard).Ticks;
        if (measured)
        {
            deviationTicks += (Math.Abs(interval - smoothedTicks) - deviationTicks) / 4;
            smoothedTicks += (interval - smoothedTicks) / 8;
        }
        else
        {
            measured = true;
            smoothedTicks = interval;
            deviationTicks = interval / 2;
        }
        LastHeard = now;
    }

    /// <summary>Any other sign of life, or the begin of a time in which signs are expected.</summary>
    public void Heard(Instant now) => LastHeard = Instant.Max(LastHeard, now);

    /// <summary>When silence from now on becomes suspicious.</summary>
    public Instant Deadline => LastHeard + Timeout;
}
