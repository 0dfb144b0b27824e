namespace Drap.Core.Market.Pricing;

/// <summary>A moving average of how many offers are confirmed, in millionths.</summary>
public sealed class WinRate
{
    /// <summary>The least that it says, so that dividing by it stays within a bound: one in twenty.</summary>
    public const int Min = 50_000;

    // About the last 256 offers count: a few windows of a busy worker. With fewer the noise of a low rate would overbook by half too much.
    private const int Weight = 256;

    private int average = Factor.Whole;

    /// <summary>Confirmed offers of all offers, in millionths, from <see cref="Min"/>; a whole at first: who has seen nothing overbooks nothing.</summary>
    public int Millionths => Math.Max(average, Min);

    /// <summary>Counts an offer that was confirmed, or whose hold lapsed.</summary>
    public void Observe(bool confirmed) => average += ((confirmed ? Factor.Whole : 0) - average) / Weight;
}
