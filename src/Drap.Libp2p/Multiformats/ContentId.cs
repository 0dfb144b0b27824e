using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Multiformats;

/// <summary>
/// A content identifier of either version, any codec and any hash function (multiformats/cid), as a DHT's providers are asked for by. Drap's own
/// blobs have the narrower <see cref="Cid"/>.
/// </summary>
public sealed class ContentId : IEquatable<ContentId>
{
    /// <summary>The longest binary form taken: version, codec, and a multihash of the longest digest.</summary>
    public const int BytesMax = 1 + UnsignedVarint.BytesMax + UnsignedVarint.BytesMax + 2 + Multiformats.Multihash.DigestBytesMax;

    private const ulong DagPb = 0x70;

    private readonly byte[] bytes;
    private readonly int multihashStart;

    private ContentId(byte[] bytes, ulong version, ulong codec, int multihashStart)
    {
        this.bytes = bytes;
        Version = (int)version;
        Codec = codec;
        this.multihashStart = multihashStart;
    }

    /// <summary>0 or 1.</summary>
    public int Version { get; }

    /// <summary>What the named block is, by the multicodec table; dag-pb for version 0.</summary>
    public ulong Codec { get; }

    /// <summary>The binary form.</summary>
    public ReadOnlySpan<byte> Bytes => bytes;

    /// <summary>The multihash: what providers are kept under, whatever version and codec are asked for.</summary>
    public ReadOnlySpan<byte> Multihash => bytes.AsSpan(multihashStart);

    /// <summary>Reads the binary form; false if it is none, or of another version.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out ContentId? id)
    {
        id = null;
        if (bytes.Length > BytesMax)
            return false;
        // Version 0 is a bare sha2-256 multihash, whose first byte is no version.
        if (bytes is [(byte)Multiformats.Multihash.Sha256, 32, ..])
        {
            if (bytes.Length != 34)
                return false;
            id = new ContentId(bytes.ToArray(), 0, DagPb, 0);
            return true;
        }
        if (UnsignedVarint.TryRead(bytes, out ulong version, out int versionBytes) != VarintStatus.Done || version != 1
            || UnsignedVarint.TryRead(bytes[versionBytes..], out ulong codec, out int codecBytes) != VarintStatus.Done
            || !Multiformats.Multihash.TryRead(bytes[(versionBytes + codecBytes)..], out _, out _))
            return false;
        id = new ContentId(bytes.ToArray(), 1, codec, versionBytes + codecBytes);
        return true;
    }

    /// <summary>Reads the text form: version 0 in base58btc (<c>Qm…</c>), version 1 in any base of <see cref="Multibase"/>.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out ContentId? id)
    {
        id = null;
        if (text is null || text.Length > 2 * BytesMax + 1)
            return false;
        if (text.StartsWith("Qm", StringComparison.Ordinal) && text.Length == 46)
            return Multibase.TryDecode("z" + text, out byte[]? hash) && TryFromBytes(hash, out id) && id.Version == 0;
        if (!Multibase.TryDecode(text, out byte[]? bytes) || !TryFromBytes(bytes, out ContentId? read) || read.Version != 1)
            return false;
        id = read;
        return true;
    }

    /// <inheritdoc/>
    public bool Equals(ContentId? other) => other is not null && Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ContentId);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(bytes);
        return hash.ToHashCode();
    }

    /// <summary>The text form: base58btc for version 0, base32 for version 1.</summary>
    public override string ToString() => Version == 0 ? Multibase.Encode('z', bytes)[1..] : Multibase.Encode('b', bytes);
}
