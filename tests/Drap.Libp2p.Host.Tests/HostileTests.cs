using System.Net.Sockets;
using Drap.Libp2p.Host.Protocols;
using Drap.Libp2p.Yamux;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Peers that break rules: what they get, and what they cannot take.</summary>
public sealed class HostileTests
{
    [Fact]
    public async Task A_handshake_that_takes_too_long_is_ended_however_it_drips()
    {
        var limits = new HostLimits { HandshakeTimeout = TimeSpan.FromMilliseconds(400) };
        await using Libp2pHost host = await Libp2pHost.StartAsync(Hosts.Options(1) with { Limits = limits });
        byte[] greeting = ProtocolGreeting.Of("/noise");
        // One says nothing, the others stop after more and more of it.
        foreach (int said in new[] { 0, 1, 20, greeting.Length - 1, greeting.Length })
        {
            using Socket stranger = await RawPeer.DialAsync(host);
            if (said > 0)
                await stranger.SendAsync(greeting.AsMemory(0, said));
            byte[] buffer = new byte[1000];
            while (await ReceiveAsync(stranger, buffer) > 0)
            {
            }
        }
        Assert.Empty(host.Connections);
    }

    [Fact]
    public async Task Strangers_are_counted_and_one_too_many_is_turned_away()
    {
        await using Libp2pHost host = await Libp2pHost.StartAsync(Hosts.Options(1) with { Limits = new HostLimits { HandshakesMax = 4 } });
        var strangers = new List<Socket>();
        byte[] buffer = new byte[100];
        byte[] greeting = ProtocolGreeting.Of("/noise");
        for (int i = 0; i < 4; i++)
        {
            strangers.Add(await RawPeer.DialAsync(host));
            await strangers[i].SendAsync(greeting);
            Assert.Equal(greeting.Length, await ReceiveAsync(strangers[i], buffer));
        }
        using (Socket fifth = await RawPeer.DialAsync(host))
            Assert.Equal(0, await ReceiveAsync(fifth, buffer));
        strangers[0].Dispose();
        // Its place is free as soon as its end was seen.
        int answered = 0;
        while (answered == 0)
        {
            using Socket sixth = await RawPeer.DialAsync(host);
            try
            {
                await sixth.SendAsync(greeting);
                answered = await ReceiveAsync(sixth, buffer);
            }
            catch (SocketException)
            {
                // Turned away before it could speak.
            }
        }
        strangers.ForEach(s => s.Dispose());
    }

    [Fact]
    public async Task Nobody_is_listened_to_for_long_before_he_says_who_he_is()
    {
        await using Libp2pHost host = await Hosts.StartAsync(1, ConnectionSecurity.Tls);
        using Socket stranger = await RawPeer.DialAsync(host);
        await stranger.SendAsync(ProtocolGreeting.Of("/tls/1.0.0"));
        // A client's hello that goes on for ever: records of a handshake message of 16 MiB.
        byte[] record = new byte[5 + 16_000];
        record[0] = 22;
        (record[1], record[2]) = (3, 1);
        (record[3], record[4]) = (16_000 >> 8, 16_000 & 0xff);
        (record[5], record[6], record[7], record[8]) = (1, 0xff, 0xff, 0xff);
        int sent = 0;
        try
        {
            while (sent < 100)
            {
                await stranger.SendAsync(record).WaitAsync(Hosts.Patience);
                sent++;
            }
            byte[] buffer = new byte[1000];
            while (await ReceiveAsync(stranger, buffer) > 0)
            {
            }
        }
        catch (SocketException)
        {
            // The host closed with what it had not read.
        }
        Assert.Empty(host.Connections);
    }

    [Theory]
    [InlineData(YamuxType.Data, YamuxFlags.Syn, 1, 256 * 1024 + 1)] // above the window
    [InlineData(YamuxType.Data, YamuxFlags.None, 1, 10)] // never opened
    [InlineData(YamuxType.WindowUpdate, YamuxFlags.Syn, 2, 0)] // the listener's parity
    public async Task A_broken_rule_of_yamux_ends_the_connection(YamuxType type, YamuxFlags flags, uint id, uint length)
    {
        await using Libp2pHost host = await Hosts.StartAsync(1, ConnectionSecurity.Plaintext);
        var reason = new TaskCompletionSource<CloseReason>();
        host.Observe(new OnClose(reason));
        using RawPeer peer = await RawPeer.ConnectAsync(host, 5);
        await peer.SendAsync(new YamuxHeader(type, flags, id, length));
        Assert.Equal(new YamuxHeader(YamuxType.GoAway, YamuxFlags.None, 0, (uint)YamuxGoAway.ProtocolError), await peer.LastAsync());
        Assert.Equal(CloseReason.Violation, await reason.Task.WaitAsync(Hosts.Patience));
    }

    [Fact]
    public async Task A_flood_of_streams_is_refused_and_then_ended()
    {
        await using Libp2pHost host = await Hosts.StartAsync(1, ConnectionSecurity.Plaintext);
        var reason = new TaskCompletionSource<CloseReason>();
        host.Observe(new OnClose(reason));
        using RawPeer peer = await RawPeer.ConnectAsync(host, 5);
        // It opens and opens, and reads nothing.
        byte[] frames = new byte[YamuxHeader.Bytes * 1000];
        try
        {
            for (uint id = 1; !reason.Task.IsCompleted && id < 20_000_000;)
            {
                for (int i = 0; i < 1000; i++, id += 2)
                    new YamuxHeader(YamuxType.WindowUpdate, YamuxFlags.Syn, id, 0).Write(frames.AsSpan(i * YamuxHeader.Bytes));
                await peer.SendAsync(frames).WaitAsync(Hosts.Patience);
            }
        }
        catch (SocketException)
        {
            // The host closed.
        }
        Assert.Equal(CloseReason.Violation, await reason.Task.WaitAsync(Hosts.Patience));
    }

