using System.Collections.Immutable;
using Xunit;

namespace Drap.Core.Tests.Money;

public class MoneyTests
{
    private static readonly UtcTime Start = new(1_700_000_000_000);
    private static readonly JobId Job = new(Guid.Parse("00000000-0000-4000-8000-000000000001"));

    private static AttemptId Attempt(int number, int attempt = 1, JobId? job = null) =>
        new(new TaskId(job ?? Job, number), new Fence(new Epoch(5), attempt));

    private static PeerId Node(byte number) => PeerId.FromEd25519([.. Enumerable.Repeat(number, 32)]);

    [Fact]
    public void Billed_time_is_the_lesser_clock_and_a_round_trip_and_costs_something_unless_it_is_free()
    {
        TimeSpan second = TimeSpan.FromSeconds(1), trip = TimeSpan.FromMilliseconds(20);
        Assert.Equal(TimeSpan.FromMilliseconds(1020), Billing.BilledTime(second, 2 * second, trip));
        Assert.Equal(TimeSpan.FromMilliseconds(1020), Billing.BilledTime(2 * second, second, trip));
        Assert.Equal(trip, Billing.BilledTime(-second, second, trip));
        Assert.Equal(TimeSpan.MaxValue, Billing.BilledTime(TimeSpan.MaxValue, TimeSpan.MaxValue, trip));
        Assert.Equal(new Credits(1), Billing.Amount(new Price(1), trip));
        Assert.Equal(new Credits(2), Billing.Amount(new Price(3600), second + trip));
        Assert.Equal(Credits.Zero, Billing.Amount(Price.Zero, second));
    }

    [Theory]
    [InlineData("12.5", 12_500_000)]
    [InlineData("1000000", 1_000_000_000_000)]
    [InlineData("1000000.000001", -1)]
    [InlineData("79228162514264337593543950335", -1)]
    [InlineData("0.0000001", -1)]
    [InlineData("-1", -1)]
    [InlineData("1e3", -1)]
    [InlineData("", -1)]
    public void An_amount_is_read_exactly_or_refused(string text, long micro)
    {
        Assert.Equal(micro >= 0, Credits.TryParse(text, out Credits credits));
        Assert.Equal(new Credits(Math.Max(micro, 0)), credits);
    }

    [Fact]
    public void A_line_refills_by_steps_up_to_its_cap()
    {
        var terms = new CreditTerms { DailyAllowance = new Credits(2400), Cap = new Credits(1000) };
        var line = new CreditLine(terms, Start);
        Assert.True(line.TryReserve(Attempt(1), new Credits(1000)));
        Assert.True(line.IsSpent);
        Assert.True(line.Settle(Attempt(1), new Credits(900)));
        line.Refill(Start + TimeSpan.FromMinutes(59));
        Assert.Equal(new Credits(100), line.Balance);
        line.Refill(Start + TimeSpan.FromMinutes(61));
        Assert.Equal(new Credits(200), line.Balance);
        line.Refill(Start + TimeSpan.FromMinutes(120));
        Assert.Equal(new Credits(300), line.Balance);
        line.Refill(Start + TimeSpan.FromDays(3));
        Assert.Equal(new Credits(1000), line.Balance);
        line.CheckInvariants();
    }

    [Fact]
    public void Many_small_refills_pay_what_one_large_one_does()
    {
        var terms = new CreditTerms { DailyAllowance = new Credits(86_399), Cap = new Credits(1_000_000), RefillEvery = TimeSpan.Zero };
        CreditLine slow = Spent(terms), fast = Spent(terms);
        for (int k = 1; k <= 5000; k++)
            fast.Refill(Start + TimeSpan.FromMilliseconds(777 * k));
        slow.Refill(Start + TimeSpan.FromMilliseconds(777 * 5000));
        Assert.Equal(slow.Balance, fast.Balance);
        Assert.Equal(new Credits(3884), fast.Balance);

        static CreditLine Spent(CreditTerms terms)
        {
            var line = new CreditLine(terms, Start);
            line.TryReserve(Attempt(1), line.Available);
            line.Settle(Attempt(1), line.Balance);
            return line;
        }
    }

