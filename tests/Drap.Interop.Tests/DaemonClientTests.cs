using System.Security.Cryptography;
using System.Text;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>Drap's client of the control protocol against js-libp2p's daemon.</summary>
public sealed class DaemonClientTests(JsPackages packages)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_nodes_of_js_are_connected_and_carry_streams()
    {
        packages.Require();
        await using JsDaemon a = await JsDaemon.StartAsync([]), b = await JsDaemon.StartAsync([]);
        await using DaemonClient ofA = new(a.Control), ofB = new(b.Control);
        DaemonPeer there = await ofB.IdentifyAsync(Cancel);
        Assert.Equal(b.Id, there.Id);
        Assert.Empty(await ofA.ListPeersAsync(Cancel));
        await ofA.ConnectAsync(there.Id, there.ReadAddresses(), Cancel);
        Assert.Equal(b.Id, Assert.Single(await ofA.ListPeersAsync(Cancel)).Id);

        // js-libp2p's daemon takes a half-close for the end of both: whoever reads has to know how much comes.
        byte[] data = [.. Enumerable.Range(0, 300_000).Select(i => (byte)(i * 7))];
        await ofB.HandleAsync("/reverse/1.0.0", async stream =>
        {
            Assert.Equal((a.Id, "/reverse/1.0.0"), (stream.Remote, stream.Protocol));
            byte[] all = await ReadAsync(stream, data.Length);
            Array.Reverse(all);
            await stream.WriteAsync(all, Cancel);
        }, Cancel);
        using DaemonStream stream = await ofA.OpenStreamAsync(b.Id, ["/nobody/1.0.0", "/reverse/1.0.0"], Cancel);
        Assert.Equal("/reverse/1.0.0", stream.Protocol);
        await stream.WriteAsync(data, Cancel);
        byte[] back = await ReadAsync(stream, data.Length);
        Array.Reverse(data);
        Assert.Equal(data, back);
        Assert.Equal(0, await stream.ReadAsync(new byte[1], Cancel));
    }

    [Fact]
    public async Task What_the_daemon_refuses_is_said_in_its_words()
    {
        packages.Require();
        await using JsDaemon daemon = await JsDaemon.StartAsync([]);
        await using var client = new DaemonClient(daemon.Control);
        Assert.Equal("ERR_INVALID_REQUEST_TYPE", (await Assert.ThrowsAsync<DaemonException>(() => client.DisconnectAsync(daemon.Id, Cancel))).Message);
        Assert.Equal("PubSub not configured", (await Assert.ThrowsAsync<DaemonException>(() => client.GetTopicsAsync(Cancel))).Message);
        Assert.Equal("DHT not configured", (await Assert.ThrowsAsync<DaemonException>(() => client.GetValueAsync([1], Cancel))).Message);
        await using var lost = new DaemonClient(Multiaddr.Parse("/unix/tmp/drap-no-daemon.sock"));
        Assert.Contains("nobody answers at /unix", (await Assert.ThrowsAsync<DaemonException>(() => lost.IdentifyAsync(Cancel))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Values_and_providers_are_found_and_topics_heard()
    {
        packages.Require();
        System.Text.Json.Nodes.JsonObject Options() => new() { ["dht"] = true, ["pubsub"] = true, ["pubsubRouter"] = "floodsub" };
        await using JsDaemon a = await JsDaemon.StartAsync(Options()), b = await JsDaemon.StartAsync(Options());
        await using DaemonClient ofA = new(a.Control), ofB = new(b.Control);
        DaemonPeer there = await ofB.IdentifyAsync(Cancel);
        await ofA.ConnectAsync(there.Id, there.ReadAddresses(), Cancel);
        // Until identify has told each of the other's protocols.
        await EventuallyAsync(async () => Assert.Equal(a.Id, (await ofB.FindPeerAsync(a.Id, Cancel)).Id));
        await EventuallyAsync(async () => Assert.Equal(b.Id, (await ofA.FindPeerAsync(b.Id, Cancel)).Id));

        // Of a namespace that js can validate: the value is the public key whose hash is the rest of the key.
        using var pair = RSA.Create(2048);
        using var known = PrivateKey.FromRsa(pair);
        byte[] key = [.. "/pk/"u8, .. known.PeerId.Bytes];
        await ofA.PutValueAsync(key, known.PublicKey.Encoded.ToArray(), Cancel);
        Assert.Equal(known.PublicKey.Encoded.ToArray(), await ofB.GetValueAsync(key, Cancel));
        Assert.True(ContentId.TryParse("QmVzw6MPsF96TyXBSRs1ptLoVMWRv5FCYJZZGJSVB2Hp39", out ContentId? cid));
        await ofA.ProvideAsync(cid, Cancel);
        var providers = new List<PeerId>();
        await foreach (DaemonPeer provider in ofB.FindProvidersAsync(cid, 1, Cancel))
            providers.Add(provider.Id);
        Assert.Equal([a.Id], providers);

        using DaemonSubscription topic = await ofB.SubscribeAsync("t", Cancel);
        await EventuallyAsync(async () => Assert.Equal([b.Id], await ofA.ListTopicPeersAsync("t", Cancel)));
        Assert.Equal(["t"], await ofB.GetTopicsAsync(Cancel));
        await ofA.PublishAsync("t", "hello"u8.ToArray(), Cancel);
        PubsubMessage message = (await topic.NextAsync(Cancel))!;
        Assert.Equal((a.Id, "hello", "t"), (message.From, Encoding.UTF8.GetString(message.Data), Assert.Single(message.Topics)));
    }

    private static async Task<byte[]> ReadAsync(DaemonStream stream, int length)
    {
        byte[] all = new byte[length];
        for (int read = 0; read < length;)
        {
            int more = await stream.ReadAsync(all.AsMemory(read), Cancel);
            Assert.True(more > 0, $"the stream ended after {read} bytes of {length}");
            read += more;
        }
        return all;
    }

    // For what others do in their own time.
    private static async Task EventuallyAsync(Func<Task> holds)
    {
        for (int left = 100; ; left--)
        {
            try
            {
                await holds();
                return;
            }
            catch (Exception e) when (left > 0 && e is DaemonException or Xunit.Sdk.XunitException)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), Cancel);
            }
        }
    }
}
