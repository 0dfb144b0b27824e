using Drap.Core.Market.Pricing;
using Xunit;

namespace Drap.Core.Tests.Market;

public class PricingTests
{
    private const long Gib = 1L << 30;

    private static readonly UtcTime Noon = new(12 * 3_600_000);

    private static readonly NodeResources Machine = new()
    {
        MilliCpus = 100_000,
        MemoryBytes = 1000 * Gib,
        Gpus = [new GpuDevice(0, "NVIDIA A100", 40 * Gib), new GpuDevice(1, "Tesla T4", 16 * Gib)],
        Named = [new NamedAmount("licence", 4)],
    };

    [Fact]
    public void The_curve_is_the_formula_within_a_thousandth()
    {
        for (int u = 0; u <= UtilisationCurve.Full; u += 500)
        {
            double real = Formula(u / 1e6);
            Assert.InRange(UtilisationCurve.At(u).Millionths / 1e6, real * 0.999, real * 1.001);
        }
        Assert.Equal(Factor.One, UtilisationCurve.At(500_000));
        Assert.Equal(new Factor(2_000_000), UtilisationCurve.At(800_000));
        Assert.Equal(new Factor(5_436_564), UtilisationCurve.At(2_000_000));
    }

    [Fact]
    public void The_mean_of_the_curve_is_its_integral_within_a_thousandth()
    {
        var random = new Prng(3);
        for (int k = 0; k < 2000; k++)
        {
            int from = random.Below(1_000_000), to = random.Below(1_000_000);
            double real = Math.Abs(to - from) < 1 ? Formula(from / 1e6) : (Integral(to / 1e6) - Integral(from / 1e6)) / ((to - from) / 1e6);
            Assert.InRange(UtilisationCurve.Mean(from, to).Millionths / 1e6, real * 0.999, real * 1.001);
        }
    }

    [Fact]
    public void Filling_a_worker_costs_the_same_in_one_step_or_in_many()
    {
        var pricer = new Pricer(new PricingOptions { Discount = new BundleDiscount(2, 0) });
        var task = new ResourceRequest { MilliCpus = 1000 };
        long whole = pricer.Quote(new ResourcePool(Machine), [new BundlePart(task, 100)], Noon).Ask.MicroPerHour;
        var pool = new ResourcePool(Machine);
        long sum = 0;
        for (int k = 0; k < 100; k++)
        {
            sum += pricer.Quote(pool, task, Noon).Ask.MicroPerHour;
            Assert.NotNull(pool.TryTake(task));
        }
        Assert.InRange(sum, whole - 600, whole + 600);
        // 100 cores at 0.04, times the curve's integral from 0 to 1: 0.5 + 0.45 + 0.4 (e − 1).
        Assert.InRange(whole, 6_549_250, 6_555_800);
    }

    [Fact]
    public void The_parts_of_a_bundle_add_up_to_it_in_any_order()
    {
        var random = new Prng(11);
        var pricer = new Pricer(new PricingOptions { OwnerPermille = 1234 });
        for (int k = 0; k < 200; k++)
        {
            var pool = new ResourcePool(Machine);
            BundlePart[] parts = [.. Enumerable.Range(0, 5).Select(_ => new BundlePart(
                new ResourceRequest { MilliCpus = random.Between(1, 9000), MemoryBytes = random.Between(0, 99) * Gib / 7 }, 1 + random.Below(2)))];
            PriceBreakdown quote = pricer.Quote(pool, parts, Noon);
            long sum = parts.Sum(part => quote.AskFor(pricer.Options.Table.BaseOf(part.Request, Machine)).MicroPerHour * part.Count);
            Assert.InRange(sum, quote.Ask.MicroPerHour, quote.Ask.MicroPerHour + 5 * 10);
            random.Shuffle<BundlePart>(parts);
            Assert.Equal(quote, pricer.Quote(pool, parts, Noon));
        }
    }

    [Fact]
    public void The_scarcest_dimension_that_is_touched_counts()
    {
        var pool = new ResourcePool(Machine);
        pool.TryTake(new ResourceRequest { MilliCpus = 0, MemoryBytes = 900 * Gib });
        Assert.Equal(new Utilisation("cpu", 0, 10_000), Utilisation.Of(pool, [new BundlePart(new ResourceRequest(), 1)]));
        var both = new ResourceRequest { MemoryBytes = 50 * Gib };
        Assert.Equal(new Utilisation("memory", 900_000, 950_000), Utilisation.Of(pool, [new BundlePart(both, 1)]));
        var gpu = new ResourceRequest { Gpu = new GpuRequest() };
        Assert.Equal(new Utilisation("gpu", 0, 500_000), Utilisation.Of(pool, [new BundlePart(gpu, 1)]));
        var named = new ResourceRequest { MilliCpus = 0, Named = [new NamedAmount("licence", 3)] };
        Assert.Equal(new Utilisation("licence", 0, 750_000), Utilisation.Of(pool, [new BundlePart(named, 1)]));
    }

