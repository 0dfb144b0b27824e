using System.Formats.Asn1;

namespace Drap.Libp2p.TlsCertificate;

/// <summary>
/// What libp2p looks at in an X.509 certificate (RFC 5280, 4.1). Read here and not by the framework, which keeps the signed bytes and a
/// certificate's own signature to itself.
/// </summary>
internal sealed class CertificateReader
{
    /// <summary>libp2p's public key extension.</summary>
    public const string Extension = "1.3.6.1.4.1.53594.1.1";

    // Critical extensions that are understood, in that they limit nothing that such a certificate is used for: key usage, alternative names, basic
    // constraints, extended key usage.
    private static readonly string[] Understood = [Extension, "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.37"];

    private CertificateReader()
    {
    }

    /// <summary>The bytes that the certificate's signature covers.</summary>
    public ReadOnlyMemory<byte> Signed { get; private set; }

    /// <summary>How it is signed: an object identifier.</summary>
    public string Algorithm { get; private set; } = "";

    public ReadOnlyMemory<byte> Signature { get; private set; }

    /// <summary>The certificate's own key, a SubjectPublicKeyInfo.</summary>
    public ReadOnlyMemory<byte> Key { get; private set; }

    public UtcTime NotBefore { get; private set; }

    public UtcTime NotAfter { get; private set; }

    /// <summary>How often libp2p's extension occurs.</summary>
    public int Identities { get; private set; }

    /// <summary>The identity key that the extension names, in its protobuf form.</summary>
    public ReadOnlyMemory<byte> IdentityKey { get; private set; }

    /// <summary>Its signature under the certificate's key.</summary>
    public ReadOnlyMemory<byte> IdentitySignature { get; private set; }

    public bool HasUnknownCritical { get; private set; }

    /// <summary>Reads a certificate in DER; null if it is none.</summary>
    public static CertificateReader? TryRead(ReadOnlyMemory<byte> der)
    {
        try
        {
            var certificate = new CertificateReader();
            var outer = new AsnReader(der, AsnEncodingRules.DER);
            AsnReader reader = outer.ReadSequence();
            outer.ThrowIfNotEmpty();
            certificate.Signed = reader.PeekEncodedValue();
            string inner = certificate.ReadSigned(reader.ReadSequence());
            certificate.Algorithm = ReadAlgorithm(reader);
            if (inner != certificate.Algorithm || !reader.TryReadPrimitiveBitString(out int unused, out ReadOnlyMemory<byte> signature) || unused != 0)
                return null;
            certificate.Signature = signature;
            reader.ThrowIfNotEmpty();
            return certificate;
        }
        catch (AsnContentException)
        {
            return null;
        }
    }

    // TBSCertificate. The unique ids are left out of the grammar: the specification wants none, and a certificate that has them ends wrongly here.
    private string ReadSigned(AsnReader reader)
    {
        AsnReader version = reader.ReadSequence(Context(0));
        if (version.ReadInteger() != 2) // v3
            throw new AsnContentException();
        version.ThrowIfNotEmpty();
        reader.ReadIntegerBytes(); // serial number
        string algorithm = ReadAlgorithm(reader);
        reader.ReadSequence(); // issuer
        AsnReader validity = reader.ReadSequence();
        NotBefore = ReadTime(validity);
        NotAfter = ReadTime(validity);
        validity.ThrowIfNotEmpty();
        reader.ReadSequence(); // subject
        Key = reader.ReadEncodedValue();
        if (!reader.HasData)
            return algorithm;
        AsnReader extensions = reader.ReadSequence(Context(3));
        reader.ThrowIfNotEmpty();
        AsnReader list = extensions.ReadSequence();
        extensions.ThrowIfNotEmpty();
        while (list.HasData)
            ReadExtension(list.ReadSequence());
        return algorithm;
    }

    private void ReadExtension(AsnReader reader)
    {
        string oid = reader.ReadObjectIdentifier();
        bool critical = reader.PeekTag().HasSameClassAndValue(Asn1Tag.Boolean) && reader.ReadBoolean();
        byte[] value = reader.ReadOctetString();
        reader.ThrowIfNotEmpty();
        HasUnknownCritical |= critical && !Understood.Contains(oid);
        if (oid != Extension)
            return;
        Identities++;
        var outer = new AsnReader(value, AsnEncodingRules.DER);
        AsnReader signedKey = outer.ReadSequence();
        outer.ThrowIfNotEmpty();
        IdentityKey = signedKey.ReadOctetString();
        IdentitySignature = signedKey.ReadOctetString();
        signedKey.ThrowIfNotEmpty();
    }

    // The parameters, absent or null, say nothing with the algorithms that are taken.
    private static string ReadAlgorithm(AsnReader reader)
    {
        AsnReader algorithm = reader.ReadSequence();
        string oid = algorithm.ReadObjectIdentifier();
        if (algorithm.HasData)
            algorithm.ReadEncodedValue();
        algorithm.ThrowIfNotEmpty();
        return oid;
    }

    private static UtcTime ReadTime(AsnReader reader)
    {
        DateTimeOffset time = reader.PeekTag().HasSameClassAndValue(Asn1Tag.UtcTime) ? reader.ReadUtcTime() : reader.ReadGeneralizedTime();
        return new UtcTime(time.ToUnixTimeMilliseconds());
    }

    private static Asn1Tag Context(int number) => new(TagClass.ContextSpecific, number, isConstructed: true);
}
