namespace Drap.Core.Market.Pricing;

/// <summary>Names a worker's prices. It keeps nothing but what the market observation has learnt; the arbiter owns it. Not thread-safe.</summary>
/// <param name="options">The owner's; valid.</param>
public sealed class Pricer(PricingOptions options)
{
    /// <summary>The owner's options; replaced when the owner changes them.</summary>
    public PricingOptions Options { get; set; } = options;

    /// <summary>What offers have won and lost at.</summary>
    public MarketObservation Market { get; } = new();

    /// <summary>
    /// The price of tasks taken together, on a worker with <paramref name="free"/> free before them, at <paramref name="utc"/>: base
    /// × mean of the utilisation curve × hour × market × owner × discount.
    /// </summary>
    public PriceBreakdown Quote(ResourcePool free, ReadOnlySpan<BundlePart> parts, UtcTime utc)
    {
        Int128 total = 0;
        long tasks = 0;
        foreach (ref readonly BundlePart part in parts)
        {
            total += (Int128)Options.Table.BaseOf(part.Request, free.Total).MicroPerHour * part.Count;
            tasks += part.Count;
        }
        Utilisation scarcest = Utilisation.Of(free, parts);
        return new PriceBreakdown(
            new Price((long)Int128.Min(total, Price.LimitMax.MicroPerHour)),
            scarcest,
            UtilisationCurve.Mean(scarcest.Before, scarcest.After),
            Factor.FromPermille(Options.HourlyPermille[utc.HourOfDay]),
            Market.Factor,
            Factor.FromPermille(Options.OwnerPermille),
            Options.Discount.For((int)Math.Min(tasks, int.MaxValue)));
    }

    /// <summary>The price of one task alone.</summary>
    public PriceBreakdown Quote(ResourcePool free, ResourceRequest request, UtcTime utc) => Quote(free, [new BundlePart(request, 1)], utc);

    /// <summary>Whether to offer, to counter or to refuse, and at which price.</summary>
    public BidAnswer Answer(Price bid, Price ask) => BidAnswer.To(bid, ask, Options.CounterMarginPermille);
}
