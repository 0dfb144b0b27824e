using System.Diagnostics.CodeAnalysis;
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

    private static readonly byte[] Ed25519Header = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

    private readonly byte[]? multihash;

    private PeerId(byte[] multihash) => this.multihash = multihash;

    /// <summary>The peer id of an Ed25519 public key of 32 bytes.</summary>
    public static PeerId FromEd25519(ReadOnlySpan<byte> publicKey)
    {
        Invariant.Check(publicKey.Length == 32);
        return new PeerId([.. Ed25519Header, .. publicKey]);
    }

    /// <summary>Takes the bytes of a multihash: an identity or a sha2-256 one whose length is as it says.</summary>
    public static bool TryFromBytes(ReadOnlySpan<byte> bytes, out PeerId id)
    {
        id = default;
        if (bytes.Length is < 3 or > BytesMax || bytes[0] is not (0x00 or 0x12) || bytes[1] != bytes.Length - 2)
            return false;
        id = new PeerId(bytes.ToArray());
        return true;
    }

    /// <summary>Reads the base58btc form.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out PeerId id)
    {
        id = default;
        if (string.IsNullOrEmpty(text) || text.Length > 96)
            return false;
        byte[] bytes = new byte[BytesMax + 32];
        return Base58.Bitcoin.TryDecode(text, bytes, out int written) && TryFromBytes(bytes.AsSpan(0, written), out id);
    }

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
