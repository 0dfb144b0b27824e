using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Keys;

/// <summary>
/// A peer's key, in libp2p's forms (libp2p/specs peer-ids). May be used by several threads at once, but not while it is disposed, which
/// clears it from memory. Its randomness is given: none is drawn here, but for the nonces of ECDSA signatures, which OpenSSL draws itself.
/// </summary>
public sealed class PrivateKey : IDisposable
{
    /// <summary>Bytes of an Ed25519 seed.</summary>
    public const int SeedBytes = Ed25519.SeedBytes;

    /// <summary>Random bytes from which a secp256k1 or P-256 key is made: 16 more than its number has, so that every number is as likely.</summary>
    public const int RandomBytes = 48;

    /// <summary>The longest signature of any key, in bytes: RSA of 8192 bits.</summary>
    public const int SignatureBytesMax = 1024;

    /// <summary>The longest protobuf form taken, in bytes: an RSA key of 8192 bits takes about 4.7 KiB.</summary>
    public const int EncodedBytesMax = 8192;

    private readonly byte[] data; // the form of its kind, as the protobuf message holds it; Ed25519: seed, then public key
    private readonly EvpKey? key; // null: Ed25519 by libsodium

    private PrivateKey(PublicKey publicKey, ReadOnlySpan<byte> data, EvpKey? key)
    {
        PublicKey = publicKey;
        this.key = key;
        // Pinned, so that the collector leaves no copies behind.
        this.data = GC.AllocateUninitializedArray<byte>(data.Length, pinned: true);
        data.CopyTo(this.data);
    }

    /// <summary>The kind of key.</summary>
    public KeyType Type => PublicKey.Type;

    /// <summary>The public half.</summary>
    public PublicKey PublicKey { get; }

    /// <summary>The name that follows from this key.</summary>
    public PeerId PeerId => PublicKey.PeerId;

    /// <summary>The Ed25519 key of this seed, 32 random bytes.</summary>
    public static PrivateKey FromSeed(ReadOnlySpan<byte> seed)
    {
        Invariant.Check(seed.Length == SeedBytes);
        Span<byte> both = stackalloc byte[SeedBytes + Ed25519.PublicKeyBytes];
        seed.CopyTo(both);
        Ed25519.PublicKeyOf(seed, both[SeedBytes..]);
        PrivateKey? made = FromEd25519(both);
        CryptographicOperations.ZeroMemory(both);
        Invariant.Check(made is not null);
        return made;
    }

    /// <summary>
    /// A key of the given kind (Ed25519, secp256k1, or ECDSA on P-256) from <see cref="RandomBytes"/> random bytes. RSA keys are made by
    /// <see cref="RSA.Create(int)"/> and taken by <see cref="FromRsa"/>.
    /// </summary>
    public static PrivateKey FromRandom(KeyType type, ReadOnlySpan<byte> random)
    {
        Invariant.Check(random.Length == RandomBytes && type is KeyType.Ed25519 or KeyType.Secp256k1 or KeyType.Ecdsa);
        if (type == KeyType.Ed25519)
            return FromSeed(random[..SeedBytes]);
        EllipticCurve curve = type == KeyType.Secp256k1 ? EllipticCurve.Secp256k1 : EllipticCurve.P256;
        Span<byte> number = stackalloc byte[32];
        curve.PrivateNumber(random, number);
        PrivateKey? made = type == KeyType.Secp256k1 ? FromSecp256k1(number) : FromP256(number);
        CryptographicOperations.ZeroMemory(number);
        Invariant.Check(made is not null);
        return made;
    }

    /// <summary>Takes an RSA key of 2048 to 8192 bits that the framework made. The object is not kept.</summary>
    /// <exception cref="ArgumentException">The key is shorter or longer, or has an even or a huge exponent.</exception>
    public static PrivateKey FromRsa(RSA rsa)
    {
        byte[] der = rsa.ExportRSAPrivateKey();
        PrivateKey? made = FromPkcs1(der);
        CryptographicOperations.ZeroMemory(der);
        return made ?? throw new ArgumentException("an RSA key of 2048 to 8192 bits is needed", nameof(rsa));
    }

    /// <summary>
    /// Reads the protobuf form, such as a key file holds. False if it is no private key of a kind that is taken, or its halves do not
    /// belong together. Ed25519 keys may carry their public half twice, as old files do.
    /// </summary>
    public static bool TryDecode(ReadOnlySpan<byte> protobuf, [NotNullWhen(true)] out PrivateKey? key)
    {
        key = null;
        if (protobuf.Length > EncodedBytesMax || !KeyMessage.TryRead(protobuf, out KeyType type, out ReadOnlySpan<byte> data))
            return false;
        key = type switch
        {
            KeyType.Ed25519 => FromEd25519(data),
            KeyType.Secp256k1 => FromSecp256k1(data),
            KeyType.Ecdsa => FromSec1(data),
            KeyType.Rsa => FromPkcs1(data),
            _ => null,
        };
        return key is not null;
    }

