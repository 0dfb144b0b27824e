using System.Net;
using System.Net.Sockets;

namespace Drap.Libp2p.Host.Dialing;

/// <summary>Counts those who have come and not proved who they are yet, in all and by where they come from. Thread-safe.</summary>
internal sealed class Strangers(HostLimits limits)
{
    private readonly Dictionary<UInt128, int> places = [];
    private int count;

    public bool TryEnter(IPAddress address)
    {
        lock (places)
        {
            if (count >= limits.HandshakesMax)
                return false;
            if (!IPAddress.IsLoopback(address))
            {
                UInt128 place = Place(address);
                places.TryGetValue(place, out int here);
                if (here >= limits.HandshakesPerAddressMax)
                    return false;
                places[place] = here + 1;
            }
            count++;
            return true;
        }
    }

    public void Leave(IPAddress address)
    {
        lock (places)
        {
            count--;
            if (IPAddress.IsLoopback(address))
                return;
            UInt128 place = Place(address);
            if (--places[place] == 0)
                places.Remove(place);
        }
    }

    // Whoever has one IPv6 address has a network of 64 bits of them.
    private static UInt128 Place(IPAddress address)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        address.TryWriteBytes(bytes, out int length);
        if (address.AddressFamily == AddressFamily.InterNetworkV6)
            bytes[8..length].Clear();
        return System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(bytes);
    }
}