    [Fact]
    public void Base_prices_add_up_over_the_bundle()
    {
        PriceTable table = new()
        {
            Gpus = [new GpuPrice("a100", new Price(3_000_000)), new GpuPrice("T4", new Price(400_000))],
            Named = [new NamedPrice("licence", new Price(70))],
        };
        var request = new ResourceRequest
        {
            MilliCpus = 1500,
            MemoryBytes = Gib / 2,
            DiskBytes = 10 * Gib,
            NetworkMbps = 100,
            Gpu = new GpuRequest { MemoryBytes = 30 * Gib },
            Named = [new NamedAmount("licence", 2)],
        };
        Assert.Equal(60_000 + 2500 + 1000 + 1000 + 3_000_000 + 140, table.BaseOf(request, Machine).MicroPerHour);
        var any = new ResourceRequest { MilliCpus = 0, Gpu = new GpuRequest { Share = 2500 } };
        Assert.Equal(100_000, table.BaseOf(any, Machine).MicroPerHour);
        Assert.Equal(Price.LimitMax, new PriceTable { Core = Price.LimitMax }.BaseOf(new ResourceRequest { MilliCpus = ResourceRequest.AmountMax }, Machine));
    }

    [Fact]
    public void Every_factor_shows_in_the_breakdown()
    {
        int[] hours = [.. Enumerable.Range(0, 24).Select(h => h == 12 ? 1300 : 700)];
        var pricer = new Pricer(new PricingOptions { HourlyPermille = [.. hours], OwnerPermille = 500, Discount = new BundleDiscount(5, 100) });
        PriceBreakdown quote = pricer.Quote(new ResourcePool(Machine), [new BundlePart(new ResourceRequest(), 10)], Noon);
        Assert.Equal("0.4/h", quote.Base.ToString());
        Assert.Equal(("1", "1.3", "1", "0.5", "0.9"),
            (quote.Use.ToString(), quote.Hour.ToString(), quote.Market.ToString(), quote.Owner.ToString(), quote.Discount.ToString()));
        Assert.Equal("0.234/h", quote.Ask.ToString());
    }

    [Theory]
    [InlineData(100, 100, BidAnswerKind.Offer)]
    [InlineData(100, 40, BidAnswerKind.Offer)]
    [InlineData(100, 101, BidAnswerKind.Counter)]
    [InlineData(100, 125, BidAnswerKind.Counter)]
    [InlineData(100, 126, BidAnswerKind.Refusal)]
    [InlineData(0, 1, BidAnswerKind.Refusal)]
    [InlineData(0, 0, BidAnswerKind.Offer)]
    public void An_ask_is_an_offer_a_counter_offer_or_a_refusal(long bid, long ask, BidAnswerKind kind) =>
        Assert.Equal(new BidAnswer(kind, new Price(ask)), BidAnswer.To(new Price(bid), new Price(ask), 250));

    [Fact]
    public void Bad_options_are_named_with_what_is_allowed()
    {
        Assert.Empty(new PricingOptions().Validate());
        PricingOptions bad = new() { OwnerPermille = -1, HourlyPermille = [1000], Table = new PriceTable { Core = new Price(-5) } };
        Assert.Equal(
            [
                "owner factor: -1 given, 0 to 100000 allowed",
                "hourly factors: 1 given, 24 needed (one for each hour in UTC)",
                "price of core: -5 given, 0 to 1000000000000 allowed",
            ],
            bad.Validate());
    }

    [Fact]
    public void The_market_moves_a_price_by_a_tenth_at_most()
    {
        var market = new MarketObservation();
        Assert.Equal(Factor.One, market.Factor);
        for (int k = 0; k < 1000; k++)
            market.ObserveOwn(won: true);
        Assert.Equal(new Factor(MarketObservation.FactorMax), market.Factor);
        for (int k = 0; k < 1000; k++)
            market.ObservePrice(Price.Zero, new Price(100));
        Assert.Equal(new Factor(MarketObservation.FactorMin), market.Factor);
        market.ObservePrice(Price.LimitMax, new Price(1));
        Assert.InRange(market.Factor.Millionths, MarketObservation.FactorMin, MarketObservation.FactorMin + 20_000);
    }

    private static double Formula(double u) => u < 0.5 ? 1 : u < 0.8 ? 1 + (u - 0.5) / 0.3 : 2 * Math.Exp(5 * (u - 0.8));

    private static double Integral(double u)
    {
        double linear = Math.Clamp(u, 0.5, 0.8) - 0.5;
        double sum = Math.Min(u, 0.8) + linear * linear / 0.6;
        return u <= 0.8 ? sum : sum + 0.4 * (Math.Exp(5 * (u - 0.8)) - 1);
    }
}
