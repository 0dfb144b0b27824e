using Drap.Libp2p.Relay;
using Xunit;

namespace Drap.Libp2p.Tests.Relay;

public sealed class ReachabilityTests
{
    private static readonly PeerId a = Peer(1), b = Peer(2);

    private readonly Reachability reach = new(TimeSpan.FromSeconds(20));
    private Instant now = Instant.Zero + TimeSpan.FromSeconds(100);

    [Fact]
    public void Nothing_is_known_at_first_and_own_addresses_prove_nothing()
    {
        reach.Seen(a, isOwn: true, now);
        After(1000);
        Assert.Null(reach.IsReachable);
        Assert.Equal(Instant.Never, reach.NextDeadline);
    }

    [Fact]
    public void Who_is_seen_elsewhere_and_dialed_by_nobody_is_unreachable_after_a_while()
    {
        reach.Seen(a, isOwn: false, now);
        Assert.Equal(now + TimeSpan.FromSeconds(20), reach.NextDeadline);
        After(19.999);
        Assert.Null(reach.IsReachable);
        After(0.001);
        Assert.False(reach.IsReachable);
        Assert.Equal(Instant.Never, reach.NextDeadline);
    }

    [Fact]
    public void The_time_counts_from_the_first_of_those_who_are_still_there()
    {
        reach.Seen(a, isOwn: false, now);
        After(10);
        reach.Seen(b, isOwn: false, now);
        reach.Gone(a);
        After(10);
        Assert.False(reach.IsReachable);
    }

    [Fact]
    public void When_all_who_saw_it_have_gone_or_see_it_at_home_it_begins_anew()
    {
        reach.Seen(a, isOwn: false, now);
        After(15);
        reach.Gone(a);
        After(15);
        Assert.Null(reach.IsReachable);
        reach.Seen(b, isOwn: false, now);
        After(15);
        reach.Seen(b, isOwn: true, now);
        After(15);
        Assert.Null(reach.IsReachable);
    }

    [Fact]
    public void Who_is_dialed_is_reachable_before_and_after()
    {
        reach.Seen(a, isOwn: false, now);
        reach.Dialed();
        After(100);
        Assert.True(reach.IsReachable);
        reach.Moved(now);
        Assert.Null(reach.IsReachable);
        After(20);
        Assert.False(reach.IsReachable);
        reach.Dialed();
        Assert.True(reach.IsReachable);
    }

    [Fact]
    public void It_remembers_only_so_many_views()
    {
        for (int i = 0; i < Reachability.ViewsMax; i++)
            reach.Seen(Peer((byte)i), isOwn: false, now);
        reach.Seen(Peer(255), isOwn: false, now);
        for (int i = 0; i < Reachability.ViewsMax; i++)
            reach.Gone(Peer((byte)i));
        After(100);
        Assert.Null(reach.IsReachable);
    }

    private static PeerId Peer(byte number)
    {
        Assert.True(PeerId.TryFromBytes([0x00, 0x24, 0x08, 0x01, 0x12, 0x20, .. Enumerable.Repeat(number, 32)], out PeerId peer));
        return peer;
    }

    private void After(double seconds)
    {
        now += TimeSpan.FromSeconds(seconds);
        reach.Advance(now);
    }
}
