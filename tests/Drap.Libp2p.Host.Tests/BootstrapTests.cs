using Drap.Libp2p.Host.Bootstrap;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

public sealed class BootstrapTests
{
    [Fact]
    public async Task A_host_finds_its_list_and_back_to_it()
    {
        await using Libp2pHost first = await Hosts.StartAsync(301);
        Multiaddr[] named = [first.ListenAddresses[0].WithPeer(first.Self), Multiaddr.Parse($"/ip4/127.0.0.1/tcp/1/p2p/{Hosts.Key(999).PeerId}")];
        await using Libp2pHost host = await Hosts.StartAsync(302);
        await using var bootstrapper = new Bootstrapper(host, named);
        for (int round = 0; round < 2; round++)
        {
            await Hosts.Until(() => bootstrapper.Connected == 1, "the one that is there is connected");
            Assert.NotNull(host.Find(first.Self));
            // Who dials is done a little before who is dialed.
            await Hosts.Until(() => first.Find(host.Self) is not null, "the dialed has its connection");
            if (round > 0)
                break;
            await first.DisconnectAsync(host.Self);
            await Hosts.Until(() => bootstrapper.Connected == 0, "the end is seen");
        }
        Assert.Throws<ArgumentException>(() => new Bootstrapper(host, [Multiaddr.Parse("/ip4/127.0.0.1/tcp/1")]));
    }
}
