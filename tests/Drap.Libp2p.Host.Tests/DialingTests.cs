using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Host.Tests.Daemon;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>How peers are reached that have several addresses, or none that leads there, and how many may be.</summary>
public sealed class DialingTests : IDisposable
{
    private static readonly TimeSpan Forever = TimeSpan.FromHours(1);

    private readonly Socket silent = Bound();

    /// <summary>Where connections are taken and nothing is ever said.</summary>
    private Multiaddr Silent
    {
        get
        {
            silent.Listen();
            return AddressOf(silent);
        }
    }

    public void Dispose() => silent.Dispose();

    private static Socket Bound()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return socket;
    }

    private static Multiaddr AddressOf(Socket socket)
    {
        var at = (IPEndPoint)socket.LocalEndPoint!;
        return Multiaddr.FromTcp(at.Address, at.Port);
    }

    private static Task<Libp2pHost> StartAsync(int seed, HostLimits limits) => Libp2pHost.StartAsync(Hosts.Options(seed) with { Limits = limits });

    [Fact]
    public async Task An_address_where_nobody_answers_does_not_hold_up_the_next()
    {
        await using Libp2pHost a = await StartAsync(1, new HostLimits { DialTimeout = Forever }), b = await Hosts.StartAsync(2);
        PeerConnection connection = await a.ConnectAsync(b.Self, [Silent, b.ListenAddresses[0]]).WaitAsync(Hosts.Patience);
        Assert.Equal(b.ListenAddresses[0], connection.RemoteAddress);
        Assert.Same(connection, Assert.Single(a.Connections));
    }

    [Fact]
    public async Task What_failed_a_while_ago_is_left_alone_unless_it_is_named()
    {
        // The clock stands, so that however long this takes the while is not over.
        await using Libp2pHost a = await Libp2pHost.StartAsync(Hosts.Options(1) with { TimeProvider = new SteppedTime() });
        // Taken by nobody else, and not listened on.
        using Socket closed = Bound();
        PeerId peer = Hosts.Key(2).PeerId;
        a.PeerBook.AddAddresses(peer, [AddressOf(closed)]);
        DialException failure = await Assert.ThrowsAsync<DialException>(() => a.ConnectAsync(peer).WaitAsync(Hosts.Patience));
        Assert.DoesNotContain("left alone", failure.Message, StringComparison.Ordinal);
        failure = await Assert.ThrowsAsync<DialException>(() => a.ConnectAsync(peer).WaitAsync(Hosts.Patience));
        Assert.Contains($"{AddressOf(closed)}: failed a while ago and is left alone", failure.Message, StringComparison.Ordinal);
        failure = await Assert.ThrowsAsync<DialException>(() => a.ConnectAsync(peer, [AddressOf(closed)]).WaitAsync(Hosts.Patience));
        Assert.DoesNotContain("left alone", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task So_many_dials_run_so_many_wait_and_the_next_fails()
    {
        var limits = new HostLimits { DialsMax = 1, DialsWaitingMax = 1, DialTimeout = Forever };
        await using Libp2pHost a = await StartAsync(1, limits), b = await Hosts.StartAsync(2);
        using var giveUp = new CancellationTokenSource();
        Task first = a.ConnectAsync(Hosts.Key(3).PeerId, [Silent], giveUp.Token);
        Task<PeerConnection> second = a.ConnectAsync(b.Self, b.ListenAddresses);
        DialException refused = await Assert.ThrowsAsync<DialException>(() => a.ConnectAsync(Hosts.Key(4).PeerId, [Silent]).WaitAsync(Hosts.Patience));
        Assert.Contains("too many dials", refused.Message, StringComparison.Ordinal);
        Assert.False(second.IsCompleted);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.Equal(b.Self, (await second.WaitAsync(Hosts.Patience)).Remote);
    }

    [Fact]
    public async Task Who_waits_for_another_s_dial_goes_on_when_that_one_gives_up()
    {
        await using Libp2pHost a = await StartAsync(1, new HostLimits { DialTimeout = Forever }), b = await Hosts.StartAsync(2);
        using var giveUp = new CancellationTokenSource();
        Task first = a.ConnectAsync(b.Self, [Silent], giveUp.Token);
        Task<PeerConnection> second = a.ConnectAsync(b.Self, b.ListenAddresses);
        // The first is in the middle of its handshake: what it begins with has come.
        using Socket accepted = await silent.AcceptAsync();
        Assert.NotEqual(0, await accepted.ReceiveAsync(new byte[1]));
        Assert.False(second.IsCompleted);
        await giveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.Equal(b.ListenAddresses[0], (await second.WaitAsync(Hosts.Patience)).RemoteAddress);
    }

    [Fact]
    public async Task Dials_under_way_fail_when_the_host_stops_and_those_that_take_too_long_say_so()
    {
        Libp2pHost a = await StartAsync(1, new HostLimits { DialTimeout = Forever });
        Task first = a.ConnectAsync(Hosts.Key(2).PeerId, [Silent]), joined = a.ConnectAsync(Hosts.Key(2).PeerId, [Silent]);
        using Socket accepted = await silent.AcceptAsync();
        Assert.NotEqual(0, await accepted.ReceiveAsync(new byte[1]));
        await a.DisposeAsync();
        await Assert.ThrowsAsync<ConnectionClosedException>(() => first.WaitAsync(Hosts.Patience));
        await Assert.ThrowsAsync<ConnectionClosedException>(() => joined.WaitAsync(Hosts.Patience));

        await using Libp2pHost b = await StartAsync(1, new HostLimits { DialTimeout = TimeSpan.FromMilliseconds(200) });
        DialException late = await Assert.ThrowsAsync<DialException>(() => b.ConnectAsync(Hosts.Key(2).PeerId, [Silent]).WaitAsync(Hosts.Patience));
        Assert.Contains("no connection within 0.2 s", late.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_one_peer_there_are_only_so_many_connections()
    {
        await using Libp2pHost hub = await StartAsync(1, new HostLimits { ConnectionsPerPeerMax = 2, SpareAfter = Forever });
        // Three programs with one key.
        await using Libp2pHost a = await Hosts.StartAsync(2), b = await Hosts.StartAsync(2), c = await Hosts.StartAsync(2);
        await a.ConnectAsync(hub);
        await b.ConnectAsync(hub);
        await Hosts.Until(() => hub.Connections.Count == 2);
        try
        {
            // The dialer has its connection before the other side has looked for a place for it.
            PeerConnection third = await c.ConnectAsync(hub);
            await third.Closed.WaitAsync(Hosts.Patience);
        }
        catch (DialException)
        {
        }
        Assert.Equal(2, hub.Connections.Count);
        await using Libp2pHost other = await Hosts.StartAsync(3);
        await other.ConnectAsync(hub);
        await Hosts.Until(() => hub.Connections.Count == 3);
    }

    [Fact]
    public async Task When_all_connections_are_protected_whoever_comes_is_refused()
    {
        var limits = new HostLimits { ConnectionsMax = 2, ConnectionsLow = 1, NewConnectionGrace = TimeSpan.Zero };
        await using Libp2pHost hub = await StartAsync(1, limits), a = await Hosts.StartAsync(2), b = await Hosts.StartAsync(3), c = await Hosts.StartAsync(4);
        hub.Protect(a.Self, "test");
        hub.Protect(b.Self, "test");
        await hub.ConnectAsync(a);
        await hub.ConnectAsync(b);
        DialException refused = await Assert.ThrowsAsync<DialException>(() => hub.ConnectAsync(c));
        Assert.Contains("all of them protected", refused.Message, StringComparison.Ordinal);
        Assert.Equal(new[] { a.Self, b.Self }.Order(), hub.Connections.Select(connection => connection.Remote).Order());
    }

    [Fact]
    public async Task Without_the_switch_there_is_no_plaintext() =>
        await Assert.ThrowsAsync<ArgumentException>(() => Libp2pHost.StartAsync(Hosts.Options(1, ConnectionSecurity.Plaintext) with { AllowInsecure = false }));
}
