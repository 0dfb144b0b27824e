using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Dialing;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Protocols;
using Drap.Libp2p.Host.Relay;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Host.Upgrade;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Ping;

namespace Drap.Libp2p.Host;

/// <summary>
/// A libp2p peer: listens and dials over TCP, keeps connections that are proved and encrypted, and carries streams of protocols over them. Answers identify and
/// ping by itself. Thread-safe.
/// </summary>
public sealed class Libp2pHost : IAsyncDisposable
{
    // A change of addresses comes as several.
    private static readonly TimeSpan LookDelay = TimeSpan.FromMilliseconds(250);

    private readonly ConnectionHub hub;
    private readonly Upgrader upgrader;
    private readonly Dialer dialer;
    private readonly List<SocketListener> listeners = [];
    private readonly RunningTasks running = new();
    private readonly IdentifyService identify;
    private IReadOnlyList<Multiaddr> listening = [];
    private readonly CallAt lookAround;
    private IReadOnlyList<Multiaddr> announced = [];
    private IReadOnlyList<Multiaddr> relayed = [];
    private int isDisposed;

    private Libp2pHost(HostOptions options)
    {
        hub = new ConnectionHub(options);
        PeerBook = new PeerBook(options.Limits.KnownPeersMax, peer => hub.Table.Find(peer) is not null);
        upgrader = new Upgrader(hub, options);
        var addresses = new AddressDialer(hub, upgrader, options);
        dialer = new Dialer(hub, addresses, PeerBook);
        addresses.Circuits = new Circuits(hub, upgrader, dialer);
        identify = new IdentifyService(hub, options, PeerBook, () => [.. ListenAddresses.Where(a => !a.TryGetUnixPath(out _))], running);
        lookAround = new CallAt(() => running.Run(async () =>
        {
            await Task.Yield();
            LookAround();
        }));
        hub.Observers.Subscribe(identify);
        hub.Negotiator.Handle(PingEcho.Protocol, PingResponder.ServeAsync);
        hub.Negotiator.Changed = identify.Changed;
    }

    /// <summary>The host's name.</summary>
    public PeerId Self => hub.Self;

    /// <summary>
    /// Where the host listens, with the ports that the system chose, what it was told to announce, and where it is reached over relays.
    /// </summary>
    public IReadOnlyList<Multiaddr> ListenAddresses => relayed.Count == 0 ? listening : [.. listening, .. relayed];

    /// <summary>
    /// Those addresses with the host's signature (an envelope with a peer record, RFC 0003), as identify tells them; for others to pass on. Empty while the host
    /// has none.
    /// </summary>
    public ReadOnlyMemory<byte> SignedRecord => identify.SignedRecord();

    /// <summary>What is known of peers.</summary>
    public PeerBook PeerBook { get; }

    /// <summary>Connections that stand.</summary>
    public IReadOnlyList<PeerConnection> Connections => hub.Table.All();

    /// <summary>The protocols that have handlers.</summary>
    public IReadOnlyList<string> Protocols => hub.Negotiator.Protocols;

    /// <summary>Bytes held for peers above what is guaranteed to each (<see cref="HostLimits.MemoryMax"/>).</summary>
    public long MemoryLent => hub.MemoryLent;

