namespace Drap.Core.Health;

/// <summary>A round trip to one peer, smoothed as TCP does it (RFC 6298, section 2): an eighth of each sample counts.</summary>
public sealed class SmoothedRtt
{
    /// <summary>What is believed before the first sample: a link across a continent, so that a first hold is rather too long.</summary>
    public static readonly TimeSpan Initial = TimeSpan.FromMilliseconds(50);

    /// <summary>A longer sample counts as this much: whoever answers later than that is not slow but away.</summary>
    public static readonly TimeSpan SampleMax = TimeSpan.FromSeconds(2);

    private long ticks = -1;

    /// <summary>The smoothed time; <see cref="Initial"/> before the first sample.</summary>
    public TimeSpan Value => ticks < 0 ? Initial : new TimeSpan(ticks);

    /// <summary>Whether there was a sample.</summary>
    public bool IsMeasured => ticks >= 0;

    /// <summary>Takes a sample in; a negative one is ignored.</summary>
    public void Observe(TimeSpan sample)
    {
        if (sample < TimeSpan.Zero)
            return;
        long taken = Math.Min(sample.Ticks, SampleMax.Ticks);
        ticks = ticks < 0 ? taken : ticks + (taken - ticks) / 8;
    }
}
