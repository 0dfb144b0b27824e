namespace Drap.Libp2p.Keys;

/// <summary>The kinds of keys that libp2p knows, by their numbers in its messages (libp2p/specs peer-ids, "Keys").</summary>
public enum KeyType
{
    /// <summary>RSA of 2048 to 8192 bits, PKCS #1 v1.5 signatures over SHA-256.</summary>
    Rsa = 0,

    /// <summary>Ed25519 (RFC 8032): what everybody must know, the default here, and the fastest.</summary>
    Ed25519 = 1,

    /// <summary>ECDSA on Bitcoin's curve, with compressed public keys and low-S signatures.</summary>
    Secp256k1 = 2,

    /// <summary>ECDSA on a NIST curve: P-256 where we make the key; P-384 and P-521 are understood.</summary>
    Ecdsa = 3,
}
