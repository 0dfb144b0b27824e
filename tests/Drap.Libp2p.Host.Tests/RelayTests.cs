using Drap.Libp2p.Host.Relay;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Relay;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Connections over a relay: between hosts of which one listens nowhere.</summary>
public sealed class RelayTests : IAsyncLifetime
{
    private readonly List<IAsyncDisposable> open = [];

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        for (int i = open.Count - 1; i >= 0; i--)
            await open[i].DisposeAsync();
    }

    private T Keep<T>(T disposable)
        where T : IAsyncDisposable
    {
        open.Add(disposable);
        return disposable;
    }

    private async Task<(Libp2pHost Host, RelayService Service)> RelayAsync(RelayOptions? options = null)
    {
        Libp2pHost host = Keep(await Hosts.StartAsync(200));
        return (host, Keep(new RelayService(host, Hosts.Key(200), options ?? new RelayOptions())));
    }

    private async Task<Libp2pHost> HiddenAsync(int seed) => Keep(await Libp2pHost.StartAsync(Hosts.Options(seed) with { Listen = [] }));

    private async Task<Libp2pHost> ReachableAsync(Libp2pHost relay, int seed = 201)
    {
        Libp2pHost host = await HiddenAsync(seed);
        host.Handle(Hosts.Echo[0], Hosts.EchoAsync);
        var reservations = Keep(new RelayReservations(host, 1, [relay.ListenAddresses[0].WithPeer(relay.Self)]));
        await Hosts.Until(() => reservations.Held == 1 && host.ListenAddresses.Count > 0);
        return host;
    }

    [Fact]
    public async Task A_host_that_listens_nowhere_is_reached_over_a_relay()
    {
        (Libp2pHost relay, RelayService service) = await RelayAsync();
        Libp2pHost target = await ReachableAsync(relay);
        Multiaddr way = Assert.Single(target.ListenAddresses);
        Assert.Equal($"{relay.ListenAddresses[0]}/p2p/{relay.Self}/p2p-circuit", way.ToString());

        Libp2pHost dialer = await HiddenAsync(202);
        PeerConnection connection = await dialer.ConnectAsync(target.Self, [way]).WaitAsync(Hosts.Patience);
        Assert.True(connection.RemoteAddress.IsCircuit);
        Assert.Equal(1, service.Circuits);

        // As over any other connection: many streams, half-closes, more bytes than any buffer.
        byte[] sent = Hosts.Bytes(3_000_000, 1);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(async _ =>
        {
            P2pStream stream = await dialer.OpenStreamAsync(target.Self, Hosts.Echo);
            Task writing = stream.WriteAndCloseAsync(sent).AsTask();
            Assert.Equal(sent, await stream.ReadToEndAsync());
            await writing;
        }));
        await connection.Identified.WaitAsync(Hosts.Patience);
        PeerConnection back = Assert.Single(target.Connections, c => c.Remote == dialer.Self);
        Assert.True(back.RemoteAddress.IsCircuit && back.IsInbound);

        // It ends with the connection.
        await connection.CloseAsync().WaitAsync(Hosts.Patience);
        await Hosts.Until(() => service.Circuits == 0);
        await back.Closed.WaitAsync(Hosts.Patience);
    }

    [Fact]
    public async Task Without_a_place_nobody_is_reached_and_the_reason_is_told()
    {
        (Libp2pHost relay, _) = await RelayAsync();
        Libp2pHost target = await HiddenAsync(201), dialer = await HiddenAsync(202);
        await target.ConnectAsync(relay);
        Multiaddr way = Multiaddr.Parse($"{relay.ListenAddresses[0]}/p2p/{relay.Self}/p2p-circuit/p2p/{target.Self}");
        DialException failure = await Assert.ThrowsAsync<DialException>(() => dialer.ConnectAsync(target.Self, [way]));
        Assert.Contains("NO_RESERVATION", failure.Message, StringComparison.Ordinal);

        // One that is no relay says so too; and an address that names none is not dialed.
        Libp2pHost other = Keep(await Hosts.StartAsync(203));
        await Assert.ThrowsAsync<DialException>(() => dialer.ConnectAsync(
            target.Self, [Multiaddr.Parse($"{other.ListenAddresses[0]}/p2p/{other.Self}/p2p-circuit")]));
        await Assert.ThrowsAsync<DialException>(() => dialer.ConnectAsync(target.Self, [Multiaddr.Parse($"{relay.ListenAddresses[0]}/p2p-circuit")]));
    }

    [Fact]
    public async Task Nobody_else_than_who_was_named_is_met_over_a_relay()
    {
        (Libp2pHost relay, RelayService service) = await RelayAsync();
        Libp2pHost target = await ReachableAsync(relay);
        Libp2pHost dialer = await HiddenAsync(202);
        // The relay connects to the peer that it is asked for; the dialer wants another key there.
        Multiaddr way = target.ListenAddresses[0];
        await Assert.ThrowsAsync<DialException>(() => dialer.ConnectAsync(Hosts.Key(999).PeerId, [way]).WaitAsync(Hosts.Patience));
        // A reservation over a relayed connection is not given.
        await dialer.ConnectAsync(target.Self, [way]).WaitAsync(Hosts.Patience);
        var nested = Keep(new RelayService(target, Hosts.Key(201), new RelayOptions()));
        P2pStream stream = await dialer.OpenStreamAsync(target.Self, [RelayMessage.HopProtocol]);
        await stream.WriteAsync(new byte[] { 2, 8, 0 });
        byte[] answer = new byte[6];
        await stream.ReadExactlyAsync(answer);
        Assert.True(RelayMessage.TryDecode(answer.AsSpan(1), isStop: false, out RelayMessage? message));
        Assert.Equal(RelayStatus.PermissionDenied, message.Status);
        Assert.Equal((0, 1), (nested.Reservations, service.Circuits));
    }

    [Fact]
    public async Task A_circuit_that_carries_too_much_is_cut()
    {
        (Libp2pHost relay, RelayService service) = await RelayAsync(new RelayOptions { Limit = new RelayLimit(TimeSpan.FromHours(1), 200_000) });
        Libp2pHost target = await ReachableAsync(relay);
        Libp2pHost dialer = await HiddenAsync(202);
        PeerConnection connection = await dialer.ConnectAsync(target.Self, target.ListenAddresses).WaitAsync(Hosts.Patience);
        P2pStream stream = await dialer.OpenStreamAsync(target.Self, Hosts.Echo);
        await Assert.ThrowsAnyAsync<Libp2pException>(async () =>
        {
            byte[] piece = new byte[10_000];
            for (int i = 0; i < 100; i++)
            {
                await stream.WriteAsync(piece);
                await stream.ReadExactlyAsync(piece);
            }
        });
        await connection.Closed.WaitAsync(Hosts.Patience);
        await Hosts.Until(() => service.Circuits == 0);
    }

    [Fact]
    public async Task When_the_relay_is_gone_its_addresses_are_taken_back_and_another_is_asked()
    {
        (Libp2pHost relay, RelayService service) = await RelayAsync();
        Libp2pHost other = Keep(await Hosts.StartAsync(210));
        Keep(new RelayService(other, Hosts.Key(210), new RelayOptions()));
        Libp2pHost target = await HiddenAsync(201);
        Multiaddr[] named = [relay.ListenAddresses[0].WithPeer(relay.Self), other.ListenAddresses[0].WithPeer(other.Self)];
        var reservations = Keep(new RelayReservations(target, 1, named));
        await Hosts.Until(() => reservations.Held == 1 && target.ListenAddresses.Count == 1);
        Assert.Contains(relay.Self.ToString(), target.ListenAddresses[0].ToString(), StringComparison.Ordinal);
        Assert.Equal(1, service.Reservations);
        await relay.DisposeAsync();
        await Hosts.Until(() => target.ListenAddresses.Count == 1
            && target.ListenAddresses[0].ToString().Contains(other.Self.ToString(), StringComparison.Ordinal));
        await Hosts.Until(() => reservations.Held == 1);
    }
}