    [Fact]
    public async Task Opening_and_resetting_again_and_again_does_not_pile_up_handlers()
    {
        var options = Hosts.Options(1, ConnectionSecurity.Plaintext) with { Limits = new HostLimits { HandlersPerConnectionMax = 20 } };
        await using Libp2pHost host = await Libp2pHost.StartAsync(options);
        int running = 0, most = 0;
        var release = new TaskCompletionSource();
        host.Handle("/stay/1", async stream =>
        {
            int now = Interlocked.Increment(ref running);
            InterlockedMax(ref most, now);
            await release.Task;
            Interlocked.Decrement(ref running);
        });
        using RawPeer peer = await RawPeer.ConnectAsync(host, 5);
        byte[] greeting = ProtocolGreeting.Of("/stay/1");
        for (uint id = 1; id < 1000; id += 2)
        {
            await peer.SendAsync(new YamuxHeader(YamuxType.Data, YamuxFlags.Syn, id, (uint)greeting.Length), greeting);
            await peer.SendAsync(new YamuxHeader(YamuxType.WindowUpdate, YamuxFlags.Rst, id, 0));
        }
        await peer.SendAsync(new YamuxHeader(YamuxType.Ping, YamuxFlags.Syn, 0, 77));
        while (await peer.ReceiveAsync().WaitAsync(Hosts.Patience) is { } header && header.Type != YamuxType.Ping)
        {
        }
        Assert.InRange(most, 0, 20);
        release.SetResult();
    }

    [Fact]
    public async Task What_a_peer_sends_and_nobody_reads_stays_within_its_share()
    {
        var limits = new HostLimits { PeerMemoryGuaranteed = 256 * 1024, PeerMemoryMax = 2 * 1024 * 1024, MemoryMax = 3 * 1024 * 1024 };
        await using Libp2pHost host = await Libp2pHost.StartAsync(Hosts.Options(1, ConnectionSecurity.Plaintext) with { Limits = limits });
        var release = new TaskCompletionSource();
        host.Handle("/deaf/1", _ => release.Task);
        host.Handle(Hosts.Echo[0], Hosts.EchoAsync);
        byte[] greeting = ProtocolGreeting.Of("/deaf/1");
        RawPeer[] peers = [await RawPeer.ConnectAsync(host, 5), await RawPeer.ConnectAsync(host, 6), await RawPeer.ConnectAsync(host, 7)];
        long sent = 0;
        using var stop = new CancellationTokenSource();
        Task[] floods = [.. peers.Select(peer => Task.Run(async () =>
        {
            byte[] block = new byte[32 * 1024];
            try
            {
                // Each of a hundred streams as much as its window allows: 25 MiB a peer.
                for (uint id = 1; id < 200; id += 2)
                {
                    await peer.SendAsync(new YamuxHeader(YamuxType.Data, YamuxFlags.Syn, id, (uint)greeting.Length), greeting);
                    for (int i = 0; i < 7; i++)
                    {
                        await peer.SendAsync(new YamuxHeader(YamuxType.Data, YamuxFlags.None, id, (uint)block.Length), block);
                        Interlocked.Add(ref sent, block.Length);
                    }
                }
            }
            catch (SocketException)
            {
                // Closed at the end of the test.
            }
        }))];
        // Somebody honest is served all the while.
        await using Libp2pHost honest = await Hosts.StartAsync(2, ConnectionSecurity.Plaintext);
        await honest.ConnectAsync(host);
        long most = 0;
        long last = -1;
        for (int round = 0; round < 300 || Interlocked.Read(ref sent) != last; round++)
        {
            last = Interlocked.Read(ref sent);
            P2pStream stream = await honest.OpenStreamAsync(host.Self, Hosts.Echo);
            await stream.WriteAndCloseAsync(new byte[5000]);
            Assert.Equal(5000, (await stream.ReadToEndAsync()).Length);
            most = Math.Max(most, host.MemoryLent);
        }
        Assert.InRange(most, 1, 3 * 1024 * 1024);
        foreach (RawPeer peer in peers)
            peer.Dispose();
        await Task.WhenAll(floods).WaitAsync(Hosts.Patience);
        release.SetResult();
        foreach (PeerConnection connection in host.Connections.Where(c => c.Remote != honest.Self))
            await connection.CloseAsync().WaitAsync(Hosts.Patience);
        Assert.Equal(0, host.MemoryLent);
    }

    private static void InterlockedMax(ref int most, int value)
    {
        for (int seen = most; value > seen; seen = most)
            Interlocked.CompareExchange(ref most, value, seen);
    }

    private static async Task<int> ReceiveAsync(Socket socket, byte[] buffer)
    {
        try
        {
            return await socket.ReceiveAsync(buffer).WaitAsync(Hosts.Patience);
        }
        catch (SocketException)
        {
            return 0;
        }
    }

    private sealed class OnClose(TaskCompletionSource<CloseReason> reason) : IHostObserver
    {
        public void Disconnected(PeerConnection connection, bool isLast) => reason.TrySetResult(connection.Reason);
    }
}
