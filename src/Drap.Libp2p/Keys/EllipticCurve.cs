using System.Formats.Asn1;
using System.Numerics;

namespace Drap.Libp2p.Keys;

/// <summary>A curve of ECDSA keys, and the DER forms of keys on it: SubjectPublicKeyInfo (RFC 5480) and ECPrivateKey (SEC 1, RFC 5915).</summary>
internal sealed class EllipticCurve
{
    private const string EcPublicKey = "1.2.840.10045.2.1";

    private static readonly byte[] EcPublicKeyForm = Form(EcPublicKey);

    private readonly string oid;
    private readonly byte[] oidForm;
    private readonly BigInteger order;

    private EllipticCurve(string oid, int bytes, string order)
    {
        this.oid = oid;
        oidForm = Form(oid);
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
    /// Whether this is a SubjectPublicKeyInfo of a named NIST curve and an uncompressed point: a key has one form, and therefore one peer id. Whether the
    /// point is on the curve is OpenSSL's to say.
    /// </summary>
    public static bool IsSubjectPublicKeyInfo(ReadOnlySpan<byte> der)
    {
        var reader = new DerReader(der);
        if (!reader.TryEnter(DerReader.Sequence, out DerReader info) || !reader.IsAtEnd
            || !info.TryEnter(DerReader.Sequence, out DerReader algorithm)
            || !algorithm.TryRead(DerReader.ObjectIdentifier, out ReadOnlySpan<byte> kind) || !kind.SequenceEqual(EcPublicKeyForm)
            || !algorithm.TryRead(DerReader.ObjectIdentifier, out ReadOnlySpan<byte> name) || !algorithm.IsAtEnd
            || !info.TryReadBits(out ReadOnlySpan<byte> point) || !info.IsAtEnd)
            return false;
        EllipticCurve? curve = name.SequenceEqual(P256.oidForm) ? P256 : name.SequenceEqual(P384.oidForm) ? P384 : name.SequenceEqual(P521.oidForm) ? P521 : null;
        return curve is not null && point.Length == 1 + (2 * curve.Bytes) && point[0] == 4;
    }

    /// <summary>
    /// Whether a signature's S is in the lower half of the group, as Bitcoin has it: of S and -S, which both verify, only that one counts.
    /// </summary>
    public bool IsLow(ReadOnlySpan<byte> signature) => TryReadSignature(signature, out _, out BigInteger s) && s <= order / 2;

    /// <summary>The same signature with the lower of its two S; returns its length.</summary>
    public int Lower(Span<byte> signature, int length)
    {
        Invariant.Check(TryReadSignature(signature[..length], out BigInteger r, out BigInteger s));
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

    private static bool TryReadSignature(ReadOnlySpan<byte> signature, out BigInteger r, out BigInteger s)
    {
        r = s = default;
        var reader = new DerReader(signature);
        if (!reader.TryEnter(DerReader.Sequence, out DerReader pair) || !reader.IsAtEnd || !pair.TryReadUnsigned(out ReadOnlySpan<byte> first)
            || !pair.TryReadUnsigned(out ReadOnlySpan<byte> second) || !pair.IsAtEnd)
            return false;
        r = new BigInteger(first, isUnsigned: true, isBigEndian: true);
        s = new BigInteger(second, isUnsigned: true, isBigEndian: true);
        return true;
    }

    // An object identifier's value in DER.
    private static byte[] Form(string oid)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteObjectIdentifier(oid);
        return writer.Encode()[2..];
    }

    private static Asn1Tag Context(int number) => new(TagClass.ContextSpecific, number, isConstructed: true);

    private static void Write(BigInteger value, Span<byte> destination)
    {
        int length = value.GetByteCount(isUnsigned: true);
        destination[..^length].Clear();
        Invariant.Check(value.TryWriteBytes(destination[^length..], out _, isUnsigned: true, isBigEndian: true));
    }
}
