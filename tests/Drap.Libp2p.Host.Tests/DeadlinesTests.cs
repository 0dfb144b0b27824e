using Drap.Libp2p.Host.Time;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>The one timer, by a clock that is moved by hand, against a list that is looked through.</summary>
public sealed class DeadlinesTests(ITestOutputHelper output)
{
    [Fact]
    public void None_fires_early_and_none_later_than_a_tick()
    {
        const int Seed = 21;
        output.WriteLine($"seed {Seed}");
        var random = new Prng(Seed);
        using var time = new ManualTime();
        var clock = new HostClock(time);
        using var deadlines = new Deadlines(clock);
        var model = new Dictionary<int, Instant>();
        var fired = new List<int>();
        CallAt[] all = new CallAt[200];
        for (int i = 0; i < all.Length; i++)
        {
            int me = i;
            all[i] = new CallAt(() => fired.Add(me));
        }
        for (int step = 0; step < 20_000; step++)
        {
            int which = random.Below(all.Length);
            switch (random.Below(4))
            {
                case 0:
                    deadlines.Clear(all[which]);
                    model.Remove(which);
                    break;
                case 1 or 2:
                    // Up to two turns of the wheel.
                    Instant at = clock.Now + TimeSpan.FromMilliseconds(random.Below(random.Chance(1, 4) ? 70_000 : 500));
                    deadlines.Set(all[which], at);
                    model[which] = at;
                    break;
                default:
                    time.Advance(TimeSpan.FromMilliseconds(random.Below(random.Chance(1, 50) ? 40_000 : 60)));
                    break;
            }
            foreach (int due in fired)
            {
                Assert.True(model.Remove(due, out Instant at));
                Assert.True(at <= clock.Now);
            }
            fired.Clear();
            Assert.All(model.Values, at => Assert.True(at + Deadlines.Tick + TimeSpan.FromMilliseconds(2) > clock.Now));
            Assert.Equal(model.Count, deadlines.Count);
        }
        Assert.InRange(time.Wakes, 100, 20_000);
    }
}
