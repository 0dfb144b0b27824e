using System.Runtime.InteropServices;

namespace Drap.Libp2p.Keys;

/// <summary>
/// A key as OpenSSL 3 keeps it, in the library that .NET itself uses: .NET has no type for Ed25519 and X25519, and does not promise that its
/// RSA and ECDSA objects may be used by several threads. OpenSSL promises it for a key that is only read.
/// </summary>
internal sealed unsafe partial class EvpKey : SafeHandle
{
    private const string Library = "libcrypto.so.3";

    // Numbers of OpenSSL's object table (openssl/obj_mac.h).
    private const int RsaType = 6, EcType = 408;

    public const int X25519Type = 1034, Ed25519Type = 1087;

    // Made by the marshaller, which puts the pointer in.
    public EvpKey()
        : base(0, ownsHandle: true)
    {
    }

    public override bool IsInvalid => handle == 0;

    /// <summary>The private key whose raw bytes these are (Ed25519, X25519).</summary>
    public static EvpKey FromRawPrivate(int type, ReadOnlySpan<byte> raw) =>
        Made(EVP_PKEY_new_raw_private_key(type, 0, raw, (nuint)raw.Length), "a raw private key")!;

    /// <summary>The public key whose raw bytes these are (Ed25519, X25519); any bytes of the right length are taken.</summary>
    public static EvpKey FromRawPublic(int type, ReadOnlySpan<byte> raw) =>
        Made(EVP_PKEY_new_raw_public_key(type, 0, raw, (nuint)raw.Length), "a raw public key")!;

    /// <summary>Reads a SubjectPublicKeyInfo; null if OpenSSL sees no key in it, such as a point that is not on its curve.</summary>
    public static EvpKey? TryReadPublic(ReadOnlySpan<byte> subjectPublicKeyInfo)
    {
        fixed (byte* start = subjectPublicKeyInfo)
        {
            byte* at = start;
            return Whole(Made(d2i_PUBKEY(0, ref at, new CLong(subjectPublicKeyInfo.Length)), null), at == start + subjectPublicKeyInfo.Length);
        }
    }

    /// <summary>Reads an RSAPrivateKey (PKCS #1); null if OpenSSL sees no key in it.</summary>
    public static EvpKey? TryReadRsaPrivate(ReadOnlySpan<byte> der) => TryReadPrivate(RsaType, der);

    /// <summary>Reads an ECPrivateKey (SEC 1) that names its curve; null if OpenSSL sees no key in it.</summary>
    public static EvpKey? TryReadEcPrivate(ReadOnlySpan<byte> der) => TryReadPrivate(EcType, der);

    /// <summary>The raw public key of 32 bytes (Ed25519, X25519).</summary>
    public void CopyRawPublic(Span<byte> destination)
    {
        nuint length = (nuint)destination.Length;
        Require(EVP_PKEY_get_raw_public_key(this, destination, ref length) == 1, "the raw public key");
    }

    /// <summary>The public half as a SubjectPublicKeyInfo.</summary>
    public byte[] ToSubjectPublicKeyInfo()
    {
        byte* nowhere = null;
        int length = i2d_PUBKEY(this, ref nowhere);
        Require(length > 0, "the public key's form");
        byte[] der = new byte[length];
        fixed (byte* start = der)
        {
            byte* at = start;
            Require(i2d_PUBKEY(this, ref at) == length, "the public key's form");
        }
        return der;
    }

    /// <summary>Signs, and returns the bytes written.</summary>
    public int Sign(EvpHash hash, ReadOnlySpan<byte> message, Span<byte> signature)
    {
        Require(TrySign(hash, message, signature, out int length), "a signature");
        return length;
    }

    /// <summary>Signs; false if the key's numbers do not fit together, as OpenSSL finds out with some.</summary>
    public bool TrySign(EvpHash hash, ReadOnlySpan<byte> message, Span<byte> signature, out int length)
    {
        nint context = EVP_MD_CTX_new();
        Require(context != 0, "a context");
        try
        {
            nuint written = (nuint)signature.Length;
            bool good = EVP_DigestSignInit(context, 0, Algorithm(hash), 0, this) == 1
                && EVP_DigestSign(context, signature, ref written, NotNull(message), (nuint)message.Length) == 1;
            if (!good)
                ERR_clear_error(); // or .NET's next call on this thread would read ours
            length = good ? (int)written : 0;
            return good;
        }
        finally
        {
            EVP_MD_CTX_free(context);
        }
    }

    /// <summary>Whether the signature is this key's.</summary>
    public bool Verify(EvpHash hash, ReadOnlySpan<byte> message, ReadOnlySpan<byte> signature)
    {
        nint context = EVP_MD_CTX_new();
        Require(context != 0, "a context");
        try
        {
            Require(EVP_DigestVerifyInit(context, 0, Algorithm(hash), 0, this) == 1, "a verification");
            bool good = EVP_DigestVerify(context, NotNull(signature), (nuint)signature.Length, NotNull(message), (nuint)message.Length) == 1;
            if (!good)
                ERR_clear_error();
            return good;
        }
        finally
        {
            EVP_MD_CTX_free(context);
        }
    }

