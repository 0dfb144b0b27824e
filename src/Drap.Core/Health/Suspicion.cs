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

    /// <summary>
    /// So long, and four round trips more, who lost the connection has for a sign of life over a new one: to dial, and three rounds of hand-shakes. One
    /// that has died refuses the dial at once.
    /// </summary>
    public static readonly TimeSpan DoubtMin = TimeSpan.FromMilliseconds(400);

    /// <summary>What had been sent before the connection closed may be heard so long after it.</summary>
    private static readonly TimeSpan Echo = TimeSpan.FromMilliseconds(50);

    private const int Deviations = 6;

    private long smoothedTicks;
    private long deviationTicks;
    private bool measured;
    private Instant doubted = Instant.Never;
    private Instant doubtEnds = Instant.Never;

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
        Heard(now);
    }

    /// <summary>The connection closed. That is a hint and no more: a sign of life until <see cref="DoubtMin"/> and four round trips later ends it.</summary>
    public void Doubt(Instant now, TimeSpan roundTrip)
    {
        if (doubtEnds == Instant.Never)
            (doubted, doubtEnds) = (now, now + DoubtMin + 4 * roundTrip);
    }

    /// <summary>It answered what it was asked after its connection closed.</summary>
    public void Trust(Instant now)
    {
        LastHeard = Instant.Max(LastHeard, now);
        (doubted, doubtEnds) = (Instant.Never, Instant.Never);
    }

    /// <summary>Whether its connection closed, and it was not heard since.</summary>
    public bool IsDoubted => doubtEnds != Instant.Never;

    /// <summary>Any other sign of life, or the begin of a time in which signs are expected.</summary>
    public void Heard(Instant now)
    {
        LastHeard = Instant.Max(LastHeard, now);
        if (doubtEnds != Instant.Never && now > doubted + Echo)
            Trust(now);
    }

    /// <summary>When silence from now on becomes suspicious.</summary>
    public Instant Deadline => Instant.Min(LastHeard + Timeout, doubtEnds);
}
