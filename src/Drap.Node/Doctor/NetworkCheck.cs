using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Security.Cryptography;
using Drap.Libp2p.Multiformats;
using Drap.Node.Config;

namespace Drap.Node.Doctor;

/// <summary>Whether the node can listen where it is to, and be found on the LAN.</summary>
internal static class NetworkCheck
{
    /// <summary>Multicast DNS (RFC 6762, 3). What is sent here goes to another port, where nobody but this process listens.</summary>
    private static readonly IPAddress Group = IPAddress.Parse("224.0.0.251");

    /// <summary>A packet to oneself comes within a millisecond; a machine may be busy.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    public static async Task<IEnumerable<Finding>> ExamineAsync(NodeSpec spec, int? lastPort, bool isServed, CancellationToken cancel)
    {
        var found = new List<Finding>();
        foreach (Multiaddr address in spec.Listen.IsEmpty ? [Multiaddr.FromTcp(IPAddress.Any, lastPort ?? 0)] : spec.Listen.Select(a => a.Value))
            found.Add(Listen(address, isServed, isChosen: spec.Listen.IsEmpty));
        found.Add(spec.Mdns ? await MulticastAsync(cancel).ConfigureAwait(false) : Finding.Ok("mdns", "your settings want none"));
        return found;
    }

    internal static Finding Listen(Multiaddr address, bool isServed, bool isChosen)
    {
        const string other = "say another with listen in node.yaml or --listen, or end what listens there";
        if (!address.TryGetTcp(out EndPoint? at, out _) || at is not IPEndPoint ip)
            return Finding.Warn("port", $"{address} is no IP address with a TCP port: it was not tried", "");
        try
        {
            using var socket = new Socket(ip.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(ip);
            socket.Listen(1);
            return Finding.Ok("port", ip.Port == 0 ? $"it can listen at {address}, on any free port" : $"it can listen at {address}");
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse && isServed)
        {
            return Finding.Ok("port", $"the node of this home listens at {address}");
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse && isChosen)
        {
            return Finding.Warn("port", $"somebody else listens at {address}, the port of the last time: the node will take another, which older tickets do not name", other);
        }
        catch (SocketException e)
        {
            return Finding.Fail("port", $"it cannot listen at {address}: {e.Message}", other);
        }
    }

    private static async Task<Finding> MulticastAsync(CancellationToken cancel)
    {
        const string remedy = "ip link set DEVICE multicast on; ip route add 224.0.0.0/4 dev DEVICE; or mdns: false, and tickets with addresses";
        NetworkInterface[] all = [.. NetworkInterface.GetAllNetworkInterfaces().Where(i => i.OperationalStatus is OperationalStatus.Up or OperationalStatus.Unknown && i.SupportsMulticast)];
        if (!all.Any(i => i.NetworkInterfaceType != NetworkInterfaceType.Loopback))
            return Finding.Warn("mdns", "no network here takes multicast: nodes on the LAN are not found without addresses", remedy);
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
            socket.Bind(new IPEndPoint(IPAddress.Any, 0));
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.AddMembership, new MulticastOption(Group));
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastLoopback, true);
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastTimeToLive, 0);
            byte[] word = RandomNumberGenerator.GetBytes(16), heard = new byte[16];
            await socket.SendToAsync(word, SocketFlags.None, new IPEndPoint(Group, ((IPEndPoint)socket.LocalEndPoint!).Port), cancel).ConfigureAwait(false);
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancel);
            limit.CancelAfter(Patience);
            do
                await socket.ReceiveAsync(heard, SocketFlags.None, limit.Token).ConfigureAwait(false);
            while (!heard.AsSpan().SequenceEqual(word));
            return Finding.Ok("mdns", $"multicast goes out and comes in; networks: {string.Join(", ", all.Select(i => i.Name))}");
        }
        catch (OperationCanceledException) when (!cancel.IsCancellationRequested)
        {
            return Finding.Warn("mdns", "a multicast packet went out and did not come back: nodes on the LAN are probably not found without addresses", remedy);
        }
        catch (SocketException e)
        {
            return Finding.Warn("mdns", $"multicast does not work here ({e.Message}): nodes on the LAN are not found without addresses", remedy);
        }
    }
}
