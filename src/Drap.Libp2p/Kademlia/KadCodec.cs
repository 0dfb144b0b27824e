using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// Messages of the DHT as bytes (libp2p/specs, kad-dht, "RPC messages"); on a stream a varint length stands before each. Reading never
/// throws and keeps no more than the bounds below: what is too much of an honest kind is left out, what cannot be honest makes the
/// message none.
/// </summary>
public static class KadCodec
{
    /// <summary>
    /// The longest message, without its length: a value of <see cref="ValueBytesMax"/>, and twice <see cref="PeersMax"/> peers with eight
    /// long addresses each. A longer one ends the stream.
    /// </summary>
    public const int MessageBytesMax = 192 * 1024;

    /// <summary>
    /// Bytes of a key: the largest are namespaces and the name of a topic or a peer. A longer one makes the message none.
    /// </summary>
    public const int KeyBytesMax = 1024;

    /// <summary>Bytes of a value, as in other implementations' stores. A longer one makes the message none.</summary>
    public const int ValueBytesMax = 64 * 1024;

    /// <summary>Peers read of each list: the k of an honest answer, and js adds the one asked for. Those after them are left out.</summary>
    public const int PeersMax = 32;

    /// <summary>
    /// Addresses read of one peer; those after them are left out, as are those that are none, are of protocols not known here, are longer
    /// than <see cref="AddressBytesMax"/>, or lead to somebody else: js refuses a whole answer that holds one bad address, so none is kept.
    /// </summary>
    public const int AddressesMax = 16;

    /// <summary>Bytes of one address that is kept and told: as long as a relayed one with two names is.</summary>
    public const int AddressBytesMax = 256;

    /// <summary>The message as bytes, without a length before it; its fields must be within the bounds, which is for us to see to.</summary>
    public static byte[] Encode(KadMessage message)
    {
        var writer = new ProtoWriter();
        writer.Number(1, (ulong)message.Type);
        if (message.Key.Length > 0)
            writer.Bytes(2, message.Key);
        if (message.Record is { } record)
        {
            int inner = writer.BeginMessage(3);
            writer.Bytes(1, record.Key);
            writer.Bytes(2, record.Value);
            if (record.Received is { } received)
                writer.Text(5, Rfc3339(received));
            writer.EndMessage(inner);
        }
        foreach (KadPeer peer in message.Closer)
            WritePeer(writer, 8, peer);
        foreach (KadPeer peer in message.Providers)
            WritePeer(writer, 9, peer);
        Invariant.Check(writer.Length <= MessageBytesMax);
        return writer.ToArray();
    }

    /// <summary>Reads a message; false if the bytes are none, or are more than is taken.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out KadMessage? message)
    {
        message = null;
        if (bytes.Length > MessageBytesMax)
            return false;
        // proto3 leaves a type of 0 out, so a message without one is a put.
        int type = 0;
        byte[] key = [];
        KadRecord? record = null;
        var closer = ImmutableArray.CreateBuilder<KadPeer>();
        var providers = ImmutableArray.CreateBuilder<KadPeer>();
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    type = reader.Int32();
                    break;
                case 2:
                    if (reader.Bytes().Length > KeyBytesMax)
                        return false;
                    key = reader.Bytes().ToArray();
                    break;
                case 3:
                    if (!TryReadRecord(reader.Bytes(), out record))
                        return false;
                    break;
                case 8:
                    if (closer.Count < PeersMax && TryReadPeer(reader.Bytes(), out KadPeer? near))
                        closer.Add(near);
                    break;
                case 9:
                    if (providers.Count < PeersMax && TryReadPeer(reader.Bytes(), out KadPeer? provider))
                        providers.Add(provider);
                    break;
            }
        }
        if (reader.Malformed || type is < 0 or > (int)KadMessageType.Ping)
            return false;
        message = new KadMessage((KadMessageType)type, key)
        {
            Record = record,
            Closer = closer.DrainToImmutable(),
            Providers = providers.DrainToImmutable(),
        };
        return true;
    }

    private static void WritePeer(ProtoWriter writer, int field, KadPeer peer)
    {
        int inner = writer.BeginMessage(field);
        writer.Bytes(1, peer.Id.Bytes);
        foreach (Multiaddr address in peer.Addresses)
            writer.Bytes(2, address.Bytes);
        // js reads a missing connection as none; go writes it always. Zero is left out, as proto3 does.
        if (peer.Connection != KadConnection.NotConnected)
            writer.Number(3, (ulong)peer.Connection);
        writer.EndMessage(inner);
    }

    // A peer that is none (an id that is no multihash) is left out: one bad entry of a list must not cost the good ones.
    private static bool TryReadPeer(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out KadPeer? peer)
    {
        peer = null;
        PeerId id = default;
        int connection = 0;
        var addresses = ImmutableArray.CreateBuilder<Multiaddr>();
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
                    if (addresses.Count < AddressesMax && reader.Bytes().Length <= AddressBytesMax
                        && Multiaddr.TryFromBytes(reader.Bytes(), out Multiaddr? address))
                        addresses.Add(address);
                    break;
                case 3:
                    connection = reader.Int32();
                    break;
            }
        }
        if (reader.Malformed || id == default)
            return false;
        addresses.RemoveAll(address => address.Peer is { } named && named != id);
        peer = new KadPeer(id, addresses.DrainToImmutable())
        {
            Connection = connection is >= 0 and <= 3 ? (KadConnection)connection : KadConnection.NotConnected,
        };
        return true;
    }

    private static bool TryReadRecord(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out KadRecord? record)
    {
        record = null;
        byte[] key = [], value = [];
        UtcTime? received = null;
        var reader = new ProtoReader(bytes);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case 1:
                    if (reader.Bytes().Length > KeyBytesMax)
                        return false;
                    key = reader.Bytes().ToArray();
                    break;
                case 2:
                    if (reader.Bytes().Length > ValueBytesMax)
                        return false;
                    value = reader.Bytes().ToArray();
                    break;
                case 5:
                    // The time is the sender's word and serves nobody here; one that cannot be read is no time.
                    received = reader.Bytes().Length <= 40 && DateTimeOffset.TryParse(
                        reader.Text(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out DateTimeOffset time)
                        ? new UtcTime(time.ToUnixTimeMilliseconds()) : null;
                    break;
            }
        }
        if (reader.Malformed)
            return false;
        record = new KadRecord(key, value, received);
        return true;
    }

    // With nine digits of a second and Z, the one form that js reads.
    private static string Rfc3339(UtcTime time) => DateTimeOffset.FromUnixTimeMilliseconds(time.Milliseconds)
        .ToString("yyyy-MM-dd'T'HH:mm:ss.fff'000000Z'", CultureInfo.InvariantCulture);
}
