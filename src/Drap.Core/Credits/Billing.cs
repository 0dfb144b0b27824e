namespace Drap.Core;

/// <summary>What an attempt costs once it has ended.</summary>
public static class Billing
{
    /// <summary>
    /// The time that is billed: the lesser of what both sides' own boot clocks measured, plus one round trip for the messages between
    /// them. The lesser, so that neither gains by a clock that runs fast; the round trip, since the resources were held while the
    /// confirmation and the result travelled. A negative time, which only a broken peer names, counts as zero.
    /// </summary>
    public static TimeSpan BilledTime(TimeSpan worker, TimeSpan scheduler, TimeSpan roundTrip)
    {
        long lesser = Math.Max(Math.Min(worker.Ticks, scheduler.Ticks), 0);
        long sum = lesser + Math.Max(roundTrip.Ticks, 0);
        return new TimeSpan(sum < 0 ? long.MaxValue : sum);
    }

    /// <summary>The amount for a time at <paramref name="price"/>: rounded up, at least one micro-credit; what is for nothing costs nothing.</summary>
    public static Credits Amount(Price price, TimeSpan time) => price == Price.Zero ? Credits.Zero : price.For(time);
}
