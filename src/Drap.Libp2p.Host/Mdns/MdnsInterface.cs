using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Mdns;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Mdns;

/// <summary>Multicast DNS on one network interface: a socket and a machine.</summary>
internal sealed class MdnsInterface : IAsyncDisposable
{
    // Linux: a socket gets what came for the groups that it joined itself, on the interface where it joined them, and nothing else.
    private const int LevelIp = 0, MulticastAll = 49;

    private readonly Libp2pHost host;
    private readonly Socket socket;
    private readonly MdnsDiscovery discovery;
    private readonly Action<PeerId, IReadOnlyList<Multiaddr>> found;
    private readonly Lock gate = new();
    private readonly RunningTasks running = new();
    private readonly CancellationTokenSource stopping = new();
    private readonly CallAt deadline;
    private Task receiving = Task.CompletedTask;

    private MdnsInterface(
        Libp2pHost host, string name, Socket socket, string service, Multiaddr[] addresses, Action<PeerId, IReadOnlyList<Multiaddr>> found)
    {
        this.host = host;
        this.socket = socket;
        this.found = found;
        Name = name;
        discovery = new MdnsDiscovery(host.Self, [.. addresses], service, SystemRandom.NewPrng(), host.Hub.Clock.Now);
        deadline = new CallAt(() => running.Run(AdvanceAsync));
    }

    public string Name { get; }

    /// <summary>Whether its socket has failed: the interface has gone, or has come anew.</summary>
    public bool HasFailed { get; private set; }

    /// <summary>Joins the group there; null if the system does not let us.</summary>
    public static MdnsInterface? TryOpen(
        Libp2pHost host, string name, int index, string service, Multiaddr[] addresses, Action<PeerId, IReadOnlyList<Multiaddr>> found)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            // The port is everybody's: the system's own responder has it, and other libp2p peers here.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.SetRawSocketOption(LevelIp, MulticastAll, BitConverter.GetBytes(0));
            socket.Bind(new IPEndPoint(IPAddress.Any, MdnsDiscovery.Port));
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.AddMembership, new MulticastOption(MdnsDiscovery.Group, index));
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastInterface, IPAddress.HostToNetworkOrder(index));
            // RFC 6762, section 11; and others on this machine are to hear us.
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastTimeToLive, 255);
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastLoopback, true);
        }
        catch (SocketException)
        {
            socket.Dispose();
            return null;
        }
        var opened = new MdnsInterface(host, name, socket, service, addresses, found);
        opened.receiving = opened.ReceiveAsync();
        opened.Step((_, _) => { });
        return opened;
    }

    /// <summary>The host is reached here at these addresses now.</summary>
    public void SetAddresses(Multiaddr[] addresses) => Step((now, _) => discovery.SetAddresses([.. addresses], now));

    public async ValueTask DisposeAsync()
    {
        host.Hub.Deadlines.Clear(deadline);
        lock (gate)
        {
            foreach (byte[] packet in discovery.Goodbye())
                Send(new MdnsEffect.Send(packet, null));
        }
        await stopping.CancelAsync().ConfigureAwait(false);
        await receiving.ConfigureAwait(false);
        await running.DrainAsync().ConfigureAwait(false);
        socket.Dispose();
        stopping.Dispose();
    }

    private async Task ReceiveAsync()
    {
        await Task.Yield();
        byte[] buffer = new byte[DnsReader.BytesMax];
        var anybody = new IPEndPoint(IPAddress.Any, 0);
        while (true)
        {
            try
            {
                SocketReceiveFromResult received = await socket.ReceiveFromAsync(buffer, SocketFlags.None, anybody, stopping.Token).ConfigureAwait(false);
                Step((now, effects) => discovery.Receive(buffer.AsSpan(0, received.ReceivedBytes), (IPEndPoint)received.RemoteEndPoint, now, effects));
            }
            catch (Exception failure) when (failure is SocketException or OperationCanceledException or ObjectDisposedException)
            {
                HasFailed = true;
                return;
            }
        }
    }

    private async Task AdvanceAsync()
    {
        await Task.Yield();
        Step(discovery.Advance);
    }

    private void Step(Action<Instant, List<MdnsEffect>> step)
    {
        var effects = new List<MdnsEffect>();
        lock (gate)
        {
            step(host.Hub.Clock.Now, effects);
            if (!stopping.IsCancellationRequested)
                host.Hub.Deadlines.Set(deadline, discovery.NextDeadline);
            foreach (MdnsEffect.Send send in effects.OfType<MdnsEffect.Send>())
                Send(send);
        }
        foreach (MdnsEffect.Found peer in effects.OfType<MdnsEffect.Found>())
            found(peer.Peer, peer.Addresses);
    }

    // A datagram goes or does not: without a route there is nobody to hear it, and a full queue is a lost packet.
    private void Send(MdnsEffect.Send send)
    {
        try
        {
            socket.SendTo(send.Packet, send.To ?? new IPEndPoint(MdnsDiscovery.Group, MdnsDiscovery.Port));
        }
        catch (SocketException)
        {
        }
        catch (ObjectDisposedException)
        {
        }
    }
}
