using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Host.Upgrade;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Dialing;

/// <summary>Takes connections on one address, as many at a time as the host has room for strangers.</summary>
internal sealed class TcpListener : IAsyncDisposable
{
    private const int BacklogMax = 512;

    private readonly Socket socket;
    private readonly ConnectionHub hub;
    private readonly Upgrader upgrader;
    private readonly Strangers strangers;
    private readonly CancellationTokenSource stopping = new();
    private readonly RunningTasks handshakes = new();
    private readonly Task accepting;

    /// <summary>Listens; throws a <see cref="SocketException"/> if it cannot.</summary>
    public TcpListener(IPEndPoint endPoint, ConnectionHub hub, Upgrader upgrader, Strangers strangers)
    {
        this.hub = hub;
        this.upgrader = upgrader;
        this.strangers = strangers;
        socket = new Socket(endPoint.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            // An IPv6 socket is for IPv6: who wants both names both.
            if (endPoint.AddressFamily == AddressFamily.InterNetworkV6)
                socket.DualMode = false;
            socket.Bind(endPoint);
            socket.Listen(BacklogMax);
        }
        catch (Exception)
        {
            socket.Dispose();
            throw;
        }
        EndPoint = (IPEndPoint)socket.LocalEndPoint!;
        accepting = AcceptAsync();
    }

    /// <summary>Where it listens, with the port that the system chose.</summary>
    public IPEndPoint EndPoint { get; }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        socket.Dispose();
        await accepting.ConfigureAwait(false);
        await handshakes.DrainAsync().ConfigureAwait(false);
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
            if (accepted.RemoteEndPoint is not IPEndPoint from || !strangers.TryEnter(from.Address))
            {
                accepted.Dispose();
                continue;
            }
            handshakes.Run(() => ShakeAsync(accepted, from));
        }
    }

    private async Task ShakeAsync(Socket accepted, IPEndPoint from)
    {
        // Off the loop that accepts: the cryptography of one is not to hold up the next.
        await Task.Yield();
        try
        {
            using var limit = new TimedCancellation(hub.Deadlines, hub.Clock.Now + hub.Limits.HandshakeTimeout, stopping.Token);
            var to = (IPEndPoint)accepted.LocalEndPoint!;
            await upgrader.AcceptAsync(
                new SocketLink(accepted), Multiaddr.FromTcp(from.Address, from.Port), Multiaddr.FromTcp(to.Address, to.Port), limit.Token).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // A stranger that did not get through: the link is closed, and nothing of it is left.
            accepted.Dispose();
        }
        finally
        {
            strangers.Leave(from.Address);
        }
    }
}
