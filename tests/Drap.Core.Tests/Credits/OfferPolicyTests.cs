using Xunit;

namespace Drap.Core.Tests.Money;

public class OfferPolicyTests
{
    private static readonly OfferFacts Plain = new(
        new Price(1_000_000), new Price(1_000_000), TimeSpan.FromMinutes(30), 1000, 0, TimeSpan.Zero, 1000);

    [Fact]
    public void The_formula_holds_term_by_term()
    {
        Assert.Equal(new ExpectedCost(1_000_000, TimeSpan.FromMinutes(30), new Credits(500_000)), OfferPolicy.Balanced.Expect(Plain));
        Assert.Equal(500_000, OfferPolicy.Balanced.Expect(Plain with { SpeedPermille = 2000 }).TotalMicro);
        Assert.Equal(1_000_000 + 20_000, OfferPolicy.Balanced.Expect(Plain with { BytesToFetch = 1L << 30 }).TotalMicro);
        Assert.Equal(1_500_000, OfferPolicy.Balanced.Expect(Plain with { StartDelay = TimeSpan.FromMinutes(30) }).TotalMicro);
        Assert.Equal(2_000_000, OfferPolicy.Balanced.Expect(Plain with { TrustPermille = 500 }).TotalMicro);
    }

    [Fact]
    public void Policies_differ_in_what_time_is_worth()
    {
        OfferFacts slowAndCheap = Plain with { Price = new Price(400_000), SpeedPermille = 500 };
        OfferFacts quickAndDear = Plain with { Price = new Price(4_000_000), SpeedPermille = 2000 };
        Assert.True(Less(OfferPolicy.Cheapest, slowAndCheap, quickAndDear));
        Assert.True(Less(OfferPolicy.Fastest, quickAndDear, slowAndCheap));
        Assert.True(Less(OfferPolicy.Balanced, quickAndDear, slowAndCheap));
        Assert.True(Less(OfferPolicy.Cheapest, Plain, Plain with { StartDelay = TimeSpan.FromSeconds(1) }));

        static bool Less(OfferPolicy policy, OfferFacts a, OfferFacts b) => policy.Expect(a).CompareTo(policy.Expect(b)) < 0;
    }

    [Fact]
    public void Time_counts_in_a_free_swarm_too()
    {
        OfferFacts free = Plain with { Price = Price.Zero, Bid = Price.Zero };
        Assert.True(OfferPolicy.Fastest.Expect(free).CompareTo(OfferPolicy.Fastest.Expect(free with { StartDelay = TimeSpan.FromSeconds(1) })) < 0);
    }

    [Fact]
    public void No_facts_overflow()
    {
        var worst = new OfferFacts(Price.LimitMax, Price.LimitMax, TimeSpan.MaxValue, 0, long.MaxValue, TimeSpan.MaxValue, -1);
        foreach (OfferPolicy policy in OfferPolicy.All)
            Assert.True(policy.Expect(worst).TotalMicro > 0);
        var least = new OfferFacts(Price.Zero, Price.Zero, TimeSpan.MinValue, -5, -1, TimeSpan.MinValue, 5000);
        Assert.Equal(1, OfferPolicy.Balanced.Expect(least).TotalMicro);
    }

    [Fact]
    public void Policies_are_found_by_name()
    {
        Assert.Same(OfferPolicy.Fastest, OfferPolicy.Find("fastest"));
        Assert.Null(OfferPolicy.Find("Fastest"));
    }
}
