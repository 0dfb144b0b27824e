using System.Net.Sockets;
using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>
/// Lets other programs, in whatever language, use a host: serves the control protocol of libp2p's daemon (libp2p/go-libp2p-daemon, specs/CONTROL.md)
/// on a Unix socket or TCP. Who can connect there can do everything with the host; over TCP that is everybody on the machine, or beyond.
/// </summary>
public sealed class DaemonServer : IAsyncDisposable
{
    /// <summary>
    /// Connections at once: a request each, a subscription, or a stream that a program opened. As many as a host has connections; further ones wait until one
    /// has ended.
    /// </summary>
    public const int ConnectionsMax = 4096;

    private readonly DaemonServices services;
    private readonly SocketAcceptor acceptor;
    private readonly string? path;
    private int isDisposed;

    private DaemonServer(DaemonServices services, Socket listener, Multiaddr address)
    {
        this.services = services;
        path = ControlSockets.PathOf(address);
        Address = address;
        acceptor = new SocketAcceptor(listener, ConnectionsMax, (socket, stopping) => DaemonSession.ServeAsync(services, socket, stopping));
    }

    /// <summary>Where it listens; a port of 0 has become one.</summary>
    public Multiaddr Address { get; }

    /// <summary>Serves from now on.</summary>
    /// <param name="host">Used, not owned: dispose this first.</param>
    /// <param name="control">Where to listen: <c>/unix/PATH</c>, for this user alone, or TCP.</param>
    /// <param name="pubSub">The host's topics; without them programs are told that there are none. Used, not owned.</param>
    /// <param name="dht">The host's part in a DHT, in the same way.</param>
    /// <param name="time">The clock; the system's by default.</param>
    /// <exception cref="DaemonException">It cannot listen there.</exception>
    public static DaemonServer Start(Libp2pHost host, Multiaddr control, PubSub? pubSub = null, Dht? dht = null, TimeProvider? time = null)
    {
        Socket listener = ControlSockets.Listen(control, out Multiaddr bound);
        return new DaemonServer(new DaemonServices(host, pubSub, dht, time ?? TimeProvider.System), listener, bound);
    }

    /// <summary>Takes no more requests, ends subscriptions and streams, and removes the socket's file.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
            return;
        if (path is not null)
            File.Delete(path);
        await acceptor.DisposeAsync().ConfigureAwait(false);
        services.Dispose();
    }
}
