using Drap.Libp2p.Host.PubSubs;
using Drap.Libp2p.Host.Time;
using Xunit;

namespace Drap.Libp2p.Host.Tests.PubSubs;

public sealed class GatheringTests
{
    private static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(2), Apart = TimeSpan.FromMicroseconds(100);

    [Fact]
    public void What_comes_alone_or_slowly_is_not_left()
    {
        using var time = new ManualTime();
        var clock = new HostClock(time);
        using var gathering = new Gathering(() => Assert.Fail("nothing was left"), time);
        // Sixteen of them take a little more than two milliseconds.
        for (int i = 0; i < 100; i++)
        {
            gathering.Add(clock.Now);
            Assert.False(gathering.TryLeave(clock.Now));
            time.Advance(TimeSpan.FromMicroseconds(134));
        }
    }

    [Fact]
    public void A_flood_is_left_and_written_when_the_time_is_up()
    {
        using var time = new ManualTime();
        var clock = new HostClock(time);
        int written = 0;
        Gathering gathering = null!;
        using var made = gathering = new Gathering(() =>
        {
            written++;
            gathering.Ended();
        }, time);
        var left = new List<bool>();
        for (int i = 0; i < 17; i++)
        {
            gathering.Add(clock.Now);
            left.Add(gathering.TryLeave(clock.Now));
            time.Advance(Apart);
        }
        Assert.Equal([.. Enumerable.Repeat(false, 15), true, true], left);
        Assert.Equal(0, written);
        time.Advance(Soon);
        Assert.Equal(1, written);
        // Nothing came meanwhile: what comes now comes alone.
        gathering.Add(clock.Now);
        Assert.False(gathering.TryLeave(clock.Now));
        time.Advance(Soon);
        Assert.Equal(1, written);
    }
}
