using System.Runtime.InteropServices;

namespace Drap.Node.Identity;

/// <summary>The public half of an Ed25519 key (RFC 8032) by the OpenSSL that .NET itself uses, since .NET has no such type.</summary>
internal static partial class Ed25519
{
    public const int SeedBytes = 32;

    public const int PublicKeyBytes = 32;

    private const int KeyType = 1087; // NID_ED25519

    /// <summary>The public key that belongs to a seed.</summary>
    public static byte[] PublicKeyOf(ReadOnlySpan<byte> seed)
    {
        nint key = EVP_PKEY_new_raw_private_key(KeyType, 0, seed, (nuint)seed.Length);
        if (key == 0)
            throw new InvalidOperationException("OpenSSL makes no Ed25519 key: libcrypto 3 or later is needed");
        try
        {
            byte[] publicKey = new byte[PublicKeyBytes];
            nuint length = PublicKeyBytes;
            if (EVP_PKEY_get_raw_public_key(key, publicKey, ref length) != 1 || length != PublicKeyBytes)
                throw new InvalidOperationException("OpenSSL gives no public key of an Ed25519 key");
            return publicKey;
        }
        finally
        {
            EVP_PKEY_free(key);
        }
    }

    [LibraryImport("libcrypto.so.3")]
    private static partial nint EVP_PKEY_new_raw_private_key(int type, nint engine, ReadOnlySpan<byte> seed, nuint length);

    [LibraryImport("libcrypto.so.3")]
    private static partial int EVP_PKEY_get_raw_public_key(nint key, Span<byte> publicKey, ref nuint length);

    [LibraryImport("libcrypto.so.3")]
    private static partial void EVP_PKEY_free(nint key);
}
