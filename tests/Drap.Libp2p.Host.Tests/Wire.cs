using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>A TCP relay on loopback that can stop carrying without closing anything, as a cut cable does.</summary>
internal sealed class Wire : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly IPEndPoint to;
    private readonly List<Socket> sockets = [];
    private readonly List<Task> carrying = [];
    private readonly Task accepting;
    private volatile bool isFrozen;

    public Wire(Multiaddr to)
    {
        Assert.True(to.TryGetTcp(out EndPoint? endPoint, out _));
        this.to = (IPEndPoint)endPoint;
        listener.Start();
        Address = Multiaddr.FromTcp(IPAddress.Loopback, ((IPEndPoint)listener.LocalEndpoint).Port);
        accepting = AcceptAsync();
    }

    public Multiaddr Address { get; }

    /// <summary>From now on nothing comes through, and new connections are not taken.</summary>
    public void Freeze()
    {
        isFrozen = true;
        listener.Stop();
    }

    public async ValueTask DisposeAsync()
    {
        listener.Stop();
        await accepting;
        lock (sockets)
            sockets.ForEach(s => s.Dispose());
        await Task.WhenAll(carrying);
        listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                Socket from = await listener.AcceptSocketAsync();
                var onward = new Socket(SocketType.Stream, ProtocolType.Tcp);
                await onward.ConnectAsync(to);
                lock (sockets)
                    sockets.AddRange([from, onward]);
                carrying.Add(CarryAsync(from, onward));
                carrying.Add(CarryAsync(onward, from));
            }
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            // Stopped.
        }
    }

    private async Task CarryAsync(Socket from, Socket to)
    {
        byte[] buffer = new byte[64 * 1024];
        try
        {
            for (int read; (read = await from.ReceiveAsync(buffer)) > 0;)
            {
                if (!isFrozen)
                    await to.SendAsync(buffer.AsMemory(0, read));
            }
            if (!isFrozen)
                to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
        {
            if (!isFrozen)
                to.Dispose();
        }
    }
}
