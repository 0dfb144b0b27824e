using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>Tells peers behind one address from others (P6).</summary>
internal static class PeerAddress
{
    /// <summary>A number for the machine or network behind an address; 0 for loopback, where tests run, and for what is no IP address.</summary>
    public static UInt128 NumberOf(Multiaddr address)
    {
        if (!address.TryGetTcp(out EndPoint? endPoint, out _) || endPoint is not IPEndPoint { Address: { } ip } || IPAddress.IsLoopback(ip))
            return 0;
        if (ip.IsIPv4MappedToIPv6)
            ip = ip.MapToIPv4();
        Span<byte> bytes = stackalloc byte[16];
        if (!ip.TryWriteBytes(bytes, out _))
            return 0;
        // Of IPv6 whoever has one address has a network of 64 bits.
        return ip.AddressFamily == AddressFamily.InterNetwork
            ? 0xffff_0000_0000UL | BinaryPrimitives.ReadUInt32BigEndian(bytes)
            : (UInt128)BinaryPrimitives.ReadUInt64BigEndian(bytes) << 64;
    }
}
