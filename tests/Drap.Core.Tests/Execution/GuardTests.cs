using Drap.Core.Execution;
using Xunit;

namespace Drap.Core.Tests.Execution;

public sealed class GuardTests
{
    private static readonly PeerId scheduler = PeerId.FromPublicKey(new byte[32]);

    [Fact]
    public void Only_what_stops_with_its_lease_is_due_by_it()
    {
        var stops = new GuardTerms(scheduler, StopsAtLeaseEnd: true, At(30), TimeSpan.FromSeconds(100));
        Assert.Equal(At(30) + GuardTerms.Patience, stops.DueAt(At(1), Instant.Zero));
        Assert.Equal(At(50) + GuardTerms.Patience, stops.DueAt(At(1), At(50)));
        // A renewal from before its lease takes nothing away, and none makes it run longer than it may.
        Assert.Equal(At(30) + GuardTerms.Patience, stops.DueAt(At(1), At(20)));
        Assert.Equal(At(101) + GuardTerms.Patience, stops.DueAt(At(1), At(500)));
        var finishes = stops with { StopsAtLeaseEnd = false };
        Assert.Equal(At(101) + GuardTerms.Patience, finishes.DueAt(At(1), At(50)));
    }

    [Fact]
    public void It_ends_what_is_due_tries_again_more_slowly_and_goes_when_nothing_is_left()
    {
        var watch = new GuardWatch(2);
        GuardedPlace[] places = [new(7, At(10)), default];
        Assert.Empty(Look(watch, places, 1, true, At(9)));
        Assert.Equal(At(10), watch.NextLook);
        Assert.Equal([new GuardOrder(0, 7, true)], Look(watch, places, 1, true, At(10)));
        // It hangs: again soon, then each second.
        var gaps = new List<TimeSpan>();
        for (Instant now = At(10); gaps.Count < 12; now = watch.NextLook)
        {
            Look(watch, places, 1, true, now);
            gaps.Add(watch.NextLook - now);
        }
        Assert.Equal(TimeSpan.FromMilliseconds(10), gaps[0]);
        Assert.Equal(GuardWatch.LookInterval, gaps[^1]);
        watch.Gone(0, 7);
        Assert.Empty(Look(watch, places, 1, true, At(100)));
        Assert.Equal(Instant.Never, watch.NextLook);
        Assert.False(watch.IsOver);
        Look(watch, places, 1, false, At(101));
        Assert.True(watch.IsOver);
    }

    [Fact]
    public void Without_its_node_it_looks_each_second_whether_anything_is_left()
    {
        var watch = new GuardWatch(1);
        GuardedPlace[] places = [new(3, At(100))];
        Assert.Equal([new GuardOrder(0, 3, false)], Look(watch, places, 1, false, At(5)));
        Assert.False(watch.IsOver);
        Assert.Equal(At(6), watch.NextLook);
        Assert.Empty(Look(watch, places, 1, false, At(5.5)));
        Assert.Equal([new GuardOrder(0, 3, false)], Look(watch, places, 1, false, At(6)));
        watch.Gone(0, 3);
        watch.Settle(places, nodeIsThere: false);
        Assert.True(watch.IsOver);
    }

    /// <summary>A node that starts, renews and ends at random beside a guard that looks when it said it would: none outlives its time by more than a look.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Nothing_outlives_its_time_unseen_and_nothing_is_ended_before(ulong seed)
    {
        var random = new Prng(seed);
        var watch = new GuardWatch(8);
        var places = new GuardedPlace[8];
        var orders = new List<GuardOrder>();
        long serial = 0;
        Instant now = At(1);
        for (int step = 0; step < 20_000; step++)
        {
            int place = random.Below(8);
            switch (random.Below(3))
            {
                case 0 when places[place].Serial == 0:
                    places[place] = new GuardedPlace(++serial, now + Drap.Core.Leases.LeaseTable.ShortestLease + TimeSpan.FromMilliseconds(random.Below(5_000)));
                    // Whoever starts something while it sleeps long wakes it.
                    if (watch.NextLook > now + GuardWatch.LookInterval)
                        LookNow();
                    break;
                case 1 when places[place].Serial != 0:
                    places[place] = places[place] with { DueAt = places[place].DueAt + TimeSpan.FromMilliseconds(random.Below(2_000)) };
                    break;
                case 2:
                    places[place] = default;
                    break;
            }
            Instant until = now + TimeSpan.FromMilliseconds(random.Below(300));
            while (watch.NextLook <= until)
            {
                now = Instant.Max(now, watch.NextLook);
                LookNow();
            }
            now = until;
            foreach (GuardedPlace left in places)
                Assert.True(left.Serial == 0 || left.DueAt > now, $"seed {seed}, step {step}: {left} at {now}");
        }

        void LookNow()
        {
            orders.Clear();
            watch.Look(places, serial, nodeIsThere: true, now, orders);
            foreach (GuardOrder order in orders)
            {
                Assert.True(order.Kill && places[order.Place].Serial == order.Serial && places[order.Place].DueAt <= now, $"seed {seed}: {order} at {now}");
                watch.Gone(order.Place, order.Serial);
                places[order.Place] = default;
            }
        }
    }

    private static List<GuardOrder> Look(GuardWatch watch, GuardedPlace[] places, long starts, bool nodeIsThere, Instant now)
    {
        var orders = new List<GuardOrder>();
        watch.Look(places, starts, nodeIsThere, now, orders);
        return orders;
    }

    private static Instant At(double seconds) => Instant.Zero + TimeSpan.FromSeconds(seconds);
}
