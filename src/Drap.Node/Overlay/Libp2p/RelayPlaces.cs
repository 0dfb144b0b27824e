using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Host.Relay;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Relay;
using Drap.Node.Time;

namespace Drap.Node.Overlay.Libp2p;

/// <summary>
/// Keeps a node that cannot be dialed reachable: once that is known, by its owner's word or by <see cref="Reachability"/>, it holds places at relays among
/// the peers it meets, and asks the DHT without answering in it; both until somebody dials it after all.
/// </summary>
internal sealed class RelayPlaces : IHostObserver, IAsyncDisposable
{
    /// <summary>Relays at a time: one may go.</summary>
    private const int Wanted = 2;

    private static readonly TimeSpan LookTime = TimeSpan.FromSeconds(1);

    private readonly Libp2pHost host;
    private readonly Dht dht;
    private readonly bool listens;
    private readonly bool? told;
    private readonly Reachability reach = new(Reachability.PatienceDefault);
    private readonly Lock gate = new();
    private readonly IDisposable observing;
    private readonly Timer looking;
    private RelayReservations? places;
    private HashSet<Multiaddr> own;
    private Task ending = Task.CompletedTask;
    private bool isStopped;

    /// <summary>Begins to look.</summary>
    /// <param name="host">The host.</param>
    /// <param name="dht">Its DHT.</param>
    /// <param name="told">Whether its owner says that it can be dialed; null if that is to be seen.</param>
    /// <param name="listens">Whether it listens at all.</param>
    public RelayPlaces(Libp2pHost host, Dht dht, bool? told, bool listens)
    {
        this.host = host;
        this.dht = dht;
        this.told = told;
        this.listens = listens;
        own = [.. host.ListenAddresses];
        observing = host.Observe(this);
        looking = new Timer(_ => Look(), null, TimeSpan.Zero, LookTime);
    }

    public async ValueTask DisposeAsync()
    {
        RelayReservations? held;
        Task before;
        lock (gate)
        {
            isStopped = true;
            held = places;
            places = null;
            before = ending;
        }
        observing.Dispose();
        await looking.DisposeAsync().ConfigureAwait(false);
        if (held is not null)
            await held.DisposeAsync().ConfigureAwait(false);
        await before.ConfigureAwait(false);
    }

    void IHostObserver.Identified(PeerConnection connection, KnownPeer peer)
    {
        if (connection.RemoteAddress.IsCircuit || Address(connection.RemoteAddress) is not { } remote)
            return;
        lock (gate)
        {
            IPAddress? seen = connection.ObservedAddress is { } observed ? Address(observed) : null;
            // From its own network a node behind a router may be dialed, too: that proves nothing.
            if (connection.IsInbound && !IPAddress.IsLoopback(remote) && (!IsPrivate(remote) || (seen is not null && IsPrivate(seen))))
                reach.Dialed();
            else if (!connection.IsInbound && seen is not null)
                reach.Seen(connection.Remote, own.Any(a => Equals(Address(a), seen)), BootClock.Now);
        }
        Look();
    }

    void IHostObserver.AddressesChanged(IReadOnlyList<Multiaddr> addresses)
    {
        HashSet<Multiaddr> now = [.. addresses.Where(a => !a.IsCircuit)];
        lock (gate)
        {
            // Those over relays come of what is known here, and do not end it.
            if (now.SetEquals(own))
                return;
            own = now;
            reach.Moved(BootClock.Now);
        }
    }

    void IHostObserver.Disconnected(PeerConnection connection, bool isLast)
    {
        if (!isLast)
            return;
        lock (gate)
            reach.Gone(connection.Remote);
    }

    private static IPAddress? Address(Multiaddr address) => address.TryGetTcp(out EndPoint? endPoint, out _) && endPoint is IPEndPoint ip ? ip.Address : null;

    private static bool IsPrivate(IPAddress address)
    {
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
            return address.IsIPv6LinkLocal || address.IsIPv6UniqueLocal;
        Span<byte> bytes = stackalloc byte[4];
        address.TryWriteBytes(bytes, out _);
        return bytes[0] == 10 || (bytes[0] == 172 && bytes[1] is >= 16 and < 32) || (bytes[0] == 192 && bytes[1] == 168) || (bytes[0] == 169 && bytes[1] == 254);
    }

    private void Look()
    {
        lock (gate)
        {
            if (isStopped)
                return;
            reach.Advance(BootClock.Now);
            bool isHidden = !(told ?? reach.IsReachable ?? true);
            dht.IsServer = listens && !isHidden;
            if (isHidden && places is null && ending.IsCompleted)
            {
                places = new RelayReservations(host, Wanted, []);
            }
            else if (!isHidden && places is not null)
            {
                ending = places.DisposeAsync().AsTask();
                places = null;
            }
        }
    }
}
