namespace Drap.Core.Market.Pricing;

/// <summary>
/// A moving average of what the market pays relative to what this worker would ask without it, as a small factor of its price. The
/// factor stays between 0.9 and 1.1: it follows a market, it does not make one, and nobody can move it far by lying.
/// </summary>
public sealed class MarketObservation
{
    /// <summary>The least and the most that the factor can be, in millionths.</summary>
    public const int FactorMin = 900_000, FactorMax = 1_100_000;

    // Of each sample a sixteenth counts: about sixteen answers to forget half a day's mood, and one outlier moves it by 6 % at most.
    private const int Weight = 16;

    // What an own win or loss says without a known price: won, so it could have been 2 % more; lost, so it should have been 2 % less.
    private const int WonPermille = 1020, LostPermille = 980;

    private int average = Pricing.Factor.Whole;

    /// <summary>The factor, 0.9 to 1.1.</summary>
    public Factor Factor => new(average);

    /// <summary>Counts an own offer that was confirmed (<paramref name="won"/>) or whose hold lapsed.</summary>
    public void ObserveOwn(bool won) => Blend((long)average * (won ? WonPermille : LostPermille) / 1000);

    /// <summary>
    /// Counts a price at which some task was placed with anyone, or which a bid named, beside what this worker would have asked for
    /// the same bundle with a market factor of one. An <paramref name="unadjusted"/> ask of zero says nothing and changes nothing.
    /// </summary>
    public void ObservePrice(Price seen, Price unadjusted)
    {
        if (unadjusted.MicroPerHour <= 0)
            return;
        Int128 ratio = (Int128)seen.MicroPerHour * Pricing.Factor.Whole / unadjusted.MicroPerHour;
        // A sample is cut to twice the factor's range first, so that one absurd price is no more than one vote.
        Blend((long)Int128.Clamp(ratio, 2 * FactorMin - Pricing.Factor.Whole, 2 * FactorMax - Pricing.Factor.Whole));
    }

    private void Blend(long sample) => average = (int)Math.Clamp(average + (sample - average) / Weight, FactorMin, FactorMax);
}
