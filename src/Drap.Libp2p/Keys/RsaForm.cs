using System.Formats.Asn1;

namespace Drap.Libp2p.Keys;

/// <summary>
/// Which RSA keys are taken. A verification costs the square of the modulus' length times the exponent's, and the peer chooses both: so they are
/// looked at before OpenSSL is.
/// </summary>
internal static class RsaForm
{
    /// <summary>Below 2048 bits a key is not worth its name (and go, rust and js refuse it); above 8192 a verification takes milliseconds.</summary>
    public const int BitsMin = 2048, BitsMax = 8192;

    private const string RsaEncryption = "1.2.840.113549.1.1.1";

    /// <summary>Whether this is the SubjectPublicKeyInfo of an RSA key within the bounds, with an odd exponent below 2^31, in DER.</summary>
    public static bool IsPublicKey(ReadOnlyMemory<byte> der)
    {
        try
        {
            var reader = new AsnReader(der, AsnEncodingRules.DER);
            AsnReader info = reader.ReadSequence(), algorithm = info.ReadSequence();
            reader.ThrowIfNotEmpty();
            if (algorithm.ReadObjectIdentifier() != RsaEncryption)
                return false;
            algorithm.ReadNull();
            algorithm.ThrowIfNotEmpty();
            if (!info.TryReadPrimitiveBitString(out int unused, out ReadOnlyMemory<byte> bits) || unused != 0)
                return false;
            info.ThrowIfNotEmpty();
            var outer = new AsnReader(bits, AsnEncodingRules.DER);
            AsnReader key = outer.ReadSequence();
            outer.ThrowIfNotEmpty();
            bool good = IsKey(key);
            key.ThrowIfNotEmpty();
            return good;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }

    /// <summary>Whether this is an RSAPrivateKey (PKCS #1) of two primes within the bounds.</summary>
    public static bool IsPrivateKey(ReadOnlyMemory<byte> der)
    {
        try
        {
            var reader = new AsnReader(der, AsnEncodingRules.DER);
            AsnReader key = reader.ReadSequence();
            reader.ThrowIfNotEmpty();
            return key.ReadInteger().IsZero && IsKey(key);
        }
        catch (AsnContentException)
        {
            return false;
        }
    }

    private static bool IsKey(AsnReader key)
    {
        System.Numerics.BigInteger modulus = key.ReadInteger(), exponent = key.ReadInteger();
        return modulus.Sign > 0 && !modulus.IsEven && modulus.GetBitLength() is >= BitsMin and <= BitsMax
            && exponent >= 3 && exponent <= int.MaxValue && !exponent.IsEven;
    }
}
