using Drap.Node.Time;
using Xunit;

namespace Drap.Node.Tests.Time;

public sealed class BootClockTests
{
    private static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(60);

    [Fact]
    public void Now_is_the_machines_uptime()
    {
        double uptime = double.Parse(File.ReadAllText("/proc/uptime").Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        Instant now = BootClock.Now;
        Assert.InRange(now.Nanoseconds / 1e9, uptime - 0.02, uptime + 60);
        Assert.True(BootClock.Now >= now);
    }

    [Fact]
    public void A_wakeup_comes_once_and_never_early()
    {
        using var clock = new BootClock();
        using var calls = new SemaphoreSlim(0);
        Instant came = Instant.Zero;
        using Wakeup wakeup = clock.CreateWakeup(() =>
        {
            came = BootClock.Now;
            calls.Release();
        });
        Instant at = BootClock.Now + TimeSpan.FromMilliseconds(20);
        wakeup.Arm(at);
        Assert.True(calls.Wait(WaitMax, TestContext.Current.CancellationToken));
        Assert.True(came >= at);
        Assert.False(calls.Wait(TimeSpan.FromMilliseconds(30), TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Deadlines_move_both_ways_and_past_ones_fire_at_once()
    {
        using var clock = new BootClock();
        using var first = new SemaphoreSlim(0);
        using var second = new SemaphoreSlim(0);
        using Wakeup a = clock.CreateWakeup(() => first.Release());
        using Wakeup b = clock.CreateWakeup(() => second.Release());
        Instant start = BootClock.Now;
        a.Arm(start + TimeSpan.FromHours(1));
        a.Arm(start + TimeSpan.FromMilliseconds(5));
        b.Arm(start + TimeSpan.FromMilliseconds(5));
        b.Arm(start + TimeSpan.FromHours(1));
        Assert.True(first.Wait(WaitMax, TestContext.Current.CancellationToken));
        Assert.False(second.Wait(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken));
        b.Arm(Instant.Zero);
        Assert.True(second.Wait(WaitMax, TestContext.Current.CancellationToken));
        a.Arm(BootClock.Now + TimeSpan.FromMilliseconds(5));
        a.Arm(Instant.Never);
        Assert.False(first.Wait(TimeSpan.FromMilliseconds(20), TestContext.Current.CancellationToken));
    }
}
