using Drap.Libp2p.Bootstrap;
using Xunit;

namespace Drap.Libp2p.Tests.Bootstrap;

public sealed class BootstrapPlanTests
{
    private static readonly Instant Start = Instant.Zero + TimeSpan.FromHours(1);

    private static PeerId Peer(int number)
    {
        byte[] key = new byte[32];
        BitConverter.TryWriteBytes(key, number);
        return PeerId.FromEd25519(key);
    }

    private static List<PeerId> Due(BootstrapPlan plan, Instant now)
    {
        var due = new List<PeerId>();
        while (plan.TryNext(now, out PeerId peer))
            due.Add(peer);
        return due;
    }

    [Fact]
    public void A_few_are_kept_connected_and_others_take_the_place_of_those_that_fail()
    {
        var plan = new BootstrapPlan(Enumerable.Range(1, 5).Select(Peer), 3, new Prng(1), Start);
        Assert.Equal([Peer(1), Peer(2), Peer(3)], Due(plan, Start));
        Assert.Equal(Instant.Never, plan.NextDeadline);
        plan.Met(Peer(1));
        plan.Met(Peer(9)); // nobody of the list
        plan.Failed(Peer(2), Start);
        Assert.Equal([Peer(4)], Due(plan, Start));
        plan.Failed(Peer(3), Start);
        plan.Failed(Peer(4), Start);
        Assert.Equal([Peer(5)], Due(plan, Start));
        plan.Met(Peer(5));
        Assert.Equal(2, plan.Connected);

        // The third place is filled when one may be tried again.
        Assert.True(plan.NextDeadline >= Start + TimeSpan.FromMilliseconds(500) && plan.NextDeadline <= Start + TimeSpan.FromSeconds(1));
        PeerId again = Assert.Single(Due(plan, plan.NextDeadline));
        plan.Met(again);
        Assert.Equal(Instant.Never, plan.NextDeadline);

        // Who is lost is dialed again soon, but not at once by everybody.
        plan.Lost(Peer(1), Start + TimeSpan.FromHours(1));
        Assert.NotEmpty(Due(plan, Start + TimeSpan.FromHours(1))); // one of those that failed an hour ago
    }

    [Fact]
    public void Who_fails_is_left_alone_for_longer_and_longer_until_the_network_is_another()
    {
        var plan = new BootstrapPlan([Peer(1)], 3, new Prng(2), Start);
        Instant now = Start;
        int dials = 0;
        while (now < Start + TimeSpan.FromHours(1))
        {
            Assert.Equal([Peer(1)], Due(plan, now));
            dials++;
            plan.Failed(Peer(1), now);
            now = plan.NextDeadline;
        }
        Assert.InRange(dials, 60, 140);
        plan.Renew(now - TimeSpan.FromSeconds(20));
        Assert.Equal(now - TimeSpan.FromSeconds(20), plan.NextDeadline);
    }

    [Fact]
    public void A_long_list_is_cut()
    {
        var plan = new BootstrapPlan(Enumerable.Range(1, 1000).Concat([1, 2]).Select(Peer), 1000, new Prng(1), Start);
        Assert.Equal(BootstrapPlan.PeersMax, Due(plan, Start).Count);
        Assert.Equal(Instant.Never, new BootstrapPlan([], 3, new Prng(1), Start).NextDeadline);
    }
}
