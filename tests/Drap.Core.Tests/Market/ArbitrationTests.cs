using Drap.Core.Execution;
using Drap.Core.Health;
using Drap.Core.Market;
using Drap.Core.Market.Arbitration;
using Xunit;

namespace Drap.Core.Tests.Market;

public sealed class ArbitrationTests
{
    [Fact]
    public void The_window_of_ads_agrees_with_a_set_that_forgets_nothing()
    {
        for (ulong seed = 1; seed <= 50; seed++)
        {
            var random = new Prng(seed);
            var window = new AdWindow();
            var seen = new HashSet<long>();
            long highest = -1;
            for (int i = 0; i < 3000; i++)
            {
                long sequence = random.Chance(1, 40) ? random.Between(-5, 200_000) : Math.Max(-3, highest + random.Between(-1100, 60));
                bool expected = sequence >= 0 && sequence > highest - AdWindow.Size && !seen.Contains(sequence);
                Assert.True(expected == window.TryAccept(sequence), $"seed {seed}, ad {sequence} after {highest}");
                if (!expected)
                    continue;
                seen.Add(sequence);
                highest = Math.Max(highest, sequence);
            }
        }
    }

    [Fact]
    public void Who_confirms_its_fair_share_among_many_is_not_seldom()
    {
        var fair = new FairWins();
        var never = new FairWins();
        for (int i = 0; i < 3200; i++)
        {
            fair.Observe(32, confirmed: i % 32 == 0);
            never.Observe(32, confirmed: false);
            Assert.False(fair.IsSeldom);
        }
        Assert.True(never.IsSeldom);
    }

    [Theory]
    [InlineData(10, 2, 14)]
    [InlineData(75, 4, 4)]
    [InlineData(76, 4, 0)]
    [InlineData(0, 3, 3 * Backlog.PerSlotMax)]
    public void A_line_lasts_about_75_ms_a_slot(int meanMs, int slots, int expected) =>
        Assert.Equal(expected, Backlog.For(TimeSpan.FromMilliseconds(meanMs), isMeasured: true, slots));

    [Fact]
    public void Nobodys_estimate_makes_a_line() => Assert.Equal(0, Backlog.For(TimeSpan.FromMilliseconds(1), isMeasured: false, 8));

    [Fact]
    public void Draws_are_even_and_differ_from_worker_to_worker()
    {
        var random = new Prng(3);
        int[] tenths = new int[10];
        PeerId a = Peer(1), b = Peer(2);
        int same = 0;
        for (int i = 0; i < 10_000; i++)
        {
            var ad = new AdId(random.NextUuid());
            int draw = Lottery.Permille(Lottery.Draw(a, ad));
            tenths[draw / 100]++;
            same += draw / 100 == Lottery.Permille(Lottery.Draw(b, ad)) / 100 ? 1 : 0;
        }
        Assert.All(tenths, count => Assert.InRange(count, 880, 1120));
        Assert.InRange(same, 850, 1150);
    }

    [Fact]
    public void A_round_trip_is_smoothed_and_a_silence_does_not_count_as_one()
    {
        var rtt = new SmoothedRtt();
        Assert.Equal(SmoothedRtt.Initial, rtt.Value);
        rtt.Observe(TimeSpan.FromMilliseconds(8));
        rtt.Observe(TimeSpan.FromMilliseconds(16));
        Assert.Equal(TimeSpan.FromMilliseconds(9), rtt.Value);
        rtt.Observe(TimeSpan.FromMilliseconds(-1));
        rtt.Observe(TimeSpan.FromHours(1));
        Assert.InRange(rtt.Value, TimeSpan.FromMilliseconds(9), TimeSpan.FromMilliseconds(260));
    }

    [Fact]
    public void A_groups_mean_and_median_are_of_its_last_sixteen_tasks()
    {
        var record = new GroupRecord();
        for (int i = 1; i <= 50; i++)
            record.Observe(TimeSpan.FromSeconds(i));
        Assert.Equal(TimeSpan.FromSeconds(42.5), record.Mean);
        Assert.Equal(TimeSpan.FromSeconds(43), record.Median);
    }

    [Fact]
    public void A_small_swarm_has_one_shard_that_all_hear()
    {
        var node = new NodeResources { MilliCpus = 4000, MemoryBytes = 1L << 30 };
        Assert.Equal(
            ["/drap/1.0.0/tasks/cpu/global/all", "/drap/1.0.0/tasks/cpu/local/all", "/drap/1.0.0/tasks/highmem/global/all", "/drap/1.0.0/tasks/highmem/local/all"],
            Audience.Heard(Peer(1), node, "local", workers: 20, isFull: false));
    }

    [Fact]
    public void In_a_large_swarm_each_rung_of_a_climb_reaches_about_four_times_as_many()
    {
        const int workers = 8192;
        var heardBy = new Dictionary<string, int>();
        var node = new NodeResources { MilliCpus = 8000 };
        for (int i = 0; i < workers; i++)
            foreach (string topic in Audience.Heard(Peer(i), node, "local", workers, isFull: false))
                heardBy[topic] = heardBy.GetValueOrDefault(topic) + 1;
        int[] reached = [.. Audience.Climb("cpu", ["local", "far"], workers, bits: 0xb5a3).Select(topic => heardBy.GetValueOrDefault(topic))];
        Assert.InRange(reached[0], 16, 72);
        for (int i = 1; i < reached.Length - 2; i++)
            Assert.InRange(reached[i], reached[i - 1] * 2, reached[i - 1] * 8);
        Assert.Equal([workers, 0, workers], reached[^3..]);
    }

    [Fact]
    public void A_larger_worker_hears_more_leaves_and_a_full_one_fewer()
    {
        var small = new NodeResources { MilliCpus = 8000 };
        var large = new NodeResources { MilliCpus = 128_000 };
        int few = Audience.Heard(Peer(1), small, "local", 100_000, isFull: false).Length;
        int many = Audience.Heard(Peer(1), large, "local", 100_000, isFull: false).Length;
        Assert.True(many > few + 30);
        Assert.Equal(few, Audience.Heard(Peer(1), large, "local", 100_000, isFull: true).Length);
    }

    private static PeerId Peer(int n)
    {
        byte[] key = new byte[32];
        BitConverter.TryWriteBytes(key, n);
        return PeerId.FromEd25519(key);
    }
}
