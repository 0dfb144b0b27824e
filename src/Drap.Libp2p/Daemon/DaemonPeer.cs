using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Daemon;

/// <summary>A peer and addresses of it, as binary multiaddrs that nobody has looked into yet.</summary>
public sealed record DaemonPeer(PeerId Id, ImmutableArray<byte[]> Addresses)
{
    /// <summary>The addresses that are understood here; of the others nobody could make use.</summary>
    public IEnumerable<Multiaddr> ReadAddresses()
    {
        foreach (byte[] bytes in Addresses)
        {
            if (Multiaddr.TryFromBytes(bytes, out Multiaddr? address))
                yield return address;
        }
    }

    internal void WriteTo(ProtoWriter writer, int field)
    {
        int message = writer.BeginMessage(field);
        writer.Bytes(1, Id.Bytes);
        foreach (byte[] address in Addresses)
            writer.Bytes(2, address);
        writer.EndMessage(message);
    }

    /// <summary>Reads one; false if it is none. Addresses beyond <see cref="DaemonProtocol"/>'s bounds are left out.</summary>
    internal static bool TryDecode(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out DaemonPeer? peer)
    {
        peer = null;
        PeerId id = default;
        var addresses = ImmutableArray.CreateBuilder<byte[]>();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    if (!PeerId.TryFromBytes(reader.Bytes(), out id))
                        return false;
                    break;
                case 2:
                    if (addresses.Count < DaemonProtocol.AddressesMax && reader.Bytes() is { IsEmpty: false, Length: <= DaemonProtocol.AddressBytesMax } address)
                        addresses.Add(address.ToArray());
                    break;
            }
        }
        if (reader.Malformed || id == default)
            return false;
        peer = new DaemonPeer(id, addresses.DrainToImmutable());
        return true;
    }
}
