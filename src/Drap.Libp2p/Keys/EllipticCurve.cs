using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
using System.Numerics;

namespace Drap.Libp2p.Keys;

/// <summary>A curve of ECDSA keys, and the DER forms of keys on it: SubjectPublicKeyInfo (RFC 5480) and ECPrivateKey (SEC 1, RFC 5915).</summary>
internal sealed class EllipticCurve
{
    private const string EcPublicKey = "1.2.840.10045.2.1";

    private readonly string oid;
    private readonly BigInteger order;

    private EllipticCurve(string oid, int bytes, string order)
    {
        this.oid = oid;
        Bytes = bytes;
        this.order = BigInteger.Parse("0" + order, System.Globalization.NumberStyles.HexNumber, provider: null);
    }

    public static EllipticCurve Secp256k1 { get; } =
        new("1.3.132.0.10", 32, "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141");

    public static EllipticCurve P256 { get; } =
        new("1.2.840.10045.3.1.7", 32, "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");

    public static EllipticCurve P384 { get; } = new("1.3.132.0.34", 48,
        "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973");

    public static EllipticCurve P521 { get; } = new("1.3.132.0.35", 66,
        "01fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409");

    /// <summary>Bytes of a coordinate and of a private number.</summary>
    public int Bytes { get; }

    /// <summary>
    /// A private number from random bytes, at least 16 more than the number has: the remainder is then as good as even (FIPS 186-5, A.2.1).
    /// </summary>
    public void PrivateNumber(ReadOnlySpan<byte> random, Span<byte> number)
    {
        Invariant.Check(random.Length >= Bytes + 16);
        BigInteger value = (new BigInteger(random, isUnsigned: true, isBigEndian: true) % (order - 1)) + 1;
        Write(value, number[..Bytes]);
    }

    /// <summary>Whether the bytes are a private number: from 1 up to, not including, the group's order.</summary>
    public bool IsPrivateNumber(ReadOnlySpan<byte> number) =>
        number.Length == Bytes && new BigInteger(number, isUnsigned: true, isBigEndian: true) is var value && value > 0 && value < order;

    /// <summary>The key of a private number; OpenSSL finds its point.</summary>
    public EvpKey? TryMakeKey(ReadOnlySpan<byte> number)
    {
        byte[] der = ToEcPrivateKey(number, default);
        EvpKey? key = EvpKey.TryReadEcPrivate(der);
        System.Security.Cryptography.CryptographicOperations.ZeroMemory(der);
        return key;
    }

    /// <summary>The ECPrivateKey that holds this number, and the public point if it is known.</summary>
    public byte[] ToEcPrivateKey(ReadOnlySpan<byte> number, ReadOnlySpan<byte> point)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(1);
            writer.WriteOctetString(number);
            using (writer.PushSequence(Context(0)))
                writer.WriteObjectIdentifier(oid);
            if (!point.IsEmpty)
            {
                using (writer.PushSequence(Context(1)))
                    writer.WriteBitString(point);
            }
        }
        return writer.Encode();
    }

    /// <summary>The SubjectPublicKeyInfo of a point in SEC 1's form.</summary>
    public byte[] ToSubjectPublicKeyInfo(ReadOnlySpan<byte> point)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            using (writer.PushSequence())
            {
                writer.WriteObjectIdentifier(EcPublicKey);
                writer.WriteObjectIdentifier(oid);
            }
            writer.WriteBitString(point);
        }
        return writer.Encode();
    }

    /// <summary>
    /// Takes a SubjectPublicKeyInfo apart: a named NIST curve and an uncompressed point, so that a key has one form and therefore one peer id.
    /// </summary>
    public static bool TryReadSubjectPublicKeyInfo(
        ReadOnlyMemory<byte> der, [NotNullWhen(true)] out EllipticCurve? curve, out ReadOnlyMemory<byte> point)
    {
        curve = null;
        point = default;
        try
        {
            var reader = new AsnReader(der, AsnEncodingRules.DER);
            AsnReader info = reader.ReadSequence(), algorithm = info.ReadSequence();
            reader.ThrowIfNotEmpty();
            string kind = algorithm.ReadObjectIdentifier();
            string name = algorithm.ReadObjectIdentifier();
            algorithm.ThrowIfNotEmpty();
            if (!info.TryReadPrimitiveBitString(out int unused, out point) || unused != 0)
                return false;
            info.ThrowIfNotEmpty();
            curve = new[] { P256, P384, P521 }.FirstOrDefault(c => c.oid == name);
            return kind == EcPublicKey && curve is not null && point.Length == 1 + (2 * curve.Bytes) && point.Span[0] == 4;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }

    /// <summary>
    /// Whether a signature's S is in the lower half of the group, as Bitcoin has it: of S and -S, which both verify, only that one counts.
    /// </summary>
    public bool IsLow(ReadOnlyMemory<byte> signature) => TryReadSignature(signature, out _, out BigInteger s) && s <= order / 2;

    /// <summary>The same signature with the lower of its two S; returns its length.</summary>
    public int Lower(Span<byte> signature, int length)
    {
        Invariant.Check(TryReadSignature(signature[..length].ToArray(), out BigInteger r, out BigInteger s));
        if (s <= order / 2)
            return length;
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(r);
            writer.WriteInteger(order - s);
        }
        return writer.Encode(signature);
    }

    private static bool TryReadSignature(ReadOnlyMemory<byte> signature, out BigInteger r, out BigInteger s)
    {
        r = s = default;
        try
        {
            var reader = new AsnReader(signature, AsnEncodingRules.DER);
            AsnReader pair = reader.ReadSequence();
            reader.ThrowIfNotEmpty();
            r = pair.ReadInteger();
            s = pair.ReadInteger();
            pair.ThrowIfNotEmpty();
            return true;
        }
        catch (AsnContentException)
        {
            return false;
        }
    }

    private static Asn1Tag Context(int number) => new(TagClass.ContextSpecific, number, isConstructed: true);

    private static void Write(BigInteger value, Span<byte> destination)
    {
        int length = value.GetByteCount(isUnsigned: true);
        destination[..^length].Clear();
        Invariant.Check(value.TryWriteBytes(destination[^length..], out _, isUnsigned: true, isBigEndian: true));
    }
}