    [Fact]
    public void A_clock_set_back_pays_nothing()
    {
        var line = new CreditLine(new CreditTerms { RefillEvery = TimeSpan.Zero }, Start);
        line.TryReserve(Attempt(1), line.Available);
        line.Settle(Attempt(1), line.Balance);
        line.Refill(Start + TimeSpan.FromDays(-5));
        Assert.Equal(Credits.Zero, line.Balance);
        line.Refill(Start + TimeSpan.FromDays(-4.5));
        Assert.Equal(new Credits(50 * Credits.MicroPerCredit), line.Balance);
    }

    [Fact]
    public void Reservations_hold_until_they_are_settled_and_settle_once()
    {
        var line = new CreditLine(new CreditTerms { Cap = new Credits(100) }, Start);
        Assert.True(line.TryReserve(Attempt(1), new Credits(60)));
        Assert.True(line.TryReserve(Attempt(1), new Credits(60)));
        Assert.False(line.TryReserve(Attempt(2), new Credits(41)));
        Assert.True(line.TryReserve(Attempt(2), new Credits(40)));
        Assert.True(line.Settle(Attempt(1), new Credits(130)));
        Assert.False(line.Settle(Attempt(1), new Credits(130)));
        Assert.Equal((new Credits(-30), new Credits(40)), (line.Balance, line.Reserved));
        Assert.True(line.Release(Attempt(2)));
        Assert.True(line.IsSpent);
        line.CheckInvariants();
    }

    [Fact]
    public void Each_principal_has_its_own_line_and_may_have_its_own_terms()
    {
        var lines = new CreditLines(new CreditTerms { Cap = new Credits(10) });
        var usual = new CreditTerms { Cap = new Credits(10) };
        var own = ImmutableSortedDictionary<Principal, CreditTerms>.Empty.Add(Principal.Local, CreditTerms.Unlimited);
        lines.Change(usual, own);
        Assert.Equal(new Credits(10), lines.Of(new Principal("b"), Start)!.Available);
        Assert.Equal(Credits.LimitMax, lines.Of(Principal.Local, Start)!.Available);
        lines.Change(usual, own.Add(new Principal("b"), new CreditTerms { Cap = new Credits(3) }));
        Assert.Equal(new Credits(3), lines.Of(new Principal("b"), Start)!.Available);
        Assert.Equal(["b", "local"], lines.All.Select(entry => entry.Key.Name));
    }

    [Fact]
    public void What_was_never_set_aside_is_charged_too()
    {
        var line = new CreditLine(new CreditTerms { Cap = new Credits(100) }, Start);
        Assert.True(line.TryReserve(Attempt(1), new Credits(60)));
        Assert.False(line.TryReserve(Attempt(2), new Credits(50)));
        line.Charge(Attempt(2), new Credits(50));
        line.Charge(Attempt(1), new Credits(10));
        Assert.Equal((new Credits(40), Credits.Zero), (line.Balance, line.Reserved));
        line.CheckInvariants();
    }

    [Fact]
    public void A_budget_is_never_exceeded_whatever_happens()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            var random = new Prng(seed);
            var budget = new JobBudget(new Credits(random.Between(0, 5000)));
            long paid = 0;
            for (int step = 0; step < 200; step++)
            {
                AttemptId attempt = Attempt(1 + random.Below(10));
                Credits amount = new(random.Between(0, 800));
                switch (random.Below(3))
                {
                    case 0: budget.TryReserve(attempt, amount); break;
                    case 1: budget.TryExtend(attempt, amount); break;
                    default: paid += budget.Settle(attempt, amount)?.Paid.Micro ?? 0; break;
                }
                budget.CheckInvariants();
                Assert.True(budget.Spent.Micro == paid, $"seed {seed}, step {step}");
            }
        }
    }

    [Fact]
    public void What_the_budget_does_not_cover_is_told()
    {
        var budget = new JobBudget(new Credits(100));
        Assert.True(budget.TryReserve(Attempt(1), new Credits(60)));
        Assert.False(budget.TryReserve(Attempt(1), new Credits(1)));
        Assert.True(budget.TryReserve(Attempt(2), new Credits(30)));
        Assert.Equal(new Settlement(new Credits(70), new Credits(10)), budget.Settle(Attempt(1), new Credits(80)));
        Assert.Null(budget.Settle(Attempt(1), new Credits(80)));
        Assert.False(budget.TryChange(new Credits(99)));
        Assert.True(budget.TryChange(new Credits(200)));
        Assert.Equal(new Credits(100), budget.Available);
    }
}
