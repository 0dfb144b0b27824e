using System.Diagnostics.CodeAnalysis;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Keys;

/// <summary>
/// The public half of a peer's key, in libp2p's forms (libp2p/specs peer-ids). It never changes, compares by value, and may be used by
/// several threads at once.
/// </summary>
public sealed class PublicKey : IEquatable<PublicKey>
{
    /// <summary>The longest <see cref="Encoded"/> taken: an RSA key of 8192 bits takes 1064 bytes. Longer ones are refused unread.</summary>
    public const int EncodedBytesMax = 1100;

    // The longest signature that any key makes: RSA of 8192 bits.
    private const int SignatureBytesMax = PrivateKey.SignatureBytesMax;

    private readonly byte[] encoded;
    private readonly int dataLength;
    private readonly EvpKey? key; // null: Ed25519 by libsodium

    private PublicKey(KeyType type, ReadOnlySpan<byte> data, EvpKey? key)
    {
        Type = type;
        this.key = key;
        var writer = new ProtoWriter();
        writer.Number(1, (ulong)type);
        writer.Bytes(2, data);
        encoded = writer.ToArray();
        dataLength = data.Length;
        PeerId = PeerId.FromPublicKey(encoded);
    }

    /// <summary>The kind of key.</summary>
    public KeyType Type { get; }

    /// <summary>The name that follows from this key.</summary>
    public PeerId PeerId { get; }

    /// <summary>
    /// The key's own bytes, in the form of its kind: 32 for Ed25519, a compressed point of 33 for secp256k1, a SubjectPublicKeyInfo otherwise.
    /// </summary>
    public ReadOnlySpan<byte> Data => encoded.AsSpan(encoded.Length - dataLength);

    /// <summary>The protobuf form, which peers send and whose hash is the peer id. A key has only this one.</summary>
    public ReadOnlySpan<byte> Encoded => encoded;

    /// <summary>
    /// Reads the protobuf form, with its fields in any order and as RSA where the type is missing (encoders of proto3 leave a zero out); the peer
    /// id is of the canonical form all the same. False if it is no key of a kind and size that is taken.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<byte> protobuf, [NotNullWhen(true)] out PublicKey? key)
    {
        key = null;
        return protobuf.Length <= EncodedBytesMax && KeyMessage.TryRead(protobuf, out KeyType type, out ReadOnlySpan<byte> data)
            && TryCreate(type, data, out key);
    }

    /// <summary>Takes a key's own bytes (<see cref="Data"/>); false if they are no key of this kind.</summary>
    public static bool TryCreate(KeyType type, ReadOnlySpan<byte> data, [NotNullWhen(true)] out PublicKey? key)
    {
        key = null;
        if (data.Length > EncodedBytesMax)
            return false;
        EvpKey? evp = null;
        switch (type)
        {
            case KeyType.Ed25519:
                if (!Ed25519.IsPublicKey(data))
                    return false;
                if (!Sodium.IsPresent)
                    evp = EvpKey.FromRawPublic(EvpKey.Ed25519Type, data);
                break;
            case KeyType.Secp256k1:
                if (data.Length != 33 || data[0] is not (2 or 3))
                    return false;
                evp = EvpKey.TryReadPublic(EllipticCurve.Secp256k1.ToSubjectPublicKeyInfo(data));
                break;
            case KeyType.Ecdsa:
                if (EllipticCurve.IsSubjectPublicKeyInfo(data))
                    evp = EvpKey.TryReadPublic(data);
                break;
            case KeyType.Rsa:
                if (RsaForm.IsPublicKey(data))
                    evp = EvpKey.TryReadPublic(data);
                break;
            default:
                return false;
        }
        if (evp is null && !(type == KeyType.Ed25519 && Sodium.IsPresent))
            return false;
        key = new PublicKey(type, data, evp);
        return true;
    }

    /// <summary>The key that a peer id holds itself, as those of Ed25519 and secp256k1 keys do; false for a hash, or a key that is none.</summary>
    public static bool TryFromPeerId(PeerId peer, [NotNullWhen(true)] out PublicKey? key)
    {
        key = null;
        return peer.TryGetInlineKey(out ReadOnlySpan<byte> inline) && TryDecode(inline, out key) && key.PeerId == peer;
    }

    /// <summary>
    /// Whether <paramref name="signature"/> is this key's over <paramref name="message"/>. The same on every machine: Ed25519 refuses keys and
    /// R of small order, secp256k1 the higher S.
    /// </summary>
    public bool Verify(ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        switch (Type)
        {
            case KeyType.Ed25519:
                return Ed25519.IsSignature(signature)
                    && (key is null ? Sodium.Verify(Data, message, signature) : key.Verify(EvpHash.None, message, signature));
            case KeyType.Secp256k1:
                return signature.Length <= SignatureBytesMax && EllipticCurve.Secp256k1.IsLow(signature)
                    && key!.Verify(EvpHash.Sha256, message, signature);
            default:
                return signature.Length <= SignatureBytesMax && key!.Verify(EvpHash.Sha256, message, signature);
        }
    }

    /// <inheritdoc/>
    public bool Equals(PublicKey? other) => other is not null && Encoded.SequenceEqual(other.Encoded);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PublicKey);

    /// <inheritdoc/>
    public override int GetHashCode() => PeerId.GetHashCode();

    /// <summary>The kind and the peer id.</summary>
    public override string ToString() => $"{Type} {PeerId}";
}