    /// <summary>The secret that this private key and <paramref name="peer"/> share; false if it is all zero (a point of small order).</summary>
    public bool TryDerive(EvpKey peer, Span<byte> secret)
    {
        nint context = EVP_PKEY_CTX_new(this, 0);
        Require(context != 0, "a context");
        try
        {
            nuint length = (nuint)secret.Length;
            Require(EVP_PKEY_derive_init(context) == 1, "a derivation");
            bool good = EVP_PKEY_derive_set_peer(context, peer) == 1 && EVP_PKEY_derive(context, secret, ref length) == 1;
            if (!good)
                ERR_clear_error();
            return good;
        }
        finally
        {
            EVP_PKEY_CTX_free(context);
        }
    }

    protected override bool ReleaseHandle()
    {
        EVP_PKEY_free(handle); // which clears what is secret
        return true;
    }

    private static EvpKey? TryReadPrivate(int type, ReadOnlySpan<byte> der)
    {
        fixed (byte* start = der)
        {
            byte* at = start;
            return Whole(Made(d2i_PrivateKey(type, 0, ref at, new CLong(der.Length)), null), at == start + der.Length);
        }
    }

    // OpenSSL reads a key at the start of what it is given and does not mind what follows.
    private static EvpKey? Whole(EvpKey? key, bool whole)
    {
        if (whole)
            return key;
        key?.Dispose();
        return null;
    }

    // What must succeed says so in words; what may fail says null.
    private static EvpKey? Made(EvpKey key, string? what)
    {
        if (!key.IsInvalid)
            return key;
        key.Dispose();
        ERR_clear_error();
        Require(what is null, what);
        return null;
    }

    private static void Require(bool condition, string? what)
    {
        if (!condition)
            throw new InvalidOperationException($"OpenSSL does not give {what}: libcrypto 3 with its default provider is needed");
    }

    private static nint Algorithm(EvpHash hash) => hash switch
    {
        EvpHash.None => 0,
        EvpHash.Sha256 => EVP_sha256(),
        EvpHash.Sha384 => EVP_sha384(),
        EvpHash.Sha512 => EVP_sha512(),
        _ => throw new ArgumentOutOfRangeException(nameof(hash)),
    };

    // OpenSSL takes a null pointer for "tell me the length", not for "nothing".
    private static ReadOnlySpan<byte> NotNull(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? "\0"u8 : bytes;

    [LibraryImport(Library)]
    private static partial EvpKey EVP_PKEY_new_raw_private_key(int type, nint engine, ReadOnlySpan<byte> raw, nuint length);

    [LibraryImport(Library)]
    private static partial EvpKey EVP_PKEY_new_raw_public_key(int type, nint engine, ReadOnlySpan<byte> raw, nuint length);

    [LibraryImport(Library)]
    private static partial int EVP_PKEY_get_raw_public_key(EvpKey key, Span<byte> raw, ref nuint length);

    [LibraryImport(Library)]
    private static partial EvpKey d2i_PUBKEY(nint reuse, ref byte* der, CLong length);

    [LibraryImport(Library)]
    private static partial EvpKey d2i_PrivateKey(int type, nint reuse, ref byte* der, CLong length);

    [LibraryImport(Library)]
    private static partial int i2d_PUBKEY(EvpKey key, ref byte* der);

    [LibraryImport(Library)]
    private static partial void EVP_PKEY_free(nint key);

    [LibraryImport(Library)]
    private static partial nint EVP_sha256();

    [LibraryImport(Library)]
    private static partial nint EVP_sha384();

    [LibraryImport(Library)]
    private static partial nint EVP_sha512();

    [LibraryImport(Library)]
    private static partial nint EVP_MD_CTX_new();

    [LibraryImport(Library)]
    private static partial void EVP_MD_CTX_free(nint context);

    [LibraryImport(Library)]
    private static partial int EVP_DigestSignInit(nint context, nint keyContext, nint hash, nint engine, EvpKey key);

    [LibraryImport(Library)]
    private static partial int EVP_DigestSign(nint context, Span<byte> signature, ref nuint length, ReadOnlySpan<byte> message, nuint messageLength);

    [LibraryImport(Library)]
    private static partial int EVP_DigestVerifyInit(nint context, nint keyContext, nint hash, nint engine, EvpKey key);

    [LibraryImport(Library)]
    private static partial int EVP_DigestVerify(
        nint context, ReadOnlySpan<byte> signature, nuint length, ReadOnlySpan<byte> message, nuint messageLength);

    [LibraryImport(Library)]
    private static partial nint EVP_PKEY_CTX_new(EvpKey key, nint engine);

    [LibraryImport(Library)]
    private static partial void EVP_PKEY_CTX_free(nint context);

    [LibraryImport(Library)]
    private static partial int EVP_PKEY_derive_init(nint context);

    [LibraryImport(Library)]
    private static partial int EVP_PKEY_derive_set_peer(nint context, EvpKey peer);

    [LibraryImport(Library)]
    private static partial int EVP_PKEY_derive(nint context, Span<byte> secret, ref nuint length);

    [LibraryImport(Library)]
    private static partial void ERR_clear_error();
}

/// <summary>What is signed: the message, as Ed25519 does, or its hash.</summary>
internal enum EvpHash
{
    None,
    Sha256,
    Sha384,
    Sha512,
}
