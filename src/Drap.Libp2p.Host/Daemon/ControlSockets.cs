using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>The sockets behind the multiaddrs of the control protocol: Unix sockets and TCP.</summary>
internal static class ControlSockets
{
    // A daemon's program may start hundreds of streams at once.
    private const int Backlog = 512;

    /// <summary>Connects.</summary>
    /// <exception cref="DaemonException">Nobody listens there, or the address is of another kind.</exception>
    public static async Task<Socket> ConnectAsync(Multiaddr address, CancellationToken ct)
    {
        EndPoint endPoint = EndPointOf(address);
        Socket socket = Make(endPoint);
        try
        {
            await socket.ConnectAsync(endPoint, ct).ConfigureAwait(false);
            return socket;
        }
        catch (SocketException e)
        {
            socket.Dispose();
            throw new DaemonException($"nobody answers at {address}: {e.Message}", e);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Listens, and says where: a port of 0 has become one. A Unix socket is for this user alone; one that was left by a process that has gone is
    /// replaced.
    /// </summary>
    /// <exception cref="DaemonException">It is taken, or not allowed, or the address is of another kind.</exception>
    public static Socket Listen(Multiaddr address, out Multiaddr bound)
    {
        EndPoint endPoint = EndPointOf(address);
        if (endPoint is DnsEndPoint)
            throw new DaemonException($"cannot listen at {address}: a name says where others are");
        Socket socket = Make(endPoint);
        try
        {
            if (endPoint is UnixDomainSocketEndPoint unix)
                UnixSockets.Bind(socket, unix);
            else
                socket.Bind(endPoint);
            socket.Listen(Backlog);
        }
        catch (Exception e) when (e is SocketException or IOException or UnauthorizedAccessException)
        {
            socket.Dispose();
            throw new DaemonException($"cannot listen at {address}: {e.Message}", e);
        }
        bound = socket.LocalEndPoint is IPEndPoint ip ? Multiaddr.FromTcp(ip.Address, ip.Port) : address;
        return socket;
    }

    /// <summary>The path of a Unix address; null of another.</summary>
    public static string? PathOf(Multiaddr address) => address.TryGetUnixPath(out string? path) ? path : null;

    /// <summary>Whether it is an address to which this can connect.</summary>
    public static bool IsDialable(Multiaddr address) => address.TryGetUnixPath(out _) || address.TryGetTcp(out _, out _);

    private static EndPoint EndPointOf(Multiaddr address)
    {
        if (address.TryGetUnixPath(out string? path))
            return UnixSockets.TryEndPoint(path, out UnixDomainSocketEndPoint? place) ? place : throw new DaemonException($"{path} is too long for a Unix socket");
        return address.TryGetTcp(out EndPoint? endPoint, out _)
            ? endPoint
            : throw new DaemonException($"{address} is not an address of a daemon: those are /unix/PATH and /ip4/ADDRESS/tcp/PORT (ip6, dns)");
    }

    private static Socket Make(EndPoint endPoint) => endPoint switch
    {
        UnixDomainSocketEndPoint => new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified),
        IPEndPoint => new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
        _ => new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true },
    };
}