    /// <summary>A host that listens where <see cref="HostOptions.Listen"/> says.</summary>
    /// <exception cref="Libp2pException">An address cannot be listened on.</exception>
    /// <exception cref="ArgumentException">An option makes no sense.</exception>
    public static async Task<Libp2pHost> StartAsync(HostOptions options, CancellationToken ct = default)
    {
        var host = new Libp2pHost(options);
        try
        {
            await host.ListenAsync(options, ct).ConfigureAwait(false);
            return host;
        }
        catch (Exception)
        {
            await host.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>
    /// A connection with the peer: the one that stands, or one over these addresses, all tried as RFC 8305 says. Without addresses those of the
    /// peer book are dialed, but for those that failed a while ago.
    /// </summary>
    /// <exception cref="DialException">None of them led to the peer; the message says why for each.</exception>
    public Task<PeerConnection> ConnectAsync(PeerId peer, IReadOnlyList<Multiaddr> addresses, CancellationToken ct = default) =>
        dialer.ConnectAsync(peer, addresses, ct);

    /// <summary>As <see cref="ConnectAsync(PeerId, IReadOnlyList{Multiaddr}, CancellationToken)"/>, over the addresses of the peer book.</summary>
    public Task<PeerConnection> ConnectAsync(PeerId peer, CancellationToken ct = default) => dialer.ConnectAsync(peer, [], ct);

    /// <summary>Closes every connection with the peer, after what waits to be sent.</summary>
    public async Task DisconnectAsync(PeerId peer)
    {
        foreach (PeerConnection connection in hub.Table.Of(peer))
            await connection.CloseAsync().ConfigureAwait(false);
    }

    /// <summary>The connection that is used with the peer; null if there is none.</summary>
    public PeerConnection? Find(PeerId peer) => hub.Table.Find(peer);

    /// <summary>
    /// Opens a stream of the first of the protocols that the peer speaks, and connects to it before if need be. Where the peer said that it speaks one, nothing is
    /// waited for: the first read or write may then find that it does not after all (<see cref="StreamEnd.ProtocolRefused"/>).
    /// </summary>
    /// <exception cref="ProtocolRefusedException">It speaks none of them.</exception>
    /// <exception cref="DialException">The peer cannot be reached.</exception>
    public Task<P2pStream> OpenStreamAsync(PeerId peer, IReadOnlyList<string> protocols, CancellationToken ct = default) =>
        hub.Table.Find(peer) is { } connection
            ? hub.Negotiator.OpenAsync(connection, protocols, ct)
            : ConnectAndOpenAsync(peer, protocols, ct);

    /// <summary>
    /// Serves streams of a protocol: the handler runs for each, and the stream is its until its task ends. Then what the handler has not closed is closed, and the
    /// rest of what the peer sends is dropped; if it failed, the stream is reset.
    /// </summary>
    /// <exception cref="InvalidOperationException">The protocol has a handler.</exception>
    public void Handle(string protocol, Func<P2pStream, Task> handler) => hub.Negotiator.Handle(protocol, handler);

    /// <summary>Serves the protocol no more; streams that are open go on.</summary>
    public void Unhandle(string protocol) => hub.Negotiator.Unhandle(protocol);

    /// <summary>Tells an observer what happens from now on, until what this returns is disposed.</summary>
    public IDisposable Observe(IHostObserver observer) => hub.Observers.Subscribe(observer);

    /// <summary>Keeps connections with the peer open while there are too many or nothing goes over them, as long as any reason stands.</summary>
    public void Protect(PeerId peer, string reason) => hub.Table.Protect(peer, reason);

    /// <summary>Takes a reason of <see cref="Protect"/> back.</summary>
    public void Unprotect(PeerId peer, string reason) => hub.Table.Unprotect(peer, reason);

    /// <summary>
    /// Says what a peer is worth to somebody who uses the host: when there are too many connections, those of peers whose tags add up to less are closed first.
    /// False if the peer has 64 tags, or as many peers are tagged as are known at most (<see cref="HostLimits.KnownPeersMax"/>).
    /// </summary>
    public bool TryTag(PeerId peer, string tag, long weight) => hub.Table.TryTag(peer, tag, weight);

    /// <summary>Takes a tag of <see cref="TryTag"/> back.</summary>
    public void Untag(PeerId peer, string tag) => hub.Table.Untag(peer, tag);

    /// <summary>Closes the least useful connections now, down to <see cref="HostLimits.ConnectionsLow"/>, as it is done when there are too many.</summary>
    public async Task TrimAsync()
    {
        List<PeerConnection> surplus = hub.Table.Surplus(hub.Clock.Now);
        foreach (PeerConnection connection in surplus)
            connection.Close(CloseReason.TooMany);
        foreach (PeerConnection connection in surplus)
            await connection.Closed.ConfigureAwait(false);
    }

    /// <summary>Closes all connections, after what waits to be sent, and waits for the handlers' ends.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
            return;
        NetworkChange.NetworkAddressChanged -= NetworkChanged;
        hub.Deadlines.Clear(lookAround);
        foreach (SocketListener listener in listeners)
            await listener.DisposeAsync().ConfigureAwait(false);
        dialer.Dispose();
        List<PeerConnection> open = hub.Table.Close();
        foreach (PeerConnection connection in open)
            connection.Close(CloseReason.ClosedHere);
        foreach (PeerConnection connection in open)
        {
            await connection.Closed.ConfigureAwait(false);
            await connection.Reading.ConfigureAwait(false);
        }
        await running.DrainAsync().ConfigureAwait(false);
        // A handler that does not see that its stream has ended is not waited for.
        await hub.Negotiator.StopAsync().WaitAsync(hub.Limits.StopTimeout, TimeProvider).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        upgrader.Dispose();
        hub.Dispose();
    }

    internal TimeProvider TimeProvider => hub.Clock.Provider;

    internal ConnectionHub Hub => hub;

    /// <summary>The host is reached over these relays now; its peers are told.</summary>
    internal void SetRelayed(IReadOnlyList<Multiaddr> addresses)
    {
        relayed = addresses;
        TellAddresses();
    }

    // The system's own addresses may have changed: where a socket listens on any, the host is reached elsewhere now.
    private void LookAround()
    {
        IReadOnlyList<Multiaddr> now = [.. listeners.SelectMany(listener => listener.Addresses).Concat(announced).Distinct()];
        CloseLost();
        if (now.SequenceEqual(listening))
            return;
        listening = now;
        TellAddresses();
    }

    // A connection from an address that this machine has no more is dead, though neither end would notice until much is sent in vain.
    private void CloseLost()
    {
        HashSet<IPAddress> own = InterfaceAddresses.All();
        foreach (PeerConnection connection in hub.Table.All())
        {
            if (!connection.LocalAddress.IsCircuit && connection.LocalAddress.TryGetTcp(out EndPoint? endPoint, out _) && endPoint is IPEndPoint ip
                && !InterfaceAddresses.IsOwn(ip.Address, own))
                connection.Close(CloseReason.Failed);
        }
    }

    private void TellAddresses()
    {
        identify.Changed();
        IReadOnlyList<Multiaddr> addresses = ListenAddresses;
        hub.Observers.Post(observer => observer.AddressesChanged(addresses));
    }

    private void NetworkChanged(object? sender, EventArgs change) => hub.Deadlines.Set(lookAround, hub.Clock.Now + LookDelay);

    private async Task ListenAsync(HostOptions options, CancellationToken ct)
    {
        var strangers = new Strangers(options.Limits);
        var addresses = new List<Multiaddr>();
        foreach (Multiaddr address in options.Listen)
        {
            try
            {
                var listener = new SocketListener(PlaceOf(address), hub, upgrader, strangers);
                listeners.Add(listener);
                addresses.AddRange(listener.Addresses);
            }
            catch (Exception failure) when (failure is SocketException or IOException or UnauthorizedAccessException)
            {
                throw new Libp2pException($"cannot listen on {address}: {failure.Message}", failure);
            }
        }
        announced = options.Announce;
        listening = [.. addresses.Concat(announced).Distinct()];
        NetworkChange.NetworkAddressChanged += NetworkChanged;
        await Task.CompletedTask.WaitAsync(ct).ConfigureAwait(false);
    }

    private static EndPoint PlaceOf(Multiaddr address)
    {
        if (!address.TryGetUnixPath(out string? path))
        {
            return address.TryGetTcp(out EndPoint? endPoint, out _) && endPoint is IPEndPoint
                ? endPoint : throw new Libp2pException($"{address} is no address to listen on: an IP address and a TCP port, or a Unix socket's path are needed");
        }
        return UnixSockets.TryEndPoint(path, out UnixDomainSocketEndPoint? place) ? place : throw new Libp2pException($"{path} is too long for a Unix socket");
    }

    private async Task<P2pStream> ConnectAndOpenAsync(PeerId peer, IReadOnlyList<string> protocols, CancellationToken ct)
    {
        PeerConnection connection = await dialer.ConnectAsync(peer, [], ct).ConfigureAwait(false);
        return await hub.Negotiator.OpenAsync(connection, protocols, ct).ConfigureAwait(false);
    }
}
