using System.Net.Sockets;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Host.Tests.Daemon;

public sealed class DaemonServerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Nodes_are_asked_who_they_are_and_whom_they_know_connected_and_parted()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: true);
        DaemonPeer a = await pair.ClientA.IdentifyAsync(Cancel);
        Assert.Equal(pair.HostA.Self, a.Id);
        Assert.Equal(pair.HostA.ListenAddresses, a.ReadAddresses());
        DaemonPeer there = Assert.Single(await pair.ClientA.ListPeersAsync(Cancel));
        Assert.Equal(pair.HostB.Self, there.Id);
        Assert.Equal(pair.HostB.ListenAddresses, there.ReadAddresses());

        await Assert.Single(pair.HostA.Connections).Identified.WaitAsync(Hosts.Patience, Cancel);
        Assert.Equal(pair.HostB.Protocols, await pair.ClientA.GetProtocolsAsync(pair.HostB.Self, Cancel));
        Assert.Equal(pair.HostB.ListenAddresses, (await pair.ClientA.GetPeerInfoAsync(pair.HostB.Self, Cancel)).ReadAddresses());

        PeerConnection inbound = Assert.Single(pair.HostB.Connections);
        await pair.ClientA.DisconnectAsync(pair.HostB.Self, Cancel);
        Assert.Empty(await pair.ClientA.ListPeersAsync(Cancel));
        await inbound.Closed.WaitAsync(Hosts.Patience, Cancel);
        // By the addresses that it knows.
        await pair.ClientA.ConnectAsync(pair.HostB.Self, [], Cancel);
        Assert.Single(await pair.ClientA.ListPeersAsync(Cancel));
    }

    [Fact]
    public async Task What_cannot_be_done_is_said_and_the_connection_goes_on()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: true);
        using var client = new RawDaemonClient(pair.A);
        PeerId nobody = PeerId.FromEd25519(new byte[32]);
        async Task<string> RefusedAsync(byte[] frame)
        {
            await client.SendAsync(frame);
            return (await client.ReadAsync()).Error!;
        }
        Task<string> RefusedToAsync(DaemonRequest request) => RefusedAsync(RawDaemonClient.Frame(request));

        Assert.Contains("no request of type 99", await RefusedAsync([2, 8, 99]), StringComparison.Ordinal);
        Assert.Contains("lacks its parameters", await RefusedAsync([2, 8, 1]), StringComparison.Ordinal);
        Assert.Contains("no multiaddr", await RefusedToAsync(new DaemonRequest.Connect(nobody, [[1, 2, 3]], TimeSpan.FromSeconds(1))), StringComparison.Ordinal);
        Assert.NotEmpty(await RefusedToAsync(
            new DaemonRequest.Connect(nobody, [Multiaddr.Parse("/ip4/127.0.0.1/tcp/1").Bytes.ToArray()], TimeSpan.FromSeconds(10))));
        Assert.NotEmpty(await RefusedToAsync(new DaemonRequest.OpenStream(nobody, ["/x"], TimeSpan.FromSeconds(10))));
        Assert.Contains("speaks none of", await RefusedToAsync(new DaemonRequest.OpenStream(pair.HostB.Self, ["/x"], TimeSpan.FromSeconds(10))), StringComparison.Ordinal);
        Assert.Contains("served by the node itself", await RefusedToAsync(new DaemonRequest.HandleStreams(
            Multiaddr.Parse("/unix/tmp/x").Bytes.ToArray(), ["/ipfs/ping/1.0.0"])), StringComparison.Ordinal);
        Assert.Contains("/unix/PATH", await RefusedToAsync(new DaemonRequest.HandleStreams(
            Multiaddr.Parse("/ip4/127.0.0.1/udp/1").Bytes.ToArray(), ["/x"])), StringComparison.Ordinal);
        await client.SendAsync(new DaemonRequest.Identify());
        Assert.Equal(pair.HostA.Self, (await client.ReadAsync()).Identity!.Id);
        client.CloseWrite();
        Assert.Empty(await client.ReadToEndAsync());
    }

    [Theory]
    [InlineData("ffffffffffffffffff")] // no varint
    [InlineData("81808002")] // a length above 4 MiB
    public async Task A_length_that_cannot_be_ends_the_connection(string hex)
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: false);
        using var client = new RawDaemonClient(pair.A);
        await client.SendAsync(Convert.FromHexString(hex));
        Assert.Empty(await client.ReadToEndAsync());
    }

    [Fact]
    public async Task A_request_that_has_begun_has_ten_seconds_and_silence_has_no_end()
    {
        var time = new SteppedTime();
        await using Libp2pHost host = await Hosts.StartAsync(1);
        await using DaemonServer server = DaemonServer.Start(host, Multiaddr.Parse("/ip4/127.0.0.1/tcp/0"), time: time);
        using RawDaemonClient silent = new(server), slow = new(server);
        // Two bytes of which one says that three will come.
        await slow.SendAsync((byte[])[3, 8]);
        Task<byte[]> end = slow.ReadToEndAsync();
        int seconds = 0;
        for (; !end.IsCompleted && seconds < 1_000_000; seconds++)
        {
            time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }
        Assert.Empty(await end);
        Assert.True(seconds >= 10, $"it had {seconds} s");
        await silent.SendAsync(new DaemonRequest.Identify());
        Assert.Equal(host.Self, (await silent.ReadAsync()).Identity!.Id);
    }

    [Fact]
    public async Task Large_requests_take_turns_and_each_is_answered()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: true);
        byte[] large = new byte[1024 * 1024];
        // More than are collected at once, all begun before the first ends.
        var clients = Enumerable.Range(0, 40).Select(_ => new RawDaemonClient(pair.A)).ToList();
        byte[] frame = RawDaemonClient.Frame(new DaemonRequest.Publish("t", large));
        Task[] begun = [.. clients.Select(client => client.SendAsync(frame.AsMemory(0, frame.Length - 1)).AsTask())];
        await Task.WhenAny(begun);
        foreach ((RawDaemonClient client, Task first) in clients.Zip(begun))
        {
            _ = Task.Run(async () =>
            {
                await first;
                await client.SendAsync(frame.AsMemory(frame.Length - 1));
            }, Cancel);
        }
        foreach (RawDaemonClient client in clients)
        {
            Assert.Contains("pubsub", (await client.ReadAsync()).Error, StringComparison.OrdinalIgnoreCase);
            client.Dispose();
        }
    }

    [Fact]
    public async Task Peers_of_little_weight_are_parted_from_first()
    {
        var limits = new HostLimits { ConnectionsMax = 8, ConnectionsLow = 2, NewConnectionGrace = TimeSpan.Zero };
        await using Libp2pHost host = await Libp2pHost.StartAsync(Hosts.Options(1) with { Limits = limits });
        await using DaemonServer server = DaemonServer.Start(host, Multiaddr.Parse("/ip4/127.0.0.1/tcp/0"));
        await using var client = new DaemonClient(server.Address);
        await using Libp2pHost a = await Hosts.StartAsync(10), b = await Hosts.StartAsync(11), c = await Hosts.StartAsync(12), d = await Hosts.StartAsync(13);
        foreach (Libp2pHost other in (Libp2pHost[])[a, b, c, d])
            await (await host.ConnectAsync(other)).Identified.WaitAsync(Hosts.Patience, Cancel);
        await client.TagPeerAsync(a.Self, "x", 5, Cancel);
        await client.TagPeerAsync(a.Self, "y", -10, Cancel);
        await client.TagPeerAsync(b.Self, "x", 1, Cancel);
        await client.TagPeerAsync(c.Self, "x", 3, Cancel);
        await client.TagPeerAsync(d.Self, "x", 9, Cancel);
        await client.UntagPeerAsync(d.Self, "x", Cancel);
        await client.TrimConnectionsAsync(Cancel);
        Assert.Equal([b.Self, c.Self], (await client.ListPeersAsync(Cancel)).Select(peer => peer.Id).OrderBy(id => id == c.Self));
        for (int i = 0; i < 62; i++)
            await client.TagPeerAsync(a.Self, $"{i}", 1, Cancel);
        await client.TagPeerAsync(a.Self, "x", 6, Cancel);
        var full = await Assert.ThrowsAsync<DaemonException>(() => client.TagPeerAsync(a.Self, "one more", 1, Cancel));
        Assert.Contains("too many tags", full.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_unix_socket_is_for_its_user_alone_replaces_one_left_behind_and_goes_with_its_server()
    {
        await using Libp2pHost host = await Hosts.StartAsync(1);
        DirectoryInfo folder = Directory.CreateTempSubdirectory("drap-test-");
        try
        {
            string path = Path.Combine(folder.FullName, "d.sock");
            // As a process leaves it that was killed; .NET removes what it bound.
            using (var left = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
            {
                left.Bind(new UnixDomainSocketEndPoint(path + ".bound"));
                File.Move(path + ".bound", path);
            }
            Assert.True(File.Exists(path));
            await using (DaemonServer server = DaemonServer.Start(host, Multiaddr.FromUnix(path)))
            {
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
                await using var client = new DaemonClient(server.Address);
                Assert.Equal(host.Self, (await client.IdentifyAsync(Cancel)).Id);
                // One that is in use is not taken over.
                var taken = Assert.Throws<DaemonException>(() => DaemonServer.Start(host, Multiaddr.FromUnix(path)));
                Assert.Contains("cannot listen at", taken.Message, StringComparison.Ordinal);
            }
            Assert.False(File.Exists(path));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