    /// <summary>The protobuf form. It is the secret: keep it where only its owner reads, and clear it after use.</summary>
    public byte[] Encode()
    {
        byte[] encoded = new byte[3 + UnsignedVarint.Length((ulong)data.Length) + data.Length];
        encoded[0] = 1 << 3; // Type, a varint
        encoded[1] = (byte)Type;
        encoded[2] = (2 << 3) | (int)WireType.Bytes; // Data
        data.CopyTo(encoded, 3 + UnsignedVarint.Write(encoded.AsSpan(3), (ulong)data.Length));
        return encoded;
    }

    /// <summary>Signs, and returns the signature's length; the destination must have room for <see cref="SignatureBytesMax"/>, for Ed25519 64.</summary>
    public int Sign(ReadOnlySpan<byte> message, Span<byte> signature)
    {
        switch (Type)
        {
            case KeyType.Ed25519 when key is null:
                Sodium.Sign(data, message, signature[..Ed25519.SignatureBytes]);
                return Ed25519.SignatureBytes;
            case KeyType.Ed25519:
                return key.Sign(EvpHash.None, message, signature);
            case KeyType.Secp256k1:
                return EllipticCurve.Secp256k1.Lower(signature, key!.Sign(EvpHash.Sha256, message, signature));
            default:
                return key!.Sign(EvpHash.Sha256, message, signature);
        }
    }

    /// <summary>Signs.</summary>
    public byte[] Sign(ReadOnlySpan<byte> message)
    {
        Span<byte> signature = stackalloc byte[SignatureBytesMax];
        return signature[..Sign(message, signature)].ToArray();
    }

    /// <summary>Clears the key from memory.</summary>
    public void Dispose()
    {
        CryptographicOperations.ZeroMemory(data);
        key?.Dispose();
    }

    private static PrivateKey? FromEd25519(ReadOnlySpan<byte> data)
    {
        if (data.Length != 64 && !(data.Length == 96 && data[64..].SequenceEqual(data[32..64])))
            return null;
        Span<byte> publicKey = stackalloc byte[Ed25519.PublicKeyBytes];
        Ed25519.PublicKeyOf(data[..32], publicKey);
        if (!publicKey.SequenceEqual(data[32..64]) || !PublicKey.TryCreate(KeyType.Ed25519, publicKey, out PublicKey? known))
            return null;
        return new PrivateKey(known, data[..64], Sodium.IsPresent ? null : EvpKey.FromRawPrivate(EvpKey.Ed25519Type, data[..32]));
    }

    private static PrivateKey? FromSecp256k1(ReadOnlySpan<byte> number)
    {
        EllipticCurve curve = EllipticCurve.Secp256k1;
        if (!curve.IsPrivateNumber(number) || curve.TryMakeKey(number) is not { } key)
            return null;
        // The form ends with the point: 04, x, y. Compressed it is 02 or 03 by the parity of y, and x.
        ReadOnlySpan<byte> point = key.ToSubjectPublicKeyInfo().AsSpan(^65..);
        return Checked(KeyType.Secp256k1, [(byte)(2 + (point[64] & 1)), .. point[1..33]], number, key);
    }

    private static PrivateKey? FromP256(ReadOnlySpan<byte> number)
    {
        EllipticCurve curve = EllipticCurve.P256;
        if (curve.TryMakeKey(number) is not { } key)
            return null;
        byte[] info = key.ToSubjectPublicKeyInfo();
        return Checked(KeyType.Ecdsa, info, curve.ToEcPrivateKey(number, info.AsSpan(^65..)), key);
    }

    private static PrivateKey? FromSec1(ReadOnlySpan<byte> der) =>
        EvpKey.TryReadEcPrivate(der) is { } key ? Checked(KeyType.Ecdsa, key.ToSubjectPublicKeyInfo(), der, key) : null;

    private static PrivateKey? FromPkcs1(ReadOnlySpan<byte> der) =>
        RsaForm.IsPrivateKey(der) && EvpKey.TryReadRsaPrivate(der) is { } key
            ? Checked(KeyType.Rsa, key.ToSubjectPublicKeyInfo(), der, key)
            : null;

    // A file may hold halves, or primes, that do not belong together; then it signs what nobody can verify.
    private static PrivateKey? Checked(KeyType type, ReadOnlySpan<byte> publicData, ReadOnlySpan<byte> data, EvpKey key)
    {
        if (PublicKey.TryCreate(type, publicData, out PublicKey? known))
        {
            var made = new PrivateKey(known, data, key);
            ReadOnlySpan<byte> probe = "do the halves belong together?"u8;
            Span<byte> signature = stackalloc byte[SignatureBytesMax];
            if (key.TrySign(EvpHash.Sha256, probe, signature, out _) && known.Verify(probe, made.Sign(probe)))
                return made;
            made.Dispose();
        }
        key.Dispose();
        return null;
    }
}
