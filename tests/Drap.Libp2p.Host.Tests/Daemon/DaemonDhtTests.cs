using System.Security.Cryptography;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Host.Tests.Daemon;

/// <summary>The DHT through a daemon.</summary>
public sealed class DaemonDhtTests
{
    private static readonly TimeSpan limit = TimeSpan.FromSeconds(60);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Peers_values_and_providers_are_found()
    {
        await using DaemonPair pair = await StartAsync();
        DaemonPeer there = await pair.ClientA.FindPeerAsync(pair.HostB.Self, Cancel);
        Assert.Equal(pair.HostB.Self, there.Id);
        Assert.Equal(pair.HostB.ListenAddresses, there.ReadAddresses());

        await pair.ClientA.PutValueAsync("/any/key"u8.ToArray(), [1, 2, 3], Cancel);
        Assert.Equal([1, 2, 3], await pair.ClientB.GetValueAsync("/any/key"u8.ToArray(), Cancel));
        Assert.Equal([[1, 2, 3]], await ListAsync(pair.ClientB.SearchValueAsync("/any/key"u8.ToArray(), Cancel)));

        Assert.True(ContentId.TryParse("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy", out ContentId? cid));
        await pair.ClientA.ProvideAsync(cid, Cancel);
        Assert.Equal([pair.HostA.Self], (await ListAsync(pair.ClientB.FindProvidersAsync(cid, 1, Cancel))).Select(provider => provider.Id));
        Assert.Equal([pair.HostA.Self], await ListAsync(pair.ClientB.GetClosestPeersAsync([1, 2, 3], Cancel)));
    }

    [Fact]
    public async Task Keys_are_in_names_at_connections_or_in_the_DHT()
    {
        await using DaemonPair pair = await StartAsync();
        Assert.Equal(Hosts.Key(2).PublicKey.Encoded.ToArray(), await pair.ClientA.GetPublicKeyAsync(pair.HostB.Self, Cancel));
        using var rsa = RSA.Create(2048);
        using var key = PrivateKey.FromRsa(rsa);
        Assert.Contains("no value", (await Assert.ThrowsAsync<DaemonException>(() => pair.ClientA.GetPublicKeyAsync(key.PeerId, Cancel))).Message, StringComparison.Ordinal);
        await pair.ClientB.PutValueAsync([.. "/pk/"u8, .. key.PeerId.Bytes], key.PublicKey.Encoded.ToArray(), Cancel);
        Assert.Equal(key.PublicKey.Encoded.ToArray(), await pair.ClientA.GetPublicKeyAsync(key.PeerId, Cancel));
        // What the namespace's validator refuses is refused here, too.
        await Assert.ThrowsAsync<DaemonException>(() => pair.ClientB.PutValueAsync([.. "/pk/"u8, .. key.PeerId.Bytes], [1], Cancel));

        await using Libp2pHost other = await Libp2pHost.StartAsync(new HostOptions { Key = key });
        await other.ConnectAsync(pair.HostA);
        Assert.Equal(key.PublicKey.Encoded.ToArray(), await pair.ClientA.GetPublicKeyAsync(key.PeerId, Cancel));
    }

    [Fact]
    public async Task What_is_not_there_is_said_or_is_an_empty_row_and_the_connection_goes_on()
    {
        await using DaemonPair pair = await StartAsync();
        using var client = new RawDaemonClient(pair.A);
        async Task<string> RefusedAsync(DaemonRequest request)
        {
            await client.SendAsync(request);
            return (await client.ReadAsync()).Error!;
        }
        Assert.Contains("nobody who was asked knows", await RefusedAsync(new DaemonRequest.FindPeer(Hosts.Key(99).PeerId, limit)), StringComparison.Ordinal);
        Assert.Contains("no value", await RefusedAsync(new DaemonRequest.GetValue("/any/other"u8.ToArray(), limit)), StringComparison.Ordinal);
        Assert.Contains("no value", await RefusedAsync(new DaemonRequest.SearchValue("/any/other"u8.ToArray(), limit)), StringComparison.Ordinal);
        Assert.Contains("CID", await RefusedAsync(new DaemonRequest.Provide([1, 2, 3], limit)), StringComparison.Ordinal);
        Assert.Contains("CID", await RefusedAsync(new DaemonRequest.FindProviders([1, 2, 3], 1, limit)), StringComparison.Ordinal);
        Assert.True(ContentId.TryParse("QmVzw6MPsF96TyXBSRs1ptLoVMWRv5FCYJZZGJSVB2Hp39", out ContentId? cid));
        for (int i = 0; i < 2; i++)
        {
            await client.SendAsync(new DaemonRequest.FindProviders(cid.Bytes.ToArray(), 1, limit));
            Assert.IsType<DhtAnswer.Begin>((await client.ReadAsync()).Dht);
            Assert.True(DhtAnswer.TryDecode(await client.ReadFrameAsync(), out DhtAnswer? end));
            Assert.IsType<DhtAnswer.End>(end);
        }
    }

    // Each in the other's routing table, which takes until identify has told that both speak the protocol.
    private static async Task<DaemonPair> StartAsync()
    {
        DaemonPair pair = await DaemonPair.StartAsync(unix: true, hasServices: true);
        long end = Environment.TickCount64 + (long)Hosts.Patience.TotalMilliseconds;
        while (pair.DhtA!.TableCount + pair.DhtB!.TableCount < 2)
        {
            Assert.True(Environment.TickCount64 < end, "the two never came into each other's tables");
            await Task.Delay(10, Cancel);
        }
        return pair;
    }

    private static async Task<List<T>> ListAsync<T>(IAsyncEnumerable<T> row)
    {
        var all = new List<T>();
        await foreach (T item in row)
            all.Add(item);
        return all;
    }
}
