using System.Buffers.Binary;
using System.Numerics;
using System.Security.Cryptography;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// A place in the DHT's space of 256 bits, and a distance in it: both are what the XOR of two places is. Peers and contents stand where
/// the sha2-256 of their bytes says (libp2p/specs, kad-dht, "Distance"). Ordered as the number it is, the first bit being the highest.
/// </summary>
public readonly record struct KadKey : IComparable<KadKey>
{
    /// <summary>Bits of a key.</summary>
    public const int Bits = 256;

    private readonly ulong a, b, c, d;

    /// <summary>The key of four words, the highest first.</summary>
    public KadKey(ulong a, ulong b, ulong c, ulong d)
    {
        this.a = a;
        this.b = b;
        this.c = c;
        this.d = d;
    }

    /// <summary>Where <paramref name="content"/> stands: a record's key, a multihash, the bytes of a peer id.</summary>
    public static KadKey Of(ReadOnlySpan<byte> content)
    {
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(content, digest);
        return FromBytes(digest);
    }

    /// <summary>Where a peer stands.</summary>
    public static KadKey Of(PeerId peer) => Of(peer.Bytes);

    /// <summary>The key of 32 bytes.</summary>
    public static KadKey FromBytes(ReadOnlySpan<byte> bytes)
    {
        Invariant.Check(bytes.Length == 32);
        return new KadKey(
            BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]));
    }

    /// <summary>The first 64 bits: as a distance, which share of the whole space it spans, in units of 2^-64.</summary>
    public ulong High => a;

    /// <summary>The distance between two places.</summary>
    public static KadKey operator ^(KadKey x, KadKey y) => new(x.a ^ y.a, x.b ^ y.b, x.c ^ y.c, x.d ^ y.d);

    /// <summary>The bits that two keys have in common from the first on; <see cref="Bits"/> for equal ones.</summary>
    public int CommonPrefix(KadKey other)
    {
        KadKey distance = this ^ other;
        return distance.a != 0 ? BitOperations.LeadingZeroCount(distance.a)
            : distance.b != 0 ? 64 + BitOperations.LeadingZeroCount(distance.b)
            : distance.c != 0 ? 128 + BitOperations.LeadingZeroCount(distance.c)
            : 192 + BitOperations.LeadingZeroCount(distance.d);
    }

    /// <inheritdoc/>
    public int CompareTo(KadKey other)
    {
        int order = a.CompareTo(other.a);
        if (order == 0)
            order = b.CompareTo(other.b);
        if (order == 0)
            order = c.CompareTo(other.c);
        return order != 0 ? order : d.CompareTo(other.d);
    }

    /// <inheritdoc/>
    public override int GetHashCode() => (int)d;

    /// <summary>Whether the first is the smaller, as distances: nearer.</summary>
    public static bool operator <(KadKey x, KadKey y) => x.CompareTo(y) < 0;

    /// <summary>Whether the first is the larger, as distances: farther.</summary>
    public static bool operator >(KadKey x, KadKey y) => x.CompareTo(y) > 0;

    /// <summary>64 hexadecimal digits.</summary>
    public override string ToString() => $"{a:x16}{b:x16}{c:x16}{d:x16}";
}
