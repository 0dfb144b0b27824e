using System.Collections.Immutable;
using Drap.Libp2p.Host.Streams;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Relay;

namespace Drap.Libp2p.Host.Relay;

/// <summary>
/// Keeps a host reachable over relays: it holds places at some of those it meets, or that are named, and tells others the addresses that
/// come of it. For hosts behind NAT. Thread-safe.
/// </summary>
public sealed class RelayReservations : IHostObserver, IAsyncDisposable
{
    private const string Protection = "relay reservation";

    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(20);

    private readonly Libp2pHost host;
    private readonly RelayClient client;
    private readonly BesideHost frame;

    /// <summary>Holds places from now on, at so many relays at a time; <paramref name="named"/> are addresses with the relay's peer id at their end.</summary>
    /// <exception cref="ArgumentException">An address names no peer.</exception>
    public RelayReservations(Libp2pHost host, int wanted, IReadOnlyList<Multiaddr> named)
    {
        this.host = host;
        if (named.FirstOrDefault(address => address.Peer is null) is { } nameless)
            throw new ArgumentException($"{nameless} does not end with the relay's /p2p/ID", nameof(named));
        client = new RelayClient(wanted, SystemRandom.NewPrng());
        frame = new BesideHost(host, () => Step(client.Advance));
        frame.Observe(this);
        foreach (Multiaddr address in named)
            Step((now, effects) => client.Met(address.Peer!.Value, address, isNamed: true, now, effects));
        foreach (PeerConnection connection in host.Connections)
            Meet(connection, host.PeerBook[connection.Remote]);
    }

    /// <summary>Places that are held.</summary>
    public int Held
    {
        get
        {
            lock (frame.Gate)
                return client.Held;
        }
    }

    /// <summary>Gives the places up; they lapse at the relays.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!frame.TryStop())
            return;
        await frame.DisposeAsync().ConfigureAwait(false);
        host.SetRelayed([]);
    }

    void IHostObserver.Identified(PeerConnection connection, KnownPeer peer) => Meet(connection, peer);

    void IHostObserver.Disconnected(PeerConnection connection, bool isLast)
    {
        if (!isLast)
            return;
        host.Unprotect(connection.Remote, Protection);
        Step((now, effects) => client.Disconnected(connection.Remote, now, effects));
    }

    private void Meet(PeerConnection connection, KnownPeer peer)
    {
        if (!connection.RemoteAddress.IsCircuit && peer.Speaks(RelayMessage.HopProtocol))
            Step((now, effects) => client.Met(peer.Id, connection.IsInbound ? null : connection.RemoteAddress, isNamed: false, now, effects));
    }

    private void Step(Action<Instant, List<RelayEffect>> step)
    {
        var effects = new List<RelayEffect>();
        ImmutableArray<Multiaddr>? reachable = null;
        lock (frame.Gate)
        {
            if (frame.IsStopped)
                return;
            step(frame.Now, effects);
            frame.WakeAt(client.NextDeadline);
            foreach (RelayEffect.Reachable news in effects.OfType<RelayEffect.Reachable>())
                reachable = news.Addresses;
        }
        if (reachable is { } addresses)
            host.SetRelayed(addresses);
        foreach (RelayEffect.Reserve reserve in effects.OfType<RelayEffect.Reserve>())
            frame.Run(() => ReserveAsync(reserve));
    }

    private async Task ReserveAsync(RelayEffect.Reserve reserve)
    {
        await Task.Yield();
        RelayReservation? reservation = null;
        try
        {
            using var limit = new TimedCancellation(host.Hub.Deadlines, frame.Now + RequestTimeout, frame.Stopping);
            reservation = await RequestAsync(reserve, limit.Token).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is Libp2pException or OperationCanceledException or ObjectDisposedException)
        {
            // The relay cannot be reached, or does not answer: another is tried, and this one later.
        }
        Step((now, effects) =>
        {
            if (reservation is not null && host.Find(reserve.Relay) is not null)
                client.Reserved(reserve.Relay, reservation, new UtcTime(host.TimeProvider.GetUtcNow().ToUnixTimeMilliseconds()), now, effects);
            else
                client.Refused(reserve.Relay, now, effects);
        });
        if (reservation is not null)
            host.Protect(reserve.Relay, Protection);
        else
            host.Unprotect(reserve.Relay, Protection);
    }

    private async Task<RelayReservation?> RequestAsync(RelayEffect.Reserve reserve, CancellationToken ct)
    {
        if (host.Find(reserve.Relay) is null && reserve.Address is { } address)
            host.PeerBook.AddAddresses(reserve.Relay, [address]);
        PeerConnection connection = await host.ConnectAsync(reserve.Relay, ct).ConfigureAwait(false);
        // A place reserved over another relay would not be given.
        if (connection.RemoteAddress.IsCircuit)
            return null;
        P2pStream stream = await connection.OpenStreamAsync([RelayMessage.HopProtocol], ct).ConfigureAwait(false);
        try
        {
            await stream.WriteMessageAsync(new RelayMessage(RelayMessageKind.Reserve).Encode(isStop: false), ct).ConfigureAwait(false);
            RelayMessage? answer = await stream.ReadRelayAsync(isStop: false, ct).ConfigureAwait(false);
            // Not reset: js takes the place back if the stream fails before it has closed it.
            host.Hub.Negotiator.Leave(stream);
            return answer is { Kind: RelayMessageKind.Status, Status: RelayStatus.Ok } ? answer.Reservation : null;
        }
        catch (Exception)
        {
            stream.Dispose();
            throw;
        }
    }
}
