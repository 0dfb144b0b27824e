using System.Net.Sockets;
using Drap.Libp2p.Dialing;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Tests.Dialing;

public sealed class DialPlanTests
{
    private static readonly Instant Start = Instant.Zero + TimeSpan.FromSeconds(1);

    [Fact]
    public void Families_take_turns_a_quarter_of_a_second_apart()
    {
        var plan = Plan("6a", "6b", "6c", "4a", "4b");
        Assert.Equal("6a", Next(plan, 0));
        Assert.Equal(Start + TimeSpan.FromMilliseconds(250), plan.NextDeadline);
        Assert.Null(Next(plan, 249));
        Assert.Equal("4a", Next(plan, 250));
        Assert.Equal("6b", Next(plan, 500));
        Assert.Equal("4b", Next(plan, 760));
        Assert.Null(Next(plan, 1000));
        Assert.Equal("6c", Next(plan, 1010));
        Assert.Equal(Instant.Never, plan.NextDeadline);
        Assert.False(plan.IsExhausted);
    }

    /// <summary>A relay that is quick to answer must not come before a direct way that is tried second.</summary>
    [Theory]
    [InlineData("4a 4b r1 r2", "4a 4b r1 r2")]
    [InlineData("6a 4a 4b r1", "6a 4a 4b r1")]
    [InlineData("r1 4a 6a 4b r2", "4a 6a 4b r1 r2")]
    [InlineData("r1", "r1")]
    public void Relays_come_after_every_direct_way(string given, string tried)
    {
        var plan = Plan(given.Split(' '));
        Assert.Equal(tried.Split(' '), Enumerable.Range(0, given.Split(' ').Length).Select(i => Next(plan, 250 * i)));
    }

    [Fact]
    public void A_failure_lets_the_next_begin_at_once()
    {
        var plan = Plan("4a", "4b");
        Assert.Equal("4a", Next(plan, 0));
        plan.Failed(Start + TimeSpan.FromMilliseconds(10));
        Assert.Equal("4b", Next(plan, 10));
        plan.Failed(Start);
        Assert.True(plan.IsExhausted);
        Assert.True(Plan().IsExhausted);
    }

    [Fact]
    public void An_address_that_fails_is_left_alone_ever_longer_until_it_leads_there()
    {
        var backoff = new DialBackoff();
        PeerId peer = PeerId.FromEd25519(new byte[32]);
        Multiaddr address = Multiaddr.Parse("/ip4/192.0.2.1/tcp/1");
        Instant now = Start;
        foreach (int seconds in new[] { 5, 10, 20, 40, 80, 160, 300, 300 })
        {
            backoff.Failed(peer, address, now);
            Assert.True(backoff.IsOff(peer, address, now + TimeSpan.FromSeconds(seconds - 0.001)));
            now += TimeSpan.FromSeconds(seconds);
            Assert.False(backoff.IsOff(peer, address, now));
        }
        backoff.Succeeded(peer, address);
        backoff.Failed(peer, address, now);
        Assert.False(backoff.IsOff(peer, address, now + TimeSpan.FromSeconds(5)));
        for (int i = 0; i < DialBackoff.AddressesMax; i++)
            backoff.Failed(peer, Multiaddr.Parse($"/ip4/10.0.{i / 256}.{i % 256}/tcp/1"), now);
        Assert.False(backoff.IsOff(peer, address, now));
    }

    private static DialPlan<string> Plan(params string[] addresses) =>
        new(addresses, a => a[0] switch { '6' => AddressFamily.InterNetworkV6, '4' => AddressFamily.InterNetwork, _ => AddressFamily.Unspecified }, Start);

    private static string? Next(DialPlan<string> plan, int milliseconds) =>
        plan.TryStart(Start + TimeSpan.FromMilliseconds(milliseconds), out string? address) ? address : null;
}
