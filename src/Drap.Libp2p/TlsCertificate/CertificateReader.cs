using Drap.Libp2p.Keys;

namespace Drap.Libp2p.TlsCertificate;

/// <summary>
/// What libp2p looks at in an X.509 certificate (RFC 5280, 4.1), over the bytes it lies in. Read here and not by the framework, which keeps the signed
/// bytes and a certificate's own signature to itself.
/// </summary>
internal ref struct CertificateReader
{
    private const byte Version = 0xa0, Extensions = 0xa3;

    // 1.3.6.1.4.1.53594.1.1, and the arc of X.509's own extensions.
    private static ReadOnlySpan<byte> Libp2pExtension => [0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xa2, 0x5a, 0x01, 0x01];

    private static ReadOnlySpan<byte> X509Extension => [0x55, 0x1d];

    /// <summary>The bytes that the certificate's signature covers.</summary>
    public ReadOnlySpan<byte> Signed { get; private set; }

    /// <summary>How it is signed: an object identifier's value.</summary>
    public ReadOnlySpan<byte> Algorithm { get; private set; }

    public ReadOnlySpan<byte> Signature { get; private set; }

    /// <summary>The certificate's own key, a SubjectPublicKeyInfo.</summary>
    public ReadOnlySpan<byte> Key { get; private set; }

    public UtcTime NotBefore { get; private set; }

    public UtcTime NotAfter { get; private set; }

    /// <summary>How often libp2p's extension occurs.</summary>
    public int Identities { get; private set; }

    /// <summary>The identity key that the extension names, in its protobuf form.</summary>
    public ReadOnlySpan<byte> IdentityKey { get; private set; }

    /// <summary>Its signature under the certificate's key.</summary>
    public ReadOnlySpan<byte> IdentitySignature { get; private set; }

    public bool HasUnknownCritical { get; private set; }

    /// <summary>Reads a certificate in DER; false if it is none.</summary>
    public bool TryRead(ReadOnlySpan<byte> der)
    {
        var outer = new DerReader(der);
        if (!outer.TryEnter(DerReader.Sequence, out DerReader certificate) || !outer.IsAtEnd)
            return false;
        Signed = certificate.Peek();
        if (!certificate.TryEnter(DerReader.Sequence, out DerReader signed) || !TryReadSigned(ref signed, out ReadOnlySpan<byte> inner)
            || !TryReadAlgorithm(ref certificate, out ReadOnlySpan<byte> algorithm) || !algorithm.SequenceEqual(inner)
            || !certificate.TryReadBits(out ReadOnlySpan<byte> signature) || !certificate.IsAtEnd)
            return false;
        Algorithm = algorithm;
        Signature = signature;
        return true;
    }

    // TBSCertificate. The unique ids are left out of the grammar: the specification wants none, and a certificate that has them ends wrongly here.
    private bool TryReadSigned(scoped ref DerReader reader, out ReadOnlySpan<byte> algorithm)
    {
        algorithm = default;
        if (!reader.TryEnter(Version, out DerReader version) || !version.TryReadUnsigned(out ReadOnlySpan<byte> number) || !number.SequenceEqual("\u0002"u8)
            || !version.IsAtEnd // v3
            || !reader.TrySkip(DerReader.Integer) // serial number
            || !TryReadAlgorithm(ref reader, out algorithm)
            || !reader.TrySkip(DerReader.Sequence) // issuer
            || !reader.TryEnter(DerReader.Sequence, out DerReader validity) || !TryReadTime(ref validity, out UtcTime notBefore)
            || !TryReadTime(ref validity, out UtcTime notAfter) || !validity.IsAtEnd
            || !reader.TrySkip(DerReader.Sequence)) // subject
            return false;
        NotBefore = notBefore;
        NotAfter = notAfter;
        Key = reader.Peek();
        if (!reader.TrySkip(DerReader.Sequence))
            return false;
        if (reader.IsAtEnd)
            return true;
        if (!reader.TryEnter(Extensions, out DerReader outer) || !reader.IsAtEnd || !outer.TryEnter(DerReader.Sequence, out DerReader list) || !outer.IsAtEnd)
            return false;
        while (!list.IsAtEnd)
        {
            if (!list.TryEnter(DerReader.Sequence, out DerReader extension) || !TryReadExtension(ref extension))
                return false;
        }
        return true;
    }

    private bool TryReadExtension(ref DerReader reader)
    {
        bool critical = false;
        if (!reader.TryRead(DerReader.ObjectIdentifier, out ReadOnlySpan<byte> oid))
            return false;
        if (reader.Tag == DerReader.Boolean)
        {
            // DER has one form of true, and leaves a default out.
            if (!reader.TryRead(DerReader.Boolean, out ReadOnlySpan<byte> truth) || truth is not [0xff])
                return false;
            critical = true;
        }
        if (!reader.TryRead(DerReader.OctetString, out ReadOnlySpan<byte> value) || !reader.IsAtEnd)
            return false;
        if (!oid.SequenceEqual(Libp2pExtension))
        {
            // Key usage, alternative names, basic constraints and extended key usage limit nothing that such a certificate is used for.
            bool understood = oid.Length == 3 && oid.StartsWith(X509Extension) && oid[2] is 15 or 17 or 19 or 37;
            HasUnknownCritical |= critical && !understood;
            return true;
        }
        Identities++;
        var outer = new DerReader(value);
        if (!outer.TryEnter(DerReader.Sequence, out DerReader signedKey) || !outer.IsAtEnd
            || !signedKey.TryRead(DerReader.OctetString, out ReadOnlySpan<byte> key)
            || !signedKey.TryRead(DerReader.OctetString, out ReadOnlySpan<byte> signature) || !signedKey.IsAtEnd)
            return false;
        IdentityKey = key;
        IdentitySignature = signature;
        return true;
    }

    // The parameters, absent or null, say nothing with the algorithms that are taken.
    private static bool TryReadAlgorithm(scoped ref DerReader reader, out ReadOnlySpan<byte> oid)
    {
        oid = default;
        return reader.TryEnter(DerReader.Sequence, out DerReader algorithm) && algorithm.TryRead(DerReader.ObjectIdentifier, out oid)
            && (algorithm.IsAtEnd || (algorithm.TrySkip(algorithm.Tag) && algorithm.IsAtEnd));
    }

    // YYMMDDHHMMSSZ of 1950 to 2049, or YYYYMMDDHHMMSSZ (RFC 5280, 4.1.2.5).
    private static bool TryReadTime(scoped ref DerReader reader, out UtcTime time)
    {
        time = default;
        bool two = reader.Tag == DerReader.UtcTime;
        if (!reader.TryRead(two ? DerReader.UtcTime : DerReader.GeneralizedTime, out ReadOnlySpan<byte> text) || text.Length != (two ? 13 : 15) || text[^1] != 'Z'
            || text[..^1].ContainsAnyExceptInRange((byte)'0', (byte)'9'))
            return false;
        int year = two ? Two(text, 0) : (100 * Two(text, 0)) + Two(text, 2);
        year = !two ? year : year < 50 ? 2000 + year : 1900 + year;
        ReadOnlySpan<byte> rest = text[(two ? 2 : 4)..];
        int month = Two(rest, 0), day = Two(rest, 2), hour = Two(rest, 4), minute = Two(rest, 6), second = Two(rest, 8);
        if (year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
            return false;
        time = new UtcTime(new DateTimeOffset(year, month, day, hour, minute, second, TimeSpan.Zero).ToUnixTimeMilliseconds());
        return true;

        static int Two(ReadOnlySpan<byte> digits, int at) => (10 * (digits[at] - '0')) + digits[at + 1] - '0';
    }
}
