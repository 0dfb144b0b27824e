using System.Collections.Immutable;

namespace Drap.Core.Market.Pricing;

/// <summary>How one owner prices; immutable, changed with <c>with</c>, checked with <see cref="Validate"/>.</summary>
public sealed record PricingOptions
{
    /// <summary>The highest owner's or hourly factor, in permille: a hundredfold; more is a typing error.</summary>
    public const int FactorMaxPermille = 100_000;

    /// <summary>Base prices per unit.</summary>
    public PriceTable Table { get; init; } = PriceTable.Default;

    /// <summary>A factor for each hour of the day in UTC, in permille, 24 of them. Default flat: no one's night is another's.</summary>
    public ImmutableArray<int> HourlyPermille { get; init; } = [.. Enumerable.Repeat(1000, 24)];

    /// <summary>The owner's own factor, in permille. Default 1000; 0 gives everything away.</summary>
    public int OwnerPermille { get; init; } = 1000;

    /// <summary>How far above the bid the worker still answers with a counter-offer, in permille of the bid. Default 250: a quarter.</summary>
    public int CounterMarginPermille { get; init; } = 250;

    /// <summary>A reduction for many tasks taken together.</summary>
    public BundleDiscount Discount { get; init; } = new();

    /// <summary>What is kept back for tasks that pay well.</summary>
    public Reserve Reserve { get; init; } = new();

    /// <summary>What is wrong with the options, each as "field: what it is, what is allowed"; empty if nothing.</summary>
    public ImmutableArray<string> Validate()
    {
        var errors = ImmutableArray.CreateBuilder<string>();
        Check("owner factor", OwnerPermille, 0, FactorMaxPermille);
        Check("counter margin", CounterMarginPermille, 0, 10_000);
        Check("bundle discount", Discount.Permille, 0, 1000);
        Check("bundle threshold", Discount.Threshold, 2, int.MaxValue);
        Check("reserve share", Reserve.SharePermille, 0, 1000);
        Check("reserve's price", Reserve.HighValuePermille, 1000, FactorMaxPermille);
        if (HourlyPermille.Length != 24)
            errors.Add($"hourly factors: {HourlyPermille.Length} given, 24 needed (one for each hour in UTC)");
        for (int hour = 0; hour < HourlyPermille.Length; hour++)
            Check($"factor of hour {hour}", HourlyPermille[hour], 0, FactorMaxPermille);
        CheckPrice("core", Table.Core);
        CheckPrice("memory", Table.MemoryGiB);
        CheckPrice("disk", Table.DiskGiB);
        CheckPrice("network", Table.NetworkMbps);
        CheckPrice("gpu", Table.Gpu);
        foreach (GpuPrice entry in Table.Gpus)
            CheckPrice($"gpu {entry.Model}", entry.Price);
        foreach (NamedPrice entry in Table.Named)
            CheckPrice(entry.Name, entry.Price);
        return errors.ToImmutable();

        void Check(string field, long value, long min, long max)
        {
            if (value < min || value > max)
                errors.Add($"{field}: {value} given, {min} to {max} allowed");
        }

        void CheckPrice(string unit, Price price) => Check($"price of {unit}", price.MicroPerHour, 0, Price.LimitMax.MicroPerHour);
    }
}

/// <summary>A reduction for offers of many tasks at once.</summary>
/// <param name="Threshold">From how many tasks on. Default 5.</param>
/// <param name="Permille">By how much, in permille. Default 20: enough to win a tie, too little to lose money on.</param>
public sealed record BundleDiscount(int Threshold = 5, int Permille = 20)
{
    /// <summary>The factor for an offer of <paramref name="tasks"/> tasks.</summary>
    public Factor For(int tasks) => tasks >= Threshold ? Factor.FromPermille(1000 - Permille) : Factor.One;
}
