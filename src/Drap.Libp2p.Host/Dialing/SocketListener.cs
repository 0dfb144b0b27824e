using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Host.Upgrade;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Dialing;

/// <summary>Takes connections on one TCP address or Unix socket, as many at a time as the host has room for strangers.</summary>
internal sealed class SocketListener : IAsyncDisposable
{
    private const int BacklogMax = 512;

    private readonly Socket socket;
    private readonly UnixDomainSocketEndPoint? unix;
    private readonly ConnectionHub hub;
    private readonly Upgrader upgrader;
    private readonly Strangers strangers;
    private readonly CancellationTokenSource stopping = new();
    private readonly RunningTasks handshakes = new();
    private readonly Task accepting;

    /// <summary>Listens; throws a <see cref="SocketException"/> if it cannot.</summary>
    public SocketListener(EndPoint endPoint, ConnectionHub hub, Upgrader upgrader, Strangers strangers)
    {
        this.hub = hub;
        this.upgrader = upgrader;
        this.strangers = strangers;
        unix = endPoint as UnixDomainSocketEndPoint;
        socket = new Socket(endPoint.AddressFamily, SocketType.Stream, unix is null ? ProtocolType.Tcp : ProtocolType.Unspecified);
        try
        {
            // An IPv6 socket is for IPv6: who wants both names both.
            if (endPoint.AddressFamily == AddressFamily.InterNetworkV6)
                socket.DualMode = false;
            if (unix is null)
                socket.Bind(endPoint);
            else
                UnixSockets.Bind(socket, unix);
            socket.Listen(BacklogMax);
        }
        catch (Exception)
        {
            socket.Dispose();
            throw;
        }
        accepting = AcceptAsync();
    }

    /// <summary>Where it is reached, with the port that the system chose: where it listens on any address, at all that the machine has now.</summary>
    public IEnumerable<Multiaddr> Addresses =>
        unix is null ? InterfaceAddresses.Of((IPEndPoint)socket.LocalEndPoint!) : [Multiaddr.FromUnix(unix.ToString()!)];

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        socket.Dispose();
        await accepting.ConfigureAwait(false);
        await handshakes.DrainAsync().ConfigureAwait(false);
        if (unix is not null)
            File.Delete(unix.ToString()!);
        stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            Socket accepted;
            try
            {
                accepted = await socket.AcceptAsync(stopping.Token).ConfigureAwait(false);
            }
            catch (SocketException) when (!stopping.IsCancellationRequested)
            {
                // The stranger has gone again, or there are no file descriptors left: the next may do better, a little later.
                await Task.Delay(TimeSpan.FromMilliseconds(10), hub.Clock.Provider, CancellationToken.None).ConfigureAwait(false);
                continue;
            }
            catch (Exception) when (stopping.IsCancellationRequested)
            {
                return;
            }
            // Who has gone again has no address any more. Who comes over a Unix socket has none: it is this machine's.
            IPAddress? place = unix is null ? (accepted.RemoteEndPoint as IPEndPoint)?.Address : IPAddress.Loopback;
            if (place is null || !strangers.TryEnter(place))
            {
                accepted.Dispose();
                continue;
            }
            handshakes.Run(() => ShakeAsync(accepted, place));
        }
    }

    private async Task ShakeAsync(Socket accepted, IPAddress place)
    {
        // Off the loop that accepts: the cryptography of one is not to hold up the next.
        await Task.Yield();
        try
        {
            using var limit = new TimedCancellation(hub.Deadlines, hub.Clock.Now + hub.Limits.HandshakeTimeout, stopping.Token);
            await upgrader.AcceptAsync(
                new SocketLink(accepted), AddressOf(accepted.RemoteEndPoint!), AddressOf(accepted.LocalEndPoint!), limit.Token).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // A stranger that did not get through: the link is closed, and nothing of it is left.
            accepted.Dispose();
        }
        finally
        {
            strangers.Leave(place);
        }
    }

    // Both ends of a Unix socket are its path: who connects to it has none.
    private Multiaddr AddressOf(EndPoint endPoint) =>
        endPoint is IPEndPoint ip ? Multiaddr.FromTcp(ip.Address, ip.Port) : Multiaddr.FromUnix(unix!.ToString()!);
}
