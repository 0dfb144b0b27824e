using Drap.Core.Market.Pricing;
using Xunit;

namespace Drap.Core.Tests.Market;

public class OverbookingTests
{
    [Fact]
    public void Who_has_seen_nothing_overbooks_nothing()
    {
        var overbooking = new Overbooking();
        Assert.Equal(0, overbooking.SoftOffers(100));
        overbooking.CheckInvariants();
    }

    [Fact]
    public void Soft_offers_grow_as_offers_lose()
    {
        var overbooking = new Overbooking();
        int last = 0;
        for (int round = 0; round < 5; round++)
        {
            for (int k = 0; k < 100; k++)
                overbooking.ObserveOffer(confirmed: false);
            int soft = overbooking.SoftOffers(1000);
            Assert.True(soft > last, $"{soft} after {last}");
            last = soft;
        }
        for (int k = 0; k < 1000; k++)
            overbooking.ObserveOffer(confirmed: false);
        for (int k = 0; k < 20_000; k++)
            overbooking.ObserveConfirmation(wasRefused: false);
        Assert.Equal(1000, overbooking.SharePermille);
        Assert.Equal(8000, overbooking.SoftOffers(1000));
    }

    [Fact]
    public void Above_two_percent_of_refusals_it_is_off_for_a_while_at_half_the_share()
    {
        var overbooking = new Overbooking();
        for (int k = 0; k < 2000; k++)
            overbooking.ObserveOffer(confirmed: k % 4 == 0);
        int share = overbooking.SharePermille;
        for (int k = 0; k < 250; k++)
            overbooking.ObserveConfirmation(wasRefused: k % 100 == 0);
        Assert.False(overbooking.IsOff);
        for (int k = 0; !overbooking.IsOff; k++)
            overbooking.ObserveConfirmation(wasRefused: k % 2 == 0);
        Assert.Equal(0, overbooking.SoftOffers(100));
        Assert.Equal(share / 2, overbooking.SharePermille);
        for (int k = 0; k < 63; k++)
            overbooking.ObserveConfirmation(wasRefused: false);
        Assert.True(overbooking.IsOff);
        overbooking.ObserveConfirmation(wasRefused: false);
        Assert.False(overbooking.IsOff);
        Assert.True(overbooking.SoftOffers(100) > 0);
        overbooking.CheckInvariants();
    }

    [Theory]
    [InlineData(100)]
    [InlineData(300)]
    [InlineData(700)]
    public void Refusals_stay_under_two_percent_over_time_and_more_is_sold(int winPermille)
    {
        // A worker with 32 places offers each round what is free and what it may overbook; each offer wins by chance.
        var random = new Prng((ulong)winPermille);
        var overbooking = new Overbooking();
        const int places = 32, rounds = 4000;
        int confirmed = 0, refused = 0;
        for (int round = 0; round < rounds; round++)
        {
            int offers = places + overbooking.SoftOffers(places), taken = 0;
            for (int k = 0; k < offers; k++)
            {
                bool won = random.Chance(winPermille, 1000);
                overbooking.ObserveOffer(won);
                if (!won)
                    continue;
                overbooking.ObserveConfirmation(taken >= places);
                refused += taken >= places ? 1 : 0;
                confirmed++;
                taken = Math.Min(taken + 1, places);
            }
        }
        overbooking.CheckInvariants();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"win rate {winPermille}: {refused * 1000.0 / confirmed:f1} permille refused, {(confirmed - refused) * 100.0 / rounds / places:f0} % sold");
        Assert.True(refused * 50 < confirmed, $"{refused} of {confirmed} refused");
        Assert.True(confirmed - refused > (long)rounds * places * winPermille / 1000 * 11 / 10);
    }

    [Fact]
    public void A_bid_rises_only_when_price_was_the_cause_and_nobody_further_away_is_left()
    {
        var random = new Prng(5);
        var ladder = new BidLadder(new Price(1000), new Price(2000), BidSteps.Default);
        var price = new BidEvidence(Offers: 0, Wanted: 4, PriceRefusals: 3, AudienceIsWidest: true, LeastAsk: new Price(1500));
        Assert.False(ladder.TryRaise(price with { AudienceIsWidest = false }, random));
        Assert.False(ladder.TryRaise(price with { PriceRefusals = 0 }, random));
        Assert.False(ladder.TryRaise(price with { Offers = 4 }, random));
        Assert.Equal(new Price(1000), ladder.Bid);
        Price last = ladder.Bid;
        while (ladder.TryRaise(price, random))
        {
            Assert.InRange(ladder.Bid.MicroPerHour, Math.Min(last.MicroPerHour * 105 / 100, 2000), last.MicroPerHour * 125 / 100 + 1);
            last = ladder.Bid;
        }
        Assert.Equal(ladder.Limit, ladder.Bid);
        Assert.InRange(ladder.Rises, 4, 15);
    }

    [Fact]
    public void A_bid_of_zero_rises_to_the_least_ask()
    {
        var ladder = new BidLadder(Price.Zero, new Price(2000), BidSteps.Default);
        Assert.True(ladder.TryRaise(new BidEvidence(0, 1, 1, true, new Price(700)), new Prng(1)));
        Assert.Equal(new Price(700), ladder.Bid);
    }
}
