using System.Numerics;

namespace Drap.Libp2p.Keys;

/// <summary>
/// Which RSA keys are taken. A verification costs the square of the modulus' length times the exponent's, and the peer chooses both: so they are
/// looked at before OpenSSL is.
/// </summary>
internal static class RsaForm
{
    /// <summary>Below 2048 bits a key is not worth its name (and go, rust and js refuse it); above 8192 a verification takes milliseconds.</summary>
    public const int BitsMin = 2048, BitsMax = 8192;

    // 1.2.840.113549.1.1.1
    private static ReadOnlySpan<byte> RsaEncryption => [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

    /// <summary>Whether this is the SubjectPublicKeyInfo of an RSA key within the bounds, with an odd exponent below 2^31, in DER.</summary>
    public static bool IsPublicKey(ReadOnlySpan<byte> der)
    {
        var reader = new DerReader(der);
        if (!reader.TryEnter(DerReader.Sequence, out DerReader info) || !reader.IsAtEnd
            || !info.TryEnter(DerReader.Sequence, out DerReader algorithm)
            || !algorithm.TryRead(DerReader.ObjectIdentifier, out ReadOnlySpan<byte> kind) || !kind.SequenceEqual(RsaEncryption)
            || !algorithm.TryRead(DerReader.Null, out ReadOnlySpan<byte> nothing) || !nothing.IsEmpty || !algorithm.IsAtEnd
            || !info.TryReadBits(out ReadOnlySpan<byte> bits) || !info.IsAtEnd)
            return false;
        var outer = new DerReader(bits);
        return outer.TryEnter(DerReader.Sequence, out DerReader key) && outer.IsAtEnd && IsKey(ref key) && key.IsAtEnd;
    }

    /// <summary>Whether this is an RSAPrivateKey (PKCS #1) of two primes within the bounds.</summary>
    public static bool IsPrivateKey(ReadOnlySpan<byte> der)
    {
        var reader = new DerReader(der);
        return reader.TryEnter(DerReader.Sequence, out DerReader key) && reader.IsAtEnd
            && key.TryReadUnsigned(out ReadOnlySpan<byte> version) && version.IsEmpty && IsKey(ref key);
    }

    private static bool IsKey(ref DerReader key)
    {
        if (!key.TryReadUnsigned(out ReadOnlySpan<byte> modulus) || !key.TryReadUnsigned(out ReadOnlySpan<byte> exponent))
            return false;
        int bits = modulus.IsEmpty ? 0 : (8 * modulus.Length) - BitOperations.LeadingZeroCount(modulus[0]) + 24;
        if (bits is < BitsMin or > BitsMax || exponent.Length is < 1 or > 4 || (modulus[^1] & exponent[^1] & 1) == 0)
            return false;
        uint e = 0;
        foreach (byte b in exponent)
            e = (e << 8) | b;
        return e is >= 3 and <= int.MaxValue;
    }
}
