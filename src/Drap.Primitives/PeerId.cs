using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using SimpleBase;

namespace Drap;

/// <summary>
/// The name of a node or of a scheduler as a role: the multihash of its public key (libp2p/specs, peer-ids). Ed25519 keys are
/// hashed by identity and print as <c>12D3KooW…</c>.
/// </summary>
public readonly struct PeerId : IEquatable<PeerId>, IComparable<PeerId>
{
    /// <summary>The longest multihash taken: 2 bytes of header and a 64-byte digest are more than any key type gives.</summary>
    public const int BytesMax = 66;

    // 68 bytes of CID in base16, its prefix, and some: longer text is refused unread.
    private const int TextLengthMax = 144;

    // Keys whose protobuf form is at most this long are named by themselves, longer ones by their hash.
    private const int InlineKeyBytesMax = 42;

    // A CIDv1 of a libp2p-key (multicodec 0x72).
    private static ReadOnlySpan<byte> CidHeader => [0x01, 0x72];

    private static readonly byte[] Ed25519Header = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

    private readonly byte[]? multihash;

    private PeerId(byte[] multihash) => this.multihash = multihash;

    /// <summary>The peer id of an Ed25519 public key of 32 bytes.</summary>
    public static PeerId FromEd25519(ReadOnlySpan<byte> publicKey)
    {
        Invariant.Check(publicKey.Length == 32);
        return new PeerId([.. Ed25519Header, .. publicKey]);
    }

    /// <summary>The peer id of a public key in libp2p's protobuf form.</summary>
    public static PeerId FromPublicKey(ReadOnlySpan<byte> encoded)
    {
        byte[] multihash = new byte[2 + (encoded.Length <= InlineKeyBytesMax ? encoded.Length : SHA256.HashSizeInBytes)];
        multihash[0] = (byte)(encoded.Length <= InlineKeyBytesMax ? 0x00 : 0x12);
        multihash[1] = (byte)(multihash.Length - 2);
        if (encoded.Length <= InlineKeyBytesMax)
            encoded.CopyTo(multihash.AsSpan(2));
        else
            SHA256.HashData(encoded, multihash.AsSpan(2));
        return new PeerId(multihash);
    }

    /// <summary>Takes the bytes of a multihash: an identity or a sha2-256 one whose length is as it says.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, out PeerId id)
    {
        id = default;
        if (bytes.Length is < 3 or > BytesMax || bytes[0] is not (0x00 or 0x12) || bytes[1] != bytes.Length - 2
            || (bytes[0] == 0x12 && bytes.Length != 2 + SHA256.HashSizeInBytes))
            return false;
        id = new PeerId(bytes.ToArray());
        return true;
    }

    /// <summary>
    /// Reads either text form: the multihash in base58btc (<c>12D3KooW…</c>, <c>Qm…</c>), or a CIDv1 of codec libp2p-key in any multibase of
    /// <see cref="Multibase"/> (<c>bafz…</c>, <c>k51…</c>; libp2p/specs RFC 0001).
    /// </summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out PeerId id)
    {
        id = default;
        if (string.IsNullOrEmpty(text) || text.Length > TextLengthMax)
            return false;
        return text[0] is '1' or 'Q'
            ? Multibase.TryDecode("z" + text, out byte[]? multihash) && TryFromBytes(multihash, out id)
            : Multibase.TryDecode(text, out byte[]? cid) && cid.AsSpan().StartsWith(CidHeader) && TryFromBytes(cid.AsSpan(2), out id);
    }

    /// <summary>The public key's protobuf form, where the id holds it itself (Ed25519, secp256k1); false where it is a hash.</summary>
    public bool TryGetInlineKey(out ReadOnlySpan<byte> encoded)
    {
        bool inline = multihash is [0x00, ..];
        encoded = inline ? multihash.AsSpan(2) : default;
        return inline;
    }

    /// <summary>The text form as a CIDv1 in base32, <c>bafz…</c>.</summary>
    public string ToCidText() => multihash is null ? "" : Multibase.Encode('b', [.. CidHeader, .. multihash]);

    /// <summary>The multihash; empty for the default value, which names nobody.</summary>
    public ReadOnlySpan<byte> Bytes => multihash;

    /// <summary>The last eight characters: enough to tell nodes apart on a screen.</summary>
    public string Short => ToString() is { Length: > 8 } text ? text[^8..] : ToString();

    /// <inheritdoc/>
    public bool Equals(PeerId other) => ReferenceEquals(multihash, other.multihash) || Bytes.SequenceEqual(other.Bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PeerId other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => Bytes.Length < 8 ? 0 : BitConverter.ToInt32(Bytes[^4..]);

    /// <inheritdoc/>
    public int CompareTo(PeerId other) => Bytes.SequenceCompareTo(other.Bytes);

    /// <summary>The base58btc form.</summary>
    public override string ToString() => multihash is null ? "" : Base58.Bitcoin.Encode(multihash);

    /// <summary>Whether two names are the same.</summary>
    public static bool operator ==(PeerId a, PeerId b) => a.Equals(b);

    /// <summary>Whether two names differ.</summary>
    public static bool operator !=(PeerId a, PeerId b) => !a.Equals(b);
}
