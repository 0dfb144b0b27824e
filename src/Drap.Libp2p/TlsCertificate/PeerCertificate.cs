using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Drap.Libp2p.Keys;
using PublicKey = Drap.Libp2p.Keys.PublicKey;

namespace Drap.Libp2p.TlsCertificate;

/// <summary>
/// The certificates by which peers know each other in TLS 1.3 (libp2p/specs tls): self-signed, with a key of their own, and an extension in which the
/// identity key signs that key. What else the specification asks of a connection is the host's: no version below 1.3, a certificate from the
/// client too, exactly one, no server name, and the application protocols of <see cref="TlsAlpn"/>.
/// </summary>
public static class PeerCertificate
{
    /// <summary>The longest taken, in bytes: one with RSA keys of 8192 bits twice takes about 5 KiB.</summary>
    public const int BytesMax = 8192;

    /// <summary>Random bytes that making one takes: a P-256 key and a serial number.</summary>
    public const int RandomBytes = PrivateKey.RandomBytes + SerialBytes;

    private const string ExtensionOid = "1.3.6.1.4.1.53594.1.1";

    private const int SerialBytes = 16;

    // Signature algorithms, 1.2.840.10045.4.3.N and 1.2.840.113549.1.1.N; N says the hash.
    private static ReadOnlySpan<byte> EcdsaWith => [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03];

    private static ReadOnlySpan<byte> RsaWith => [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01];

    private static ReadOnlySpan<byte> SignaturePrefix => "libp2p-tls-handshake:"u8;

    /// <summary>
    /// Makes a certificate with its private key, on P-256, from <see cref="RandomBytes"/> random bytes that are used for nothing else. One may serve all
    /// connections of a process. Choose <paramref name="notBefore"/> some hours back, for peers whose clocks are slow.
    /// </summary>
    public static X509Certificate2 Create(PrivateKey identity, ReadOnlySpan<byte> random, UtcTime notBefore, UtcTime notAfter)
    {
        Invariant.Check(random.Length == RandomBytes && notBefore.CompareTo(notAfter) < 0);
        using ECDsa key = NewKey(random[..PrivateKey.RandomBytes]);
        Span<byte> serial = stackalloc byte[SerialBytes];
        random[PrivateKey.RandomBytes..].CopyTo(serial);
        serial[0] = (byte)((serial[0] & 0x3f) | 0x40); // positive, and of one length

        // As go has it: some libraries refuse a certificate whose subject is empty.
        var name = new X500DistinguishedName($"2.5.4.5={Convert.ToHexStringLower(serial)}");
        var request = new CertificateRequest(name, key, HashAlgorithmName.SHA256);
        byte[] signature = identity.Sign([.. SignaturePrefix, .. key.ExportSubjectPublicKeyInfo()]);
        var signedKey = new AsnWriter(AsnEncodingRules.DER);
        using (signedKey.PushSequence())
        {
            signedKey.WriteOctetString(identity.PublicKey.Encoded);
            signedKey.WriteOctetString(signature);
        }
        // Critical, as go and js make it: who does not know libp2p shall not take it for something else.
        request.CertificateExtensions.Add(new X509Extension(ExtensionOid, signedKey.Encode(), critical: true));
        using X509Certificate2 open = request.Create(
            name, X509SignatureGenerator.CreateForECDsa(key), DateTimeOffset.FromUnixTimeMilliseconds(notBefore.Milliseconds),
            DateTimeOffset.FromUnixTimeMilliseconds(notAfter.Milliseconds), serial);
        return open.CopyWithPrivateKey(key);
    }

    /// <summary>
    /// Checks the other side's certificate, in DER, and finds whose it is. The handshake itself has shown that the other side holds the
    /// certificate's key. <paramref name="expected"/> is the peer that was dialled; null if anybody may be there.
    /// </summary>
    public static TlsError Verify(ReadOnlySpan<byte> der, UtcTime now, PeerId? expected, out PublicKey? identity)
    {
        identity = null;
        if (der.Length > BytesMax)
            return TlsError.TooLong;
        var certificate = default(CertificateReader);
        if (!certificate.TryRead(der))
            return TlsError.Malformed;
        if (now.CompareTo(certificate.NotBefore) < 0)
            return TlsError.NotYetValid;
        if (now.CompareTo(certificate.NotAfter) > 0)
            return TlsError.Expired;
        if (certificate.HasUnknownCritical)
            return TlsError.UnknownCriticalExtension;
        if (certificate.Identities != 1)
            return TlsError.NoIdentity;
        TlsError error = VerifySelf(certificate);
        if (error != TlsError.None)
            return error;
        if (!PublicKey.TryDecode(certificate.IdentityKey, out PublicKey? claimed))
            return TlsError.BadIdentityKey;
        if (!claimed.Verify([.. SignaturePrefix, .. certificate.Key], certificate.IdentitySignature))
            return TlsError.BadIdentitySignature;
        if (expected is { } wanted && wanted != claimed.PeerId)
            return TlsError.WrongPeer;
        identity = claimed;
        return TlsError.None;
    }

    private static TlsError VerifySelf(in CertificateReader certificate)
    {
        ReadOnlySpan<byte> algorithm = certificate.Algorithm;
        bool ecdsa = algorithm.Length == 8 && algorithm.StartsWith(EcdsaWith), rsa = algorithm.Length == 9 && algorithm.StartsWith(RsaWith);
        EvpHash hash = (ecdsa, rsa, algorithm.IsEmpty ? 0 : algorithm[^1]) switch
        {
            (true, _, 2) or (_, true, 11) => EvpHash.Sha256,
            (true, _, 3) or (_, true, 12) => EvpHash.Sha384,
            (true, _, 4) or (_, true, 13) => EvpHash.Sha512,
            _ => EvpHash.None,
        };
        if (hash == EvpHash.None || !(ecdsa ? EllipticCurve.IsSubjectPublicKeyInfo(certificate.Key) : RsaForm.IsPublicKey(certificate.Key)))
            return TlsError.UnsupportedAlgorithm;
        using EvpKey? key = EvpKey.TryReadPublic(certificate.Key);
        if (key is null)
            return TlsError.UnsupportedAlgorithm;
        return key.Verify(hash, certificate.Signed, certificate.Signature) ? TlsError.None : TlsError.BadSelfSignature;
    }

    private static ECDsa NewKey(ReadOnlySpan<byte> random)
    {
        Span<byte> number = stackalloc byte[EllipticCurve.P256.Bytes];
        EllipticCurve.P256.PrivateNumber(random, number);
        byte[] form = EllipticCurve.P256.ToEcPrivateKey(number, default);
        var key = ECDsa.Create();
        key.ImportECPrivateKey(form, out _);
        CryptographicOperations.ZeroMemory(number);
        CryptographicOperations.ZeroMemory(form);
        return key;
    }
}
