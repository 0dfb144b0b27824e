using System.Collections.Concurrent;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Two hosts over loopback sockets, under each protection.</summary>
public sealed class HostTests
{
    [Theory]
    [InlineData(ConnectionSecurity.Noise)]
    [InlineData(ConnectionSecurity.Tls)]
    [InlineData(ConnectionSecurity.Plaintext)]
    public async Task Two_hosts_connect_know_each_other_and_talk(ConnectionSecurity security)
    {
        await using Libp2pHost a = await Hosts.StartAsync(1, security), b = await Hosts.StartAsync(2, security);
        b.Handle(Hosts.Echo[0], Hosts.EchoAsync);
        PeerConnection connection = await a.ConnectAsync(b);
        Assert.Equal((b.Self, false, security), (connection.Remote, connection.IsInbound, connection.Security));
        await connection.Identified.WaitAsync(Hosts.Patience);
        Assert.Equal(["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/libp2p/circuit/relay/0.2.0/stop", .. Hosts.Echo], a.PeerBook[b.Self].Protocols);
        Assert.Equal(b.ListenAddresses, a.PeerBook[b.Self].Addresses);
        Assert.Equal("drap/0.1.0", a.PeerBook[b.Self].AgentVersion);
        Assert.Equal(connection.LocalAddress, connection.ObservedAddress);

        P2pStream stream = await a.OpenStreamAsync(b.Self, Hosts.Echo);
        byte[] said = Hosts.Bytes(100_000, 7);
        Task<byte[]> heard = stream.ReadToEndAsync();
        await stream.WriteAndCloseAsync(said).AsTask().WaitAsync(Hosts.Patience);
        Assert.Equal(said, await heard);
        Assert.Same(connection, await a.ConnectAsync(b));
    }

