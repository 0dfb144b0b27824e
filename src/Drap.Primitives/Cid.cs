using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Drap;

/// <summary>
/// A content identifier, CIDv1 with sha2-256 (multiformats/cid): the name of a blob by what it holds. Printed in base32,
/// <c>bafkrei…</c> for raw leaves and <c>bafybei…</c> for dag-pb nodes, as <c>ipfs add --cid-version=1</c> prints it.
/// </summary>
public readonly record struct Cid : IComparable<Cid>
{
    /// <summary>Bytes of the binary form: version, codec, hash function, length, digest.</summary>
    public const int BytesLength = 36;

    private readonly UInt128 high, low;
    private readonly CidCodec codec;

    private Cid(CidCodec codec, ReadOnlySpan<byte> digest)
    {
        this.codec = codec;
        high = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(digest);
        low = System.Buffers.Binary.BinaryPrimitives.ReadUInt128BigEndian(digest[16..]);
    }

    /// <summary>What the hashed bytes are; default for the default value, which names nothing.</summary>
    public CidCodec Codec => codec;

    /// <summary>Whether this is the default value, which names nothing.</summary>
    public bool IsNone => codec == 0;

    /// <summary>The name of a block of the given kind with the given sha2-256 digest of 32 bytes.</summary>
    public static Cid FromDigest(CidCodec codec, ReadOnlySpan<byte> digest)
    {
        Invariant.Check(digest.Length == 32 && codec is CidCodec.Raw or CidCodec.DagPb);
        return new Cid(codec, digest);
    }

    /// <summary>The name of <paramref name="block"/>.</summary>
    public static Cid Of(CidCodec codec, ReadOnlySpan<byte> block)
    {
        Span<byte> digest = stackalloc byte[32];
        SHA256.HashData(block, digest);
        return new Cid(codec, digest);
    }

    /// <summary>Writes the sha2-256 digest, 32 bytes.</summary>
    public void CopyDigest(Span<byte> destination)
    {
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(destination, high);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt128BigEndian(destination[16..], low);
    }

    /// <summary>Writes the binary form, <see cref="BytesLength"/> bytes.</summary>
    public void CopyTo(Span<byte> destination)
    {
        destination[0] = 0x01;
        destination[1] = (byte)codec;
        destination[2] = 0x12;
        destination[3] = 0x20;
        CopyDigest(destination[4..]);
    }

    /// <summary>The binary form.</summary>
    public byte[] ToBytes()
    {
        byte[] bytes = new byte[BytesLength];
        CopyTo(bytes);
        return bytes;
    }

    /// <summary>Reads the binary form of a CIDv1 with codec raw or dag-pb and sha2-256; nothing else is taken.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, out Cid cid)
    {
        cid = default;
        if (bytes.Length != BytesLength || bytes[0] != 0x01 || bytes[1] is not ((byte)CidCodec.Raw or (byte)CidCodec.DagPb)
            || bytes[2] != 0x12 || bytes[3] != 0x20)
            return false;
        cid = new Cid((CidCodec)bytes[1], bytes[4..]);
        return true;
    }

    /// <summary>Reads the base32 text form, with or without a leading <c>ipfs://</c>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Cid cid)
    {
        cid = default;
        if (text is null)
            return false;
        if (text.StartsWith("ipfs://", StringComparison.Ordinal))
            text = text[7..];
        if (text.Length != 59 || text[0] != 'b')
            return false;
        return Multibase.TryDecode(text, out byte[]? bytes) && TryFromBytes(bytes, out cid);
    }

    /// <inheritdoc/>
    public int CompareTo(Cid other)
    {
        int byCodec = codec.CompareTo(other.codec);
        if (byCodec != 0)
            return byCodec;
        int byHigh = high.CompareTo(other.high);
        return byHigh != 0 ? byHigh : low.CompareTo(other.low);
    }

    /// <summary>The base32 text form; empty for the default value.</summary>
    public override string ToString()
    {
        if (IsNone)
            return "";
        Span<byte> bytes = stackalloc byte[BytesLength];
        CopyTo(bytes);
        return Multibase.Encode('b', bytes);
    }
}

/// <summary>What a CID's block holds (multicodec table).</summary>
public enum CidCodec : byte
{
    /// <summary>Plain bytes.</summary>
    Raw = 0x55,

    /// <summary>A dag-pb node, for UnixFS.</summary>
    DagPb = 0x70,
}
