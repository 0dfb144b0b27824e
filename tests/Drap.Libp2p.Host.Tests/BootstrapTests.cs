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
        using var patience = new CancellationTokenSource(Hosts.Patience);
        for (int round = 0; round < 2; round++)
        {
            while (bootstrapper.Connected == 0)
                await Task.Delay(10, patience.Token);
            Assert.NotNull(host.Find(first.Self));
            // Who dials is done a little before who is dialed.
            while (first.Find(host.Self) is null)
                await Task.Delay(10, patience.Token);
            if (round == 0)
                await first.DisconnectAsync(host.Self);
            while (round == 0 && bootstrapper.Connected == 1)
                await Task.Delay(10, patience.Token);
        }
        Assert.Throws<ArgumentException>(() => new Bootstrapper(host, [Multiaddr.Parse("/ip4/127.0.0.1/tcp/1")]));
    }
}