    /// <summary>
    /// A machine whose cable was cut comes back at another address: nothing tells this side that the old connection is dead, and what is sent on it is lost until
    /// that is noticed, if nobody doubts.
    /// </summary>
    [Fact]
    public async Task A_peer_that_comes_again_lets_its_older_connection_be_doubted()
    {
        var patient = new Libp2p.Yamux.YamuxOptions { KeepAliveAfter = TimeSpan.FromHours(1), DoubtMax = TimeSpan.FromSeconds(1) };
        await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { Yamux = patient }), b = await Hosts.StartAsync(2);
        await using var wire = new Wire(a.ListenAddresses[0]);
        await b.ConnectAsync(a.Self, [wire.Address]).WaitAsync(Hosts.Patience);
        // The dialer has its connection before the listener does.
        await Hosts.Until(() => a.Connections.Count > 0, "the listener has its connection");
        PeerConnection old = a.Connections[0];
        await old.Identified.WaitAsync(Hosts.Patience);
        wire.Freeze();
        await b.DisconnectAsync(a.Self);
        await b.ConnectAsync(a);
        await old.Closed.WaitAsync(Hosts.Patience);
        Assert.Equal(CloseReason.PeerSilent, old.Reason);
        Assert.True(Assert.Single(a.Connections).IsOpen);
        Assert.Same(a.Connections[0], a.Find(b.Self));
    }

    [Fact]
    public async Task A_protocol_that_was_not_heard_of_is_asked_for_and_one_that_is_not_spoken_is_refused()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        PeerConnection connection = await a.ConnectAsync(b);
        await connection.Identified.WaitAsync(Hosts.Patience);
        ProtocolRefusedException refused = await Assert.ThrowsAsync<ProtocolRefusedException>(() => a.OpenStreamAsync(b.Self, ["/no/1", "/no/2"]));
        Assert.Equal(["/no/1", "/no/2"], refused.Protocols);
        b.Handle("/late/1", Hosts.EchoAsync);
        P2pStream stream = await a.OpenStreamAsync(b.Self, ["/no/1", "/late/1"]).WaitAsync(Hosts.Patience);
        Assert.Equal("/late/1", stream.Protocol);
        await stream.WriteAndCloseAsync("hello"u8.ToArray());
        Assert.Equal("hello"u8.ToArray(), await stream.ReadToEndAsync());
    }

    [Fact]
    public async Task What_is_taken_for_granted_and_wrong_shows_at_the_first_read()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        b.Handle(Hosts.Echo[0], Hosts.EchoAsync);
        PeerConnection connection = await a.ConnectAsync(b);
        await connection.Identified.WaitAsync(Hosts.Patience);
        var heard = new Recorder();
        using IDisposable subscription = a.Observe(heard);
        b.Unhandle(Hosts.Echo[0]);
        P2pStream stream = await a.OpenStreamAsync(b.Self, Hosts.Echo);
        await stream.WriteAsync(new byte[10]);
        StreamResetException failure = await Assert.ThrowsAsync<StreamResetException>(async () => await stream.ReadAsync(new byte[10]).AsTask().WaitAsync(Hosts.Patience));
        Assert.Equal(StreamEnd.ProtocolRefused, failure.End);
        // The push says so, and then it is not taken for granted any more.
        await heard.WaitFor("identified");
        Assert.DoesNotContain(Hosts.Echo[0], a.PeerBook[b.Self].Protocols);
    }

    [Fact]
    public async Task A_handler_that_fails_resets_its_stream_and_is_told_of()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var heard = new Recorder();
        b.Observe(heard);
        b.Handle("/bad/1", _ => throw new ArithmeticException("on purpose"));
        await (await a.ConnectAsync(b)).Identified.WaitAsync(Hosts.Patience);
        P2pStream stream = await a.OpenStreamAsync(b.Self, ["/bad/1"]);
        StreamResetException failure = await Assert.ThrowsAsync<StreamResetException>(async () => await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Hosts.Patience));
        Assert.Equal(StreamEnd.ResetByPeer, failure.End);
        await heard.WaitFor("failed on purpose");
    }

    [Fact]
    public async Task Hosts_that_dial_each_other_at_once_end_with_one_connection_in_use()
    {
        for (int round = 0; round < 10; round++)
        {
            var limits = new HostLimits { SpareAfter = TimeSpan.FromMilliseconds(100), IdleAfter = Timeout.InfiniteTimeSpan };
            await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { Limits = limits });
            await using Libp2pHost b = await Libp2pHost.StartAsync(Hosts.Options(2) with { Limits = limits });
            a.Handle(Hosts.Echo[0], Hosts.EchoAsync);
            b.Handle(Hosts.Echo[0], Hosts.EchoAsync);
            PeerConnection[] both = await Task.WhenAll(a.ConnectAsync(b), b.ConnectAsync(a));
            foreach ((Libp2pHost from, Libp2pHost to) in new[] { (a, b), (b, a) })
            {
                P2pStream stream = await from.OpenStreamAsync(to.Self, Hosts.Echo).WaitAsync(Hosts.Patience);
                await stream.WriteAndCloseAsync(new byte[1]);
                Assert.Single(await stream.ReadToEndAsync());
            }
            await Task.WhenAll(both.Select(c => c.Identified)).WaitAsync(Hosts.Patience);
        }
    }

    [Fact]
    public async Task One_dial_serves_all_who_ask()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var heard = new Recorder();
        b.Observe(heard);
        PeerConnection[] all = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => a.ConnectAsync(b)));
        Assert.Single(all.Distinct());
        await heard.WaitFor("identified");
        Assert.Single(b.Connections);
    }

    [Fact]
    public async Task Whoever_is_not_the_peer_that_was_dialed_is_refused()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2), c = await Hosts.StartAsync(3);
        DialException failure = await Assert.ThrowsAsync<DialException>(() => a.ConnectAsync(c.Self, b.ListenAddresses).WaitAsync(Hosts.Patience));
        Assert.Contains("WrongPeer", failure.Message, StringComparison.Ordinal);
        Assert.Empty(a.Connections);
        failure = await Assert.ThrowsAsync<DialException>(() => a.ConnectAsync(a.Self, a.ListenAddresses).WaitAsync(Hosts.Patience));
        Assert.Contains("this host itself", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Observers_hear_everything_in_order()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var heard = new Recorder();
        b.Observe(heard);
        PeerConnection connection = await a.ConnectAsync(b);
        await heard.WaitFor("identified");
        await connection.CloseAsync().WaitAsync(Hosts.Patience);
        await heard.WaitFor("disconnected last");
        Assert.Equal(["connected first", "identified", "disconnected last"], heard.All);
        Assert.Equal(CloseReason.ClosedHere, connection.Reason);
    }

    [Fact]
    public async Task An_idle_connection_closes_unless_it_is_protected()
    {
        var limits = new HostLimits { IdleAfter = TimeSpan.FromMilliseconds(300) };
        await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { Limits = limits });
        await using Libp2pHost b = await Hosts.StartAsync(2), c = await Hosts.StartAsync(3);
        a.Protect(c.Self, "test");
        PeerConnection kept = await a.ConnectAsync(c);
        PeerConnection idle = await a.ConnectAsync(b);
        await idle.Closed.WaitAsync(Hosts.Patience);
        Assert.Equal(CloseReason.Idle, idle.Reason);
        Assert.True(kept.IsOpen);
        // Not protected any more, it goes the same way, at its next look.
        a.Unprotect(c.Self, "test");
    }

    [Fact]
    public async Task Above_the_limit_the_least_useful_connections_are_closed()
    {
        var limits = new HostLimits { ConnectionsMax = 6, ConnectionsLow = 4, NewConnectionGrace = TimeSpan.Zero };
        await using Libp2pHost hub = await Libp2pHost.StartAsync(Hosts.Options(1) with { Limits = limits });
        hub.Handle(Hosts.Echo[0], Hosts.EchoAsync);
        var heard = new Recorder();
        hub.Observe(heard);
        var others = new List<Libp2pHost>();
        try
        {
            for (int i = 0; i < 6; i++)
            {
                Libp2pHost other = await Hosts.StartAsync(10 + i);
                others.Add(other);
                PeerConnection connection = await other.ConnectAsync(hub);
                await connection.Identified.WaitAsync(Hosts.Patience);
            }
            // The first is protected, the second has a stream.
            hub.Protect(others[0].Self, "test");
            P2pStream stream = await others[1].OpenStreamAsync(hub.Self, Hosts.Echo);
            await stream.WriteAsync(new byte[1]);
            await stream.ReadExactlyAsync(new byte[1]);
            Libp2pHost seventh = await Hosts.StartAsync(20);
            others.Add(seventh);
            await seventh.ConnectAsync(hub);
            await heard.WaitFor("disconnected last", 3);
            await heard.WaitFor("connected first", 7);
            PeerId[] left = [.. hub.Connections.Select(c => c.Remote)];
            Assert.Equal(4, left.Length);
            Assert.Contains(others[0].Self, left);
            Assert.Contains(others[1].Self, left);
            Assert.Contains(seventh.Self, left);
        }
        finally
        {
            foreach (Libp2pHost other in others)
                await other.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_host_that_stops_lets_what_was_written_through()
    {
        await using Libp2pHost b = await Hosts.StartAsync(2);
        var got = new TaskCompletionSource<byte[]>();
        b.Handle("/last/1", async stream => got.SetResult(await stream.ReadToEndAsync()));
        Libp2pHost a = await Hosts.StartAsync(1);
        await a.ConnectAsync(b);
        P2pStream stream = await a.OpenStreamAsync(b.Self, ["/last/1"]);
        await stream.WriteAndCloseAsync(Hosts.Bytes(80_000, 1));
        await a.DisposeAsync();
        Assert.Equal(Hosts.Bytes(80_000, 1), await got.Task.WaitAsync(Hosts.Patience));
        await Assert.ThrowsAnyAsync<Libp2pException>(() => a.OpenStreamAsync(b.Self, ["/last/1"]));
    }

    /// <summary>Writes down what it hears.</summary>
    private sealed class Recorder : IHostObserver
    {
        private readonly ConcurrentQueue<string> heard = new();
        private TaskCompletionSource more = new();

        public string[] All => [.. heard];

        public void Connected(PeerConnection connection, bool isFirst) => Add(isFirst ? "connected first" : "connected");

        public void Disconnected(PeerConnection connection, bool isLast) => Add(isLast ? "disconnected last" : "disconnected");

        public void Identified(PeerConnection connection, KnownPeer peer) => Add("identified");

        public void HandlerFailed(P2pStream stream, Exception failure) => Add($"failed {failure.Message}");

        public async Task WaitFor(string what, int times = 1)
        {
            while (true)
            {
                Task next = Volatile.Read(ref more).Task;
                if (heard.Count(h => h == what) >= times)
                    return;
                await next.WaitAsync(Hosts.Patience);
            }
        }

        private void Add(string what)
        {
            heard.Enqueue(what);
            Interlocked.Exchange(ref more, new TaskCompletionSource()).SetResult();
        }
    }
}
