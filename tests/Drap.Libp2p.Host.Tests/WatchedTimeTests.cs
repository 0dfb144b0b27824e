using Drap.Libp2p.Host.Time;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Time that counts only while somebody watches it.</summary>
public sealed class WatchedTimeTests
{
    [Fact]
    public void A_standstill_counts_as_two_steps_at_most()
    {
        Instant now = Instant.Zero + TimeSpan.FromHours(1);
        var time = new WatchedTime(TimeSpan.FromMilliseconds(250), now);
        time.Look(now += TimeSpan.FromMilliseconds(260));
        Assert.Equal(TimeSpan.FromMilliseconds(260), time.Seen);
        time.Look(now += TimeSpan.FromMilliseconds(3));
        Assert.Equal(TimeSpan.FromMilliseconds(263), time.Seen);
        time.Look(now += TimeSpan.FromHours(3));
        Assert.Equal(TimeSpan.FromMilliseconds(763), time.Seen);
        time.Look(now);
        Assert.Equal(TimeSpan.FromMilliseconds(763), time.Seen);
    }
}
