using System.Formats.Asn1;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Tests.Keys;
using Drap.Libp2p.TlsCertificate;
using Xunit;
using PublicKey = Drap.Libp2p.Keys.PublicKey;

namespace Drap.Libp2p.Tests.TlsCertificate;

public sealed class PeerCertificateTests
{
    // The test vectors of libp2p/specs tls.
    private const string Ed25519 =
        "308201ae30820156a0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f310a300806035504051301"
        + "313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355040a13096c69627032702e696f310a3008060355"
        + "04051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c901d423c831ca85e27c73c263ba132721bb9d7a84c4f0380b2a6756fd60133"
        + "1c8870234dec878504c174144fa4b14b66a651691606d8173e55bd37e381569ea37c307a3078060a2b0601040183a25a0101046a3068042408011220a77f1d92"
        + "fedb59dddaea5a1c4abd1ac2fbde7d7b879ed364501809923d7c11b90440d90d2769db992d5e6195dbb08e706b6651e024fda6cfb8846694a435519941cac215"
        + "a8207792e42849cccc6cd8136c6e4bde92a58c5e08cfd4206eb5fe0bf909300a06082a8648ce3d0403020346003043021f50f6b6c52711a881778718238f650c"
        + "9fb48943ae6ee6d28427dc6071ae55e702203625f116a7a454db9c56986c82a25682f7248ea1cb764d322ea983ed36a31b77";

    private const string Ecdsa =
        "308201f63082019da0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f310a300806035504051301"
        + "313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355040a13096c69627032702e696f310a3008060355"
        + "04051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c901d423c831ca85e27c73c263ba132721bb9d7a84c4f0380b2a6756fd60133"
        + "1c8870234dec878504c174144fa4b14b66a651691606d8173e55bd37e381569ea381c23081bf3081bc060a2b0601040183a25a01010481ad3081aa045f080312"
        + "5b3059301306072a8648ce3d020106082a8648ce3d03010703420004bf30511f909414ebdd3242178fd290f093a551cf75c973155de0bb5a96fedf6cb5d52da7"
        + "563e794b512f66e60c7f55ba8a3acf3dd72a801980d205e8a1ad29f2044730450220064ea8124774caf8f50e57f436aa62350ce652418c019df5d98a3ac666c9"
        + "386a022100aa59d704a931b5f72fb9222cb6cc51f954d04a4e2e5450f8805fe8918f71eaae300a06082a8648ce3d04030203470030440220799395b0b6c1e940"
        + "a7e4484705f610ab51ed376f19ff9d7c16757cfbf61b8d4302206205c03fbb0f95205c779be86581d3e31c01871ad5d1f3435bcf375cb0e5088a";

    private const string Secp256k1 =
        "308201ba3082015fa0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f310a300806035504051301"
        + "313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355040a13096c69627032702e696f310a3008060355"
        + "04051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c901d423c831ca85e27c73c263ba132721bb9d7a84c4f0380b2a6756fd60133"
        + "1c8870234dec878504c174144fa4b14b66a651691606d8173e55bd37e381569ea38184308181307f060a2b0601040183a25a01010471306f0425080212210206"
        + "dc6968726765b820f050263ececf7f71e4955892776c0970542efd689d2382044630440220145e15a991961f0d08cd15425bb95ec93f6ffa03c5a385eedc34ec"
        + "f464c7a8ab022026b3109b8a3f40ef833169777eb2aa337cfb6282f188de0666d1bcec2a4690dd300a06082a8648ce3d0403020349003046022100e1a217eeef"
        + "9ec9204b3f774a08b70849646b6a1e6b8b27f93dc00ed58545d9fe022100b00dafa549d0f03547878338c7b15e7502888f6d45db387e5ae6b5d46899cef0";

    private const string Mismatched =
        "308201f73082019da0030201020204499602d2300a06082a8648ce3d040302302031123010060355040a13096c69627032702e696f310a300806035504051301"
        + "313020170d3735303130313133303030305a180f34303936303130313133303030305a302031123010060355040a13096c69627032702e696f310a3008060355"
        + "04051301313059301306072a8648ce3d020106082a8648ce3d030107034200040c901d423c831ca85e27c73c263ba132721bb9d7a84c4f0380b2a6756fd60133"
        + "1c8870234dec878504c174144fa4b14b66a651691606d8173e55bd37e381569ea381c23081bf3081bc060a2b0601040183a25a01010481ad3081aa045f080312"
        + "5b3059301306072a8648ce3d020106082a8648ce3d03010703420004bf30511f909414ebdd3242178fd290f093a551cf75c973155de0bb5a96fedf6cb5d52da7"
        + "563e794b512f66e60c7f55ba8a3acf3dd72a801980d205e8a1ad29f204473045022100bb6e03577b7cc7a3cd1558df0da2b117dfdcc0399bc2504ebe7de6f65c"
        + "ade72802206de96e2a5be9b6202adba24ee0362e490641ac45c240db71fe955f2c5cf8df6e300a06082a8648ce3d0403020348003045022100e847f267f43717"
        + "358f850355bdcabbefb2cfbf8a3c043b203a14788a092fe8db022027c1d04a2d41fd6b57a7e8b3989e470325de4406e52e084e34a3fd56eef0d0df";

    private const string Extension = "1.3.6.1.4.1.53594.1.1";

    private static readonly UtcTime Now = new(1_700_000_000_000), Earlier = Now + TimeSpan.FromHours(-1), Later = Now + TimeSpan.FromDays(365);

    private static readonly PrivateKey Alice = PrivateKey.FromSeed([.. Enumerable.Repeat((byte)1, 32)]);

    [Theory]
    [InlineData(Ed25519, "12D3KooWM6CgA9iBFZmcYAHA6A2qvbAxqfkmrYiRQuz3XEsk4Ksv")]
    [InlineData(Ecdsa, "QmfXbAwNjJLXfesgztEHe8HwgVDCMMpZ9Eax1HYq6hn9uE")]
    [InlineData(Secp256k1, "16Uiu2HAkutTMoTzDw1tCvSRtu6YoixJwS46S1ZFxW8hSx9fWHiPs")]
    public void The_specification_s_certificates(string hex, string peer)
    {
        byte[] der = Convert.FromHexString(hex);
        Assert.Equal(TlsError.None, PeerCertificate.Verify(der, Now, null, out PublicKey? identity));
        Assert.Equal(peer, identity!.PeerId.ToString());
        Assert.Equal(TlsError.None, PeerCertificate.Verify(der, Now, identity.PeerId, out _));
        Assert.Equal(TlsError.WrongPeer, PeerCertificate.Verify(der, Now, Alice.PeerId, out PublicKey? other));
        Assert.Null(other);
    }

    [Fact]
    public void The_specification_s_invalid_certificate()
    {
        Assert.Equal(TlsError.BadIdentitySignature, PeerCertificate.Verify(Convert.FromHexString(Mismatched), Now, null, out PublicKey? identity));
        Assert.Null(identity);
    }

    [Theory]
    [InlineData(KeyVectors.Ed25519Private)]
    [InlineData(KeyVectors.Secp256k1Private)]
    [InlineData(KeyVectors.EcdsaPrivate)]
    [InlineData(KeyVectors.RsaPrivate)]
    public void What_we_make_is_verified(string hex)
    {
        Assert.True(PrivateKey.TryDecode(Convert.FromHexString(hex), out PrivateKey? key));
        using X509Certificate2 certificate = PeerCertificate.Create(key, Random(1), Earlier, Later);
        Assert.True(certificate.HasPrivateKey);
        Assert.Equal(TlsError.None, PeerCertificate.Verify(certificate.RawData, Now, key.PeerId, out PublicKey? identity));
        Assert.Equal(key.PublicKey, identity);
        Assert.Equal(TlsError.NotYetValid, PeerCertificate.Verify(certificate.RawData, Earlier + TimeSpan.FromSeconds(-1), null, out _));
        Assert.Equal(TlsError.None, PeerCertificate.Verify(certificate.RawData, Earlier, null, out _));
        Assert.Equal(TlsError.None, PeerCertificate.Verify(certificate.RawData, Later, null, out _));
        Assert.Equal(TlsError.Expired, PeerCertificate.Verify(certificate.RawData, Later + TimeSpan.FromSeconds(1), null, out _));
        // The same random bytes make the same key; another's make another.
        using X509Certificate2 again = PeerCertificate.Create(key, Random(1), Earlier, Later), other = PeerCertificate.Create(key, Random(2), Earlier, Later);
        Assert.Equal(certificate.GetPublicKey(), again.GetPublicKey());
        Assert.NotEqual(certificate.GetPublicKey(), other.GetPublicKey());
    }

    [Fact]
    public void Cut_or_bent_at_any_place_it_is_refused()
    {
        byte[] der = Convert.FromHexString(Ed25519);
        for (int i = 0; i < der.Length; i++)
        {
            Assert.Equal(TlsError.Malformed, PeerCertificate.Verify(der.AsSpan(0, i), Now, null, out _));
            foreach (byte bit in new byte[] { 0x01, 0x80 })
            {
                byte[] bent = [.. der];
                bent[i] ^= bit;
                Assert.NotEqual(TlsError.None, PeerCertificate.Verify(bent, Now, null, out PublicKey? identity));
                Assert.Null(identity);
            }
        }
        Assert.Equal(TlsError.Malformed, PeerCertificate.Verify(new byte[] { 0 }, Now, null, out _));
        Assert.Equal(TlsError.Malformed, PeerCertificate.Verify([.. der, 0], Now, null, out _));
        Assert.Equal(TlsError.TooLong, PeerCertificate.Verify(new byte[PeerCertificate.BytesMax + 1], Now, null, out _));
    }

    [Fact]
    public void Extensions_are_read_as_the_specification_says()
    {
        Assert.Equal(TlsError.NoIdentity, Verify(request => { }));
        Assert.Equal(TlsError.None, Verify(request => request.Add(Identity(request, critical: false))));
        Assert.Equal(TlsError.None, Verify(request => request.Add(Identity(request), new X509Extension("1.2.3.4", [5, 0], critical: false))));
        Assert.Equal(TlsError.UnknownCriticalExtension, Verify(request => request.Add(Identity(request), new X509Extension("1.2.3.4", [5, 0], critical: true))));
        Assert.Equal(TlsError.None, Verify(request => request.Add(
            Identity(request), new X509BasicConstraintsExtension(true, false, 0, true), new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, true))));
        Assert.Equal(TlsError.BadIdentityKey, Verify(request => request.Add(Identity(request, key: [8, 1, 0x12, 0]))));
        Assert.Equal(TlsError.BadIdentitySignature, Verify(request => request.Add(Identity(request, signer: PrivateKey.FromSeed(new byte[32])))));
        Assert.Equal(TlsError.Malformed, Verify(request => request.Add(new X509Extension(Extension, [0x30, 0x00], critical: true))));
    }

    [Fact]
    public void Its_own_signature_and_key_count()
    {
        // Signed by another key than the one in it.
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256), other = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest(new X500DistinguishedName("CN=x"), key, HashAlgorithmName.SHA256);
        request.Add(Identity(request));
        using X509Certificate2 forged = request.Create(
            request.SubjectName, X509SignatureGenerator.CreateForECDsa(other), DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200), new byte[] { 1 });
        Assert.Equal(TlsError.BadSelfSignature, PeerCertificate.Verify(forged.RawData, Now, null, out _));

        foreach ((string curve, HashAlgorithmName hash) in new[] { ("nistP384", HashAlgorithmName.SHA384), ("nistP521", HashAlgorithmName.SHA512) })
        {
            using var larger = ECDsa.Create(ECCurve.CreateFromFriendlyName(curve));
            Assert.Equal(TlsError.None, Verify(r => r.Add(Identity(r)), new CertificateRequest(new X500DistinguishedName("CN=x"), larger, hash)));
        }
        using RSA good = RSA.Create(2048), small = RSA.Create(1024);
        foreach ((RSA rsa, RSASignaturePadding padding, TlsError error) in new[]
                 {
                     (good, RSASignaturePadding.Pkcs1, TlsError.None), (good, RSASignaturePadding.Pss, TlsError.UnsupportedAlgorithm),
                     (small, RSASignaturePadding.Pkcs1, TlsError.UnsupportedAlgorithm),
                 })
        {
            var rsaRequest = new CertificateRequest(new X500DistinguishedName("CN=x"), rsa, HashAlgorithmName.SHA256, padding);
            Assert.Equal(error, Verify(r => r.Add(Identity(r)), rsaRequest));
        }
    }

    [Fact]
    public async Task The_framework_s_TLS_takes_it_on_both_sides()
    {
        PrivateKey bob = PrivateKey.FromSeed([.. Enumerable.Repeat((byte)2, 32)]);
        using X509Certificate2 ofAlice = PeerCertificate.Create(Alice, Random(1), Earlier, Later), ofBob = PeerCertificate.Create(bob, Random(2), Earlier, Later);
        (PublicKey? Identity, TlsError Error) atAlice = default, atBob = default;
        var (left, right) = Pipes();
        await using var client = new SslStream(left);
        await using var server = new SslStream(right);
        List<SslApplicationProtocol> protocols = [.. TlsAlpn.Offer(["/yamux/1.0.0"]).Select(p => new SslApplicationProtocol(p))];
        Task serving = server.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
        {
            ServerCertificate = ofBob,
            ClientCertificateRequired = true,
            EnabledSslProtocols = SslProtocols.Tls13,
            ApplicationProtocols = protocols,
            RemoteCertificateValidationCallback = (_, certificate, _, _) =>
            {
                atBob.Error = PeerCertificate.Verify(certificate!.GetRawCertData(), Now, null, out atBob.Identity);
                return atBob.Error == TlsError.None;
            },
        }, TestContext.Current.CancellationToken);
        await client.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "",
            ClientCertificates = [ofAlice],
            EnabledSslProtocols = SslProtocols.Tls13,
            ApplicationProtocols = protocols,
            RemoteCertificateValidationCallback = (_, certificate, _, _) =>
            {
                atAlice.Error = PeerCertificate.Verify(certificate!.GetRawCertData(), Now, bob.PeerId, out atAlice.Identity);
                return atAlice.Error == TlsError.None;
            },
        }, TestContext.Current.CancellationToken);
        await serving;
        Assert.Equal((bob.PublicKey, TlsError.None), atAlice);
        Assert.Equal((Alice.PublicKey, TlsError.None), atBob);
        Assert.Equal("/yamux/1.0.0", TlsAlpn.Muxer(client.NegotiatedApplicationProtocol.ToString()));
        Assert.Null(TlsAlpn.Muxer("libp2p"));
        Assert.Equal(["/yamux/1.0.0", "libp2p"], TlsAlpn.Offer(["/yamux/1.0.0"]));
    }

    [Theory]
    [InlineData(Ed25519)]
    [InlineData(Ecdsa)]
    [InlineData(Secp256k1)]
    [InlineData(Mismatched)]
    public void The_framework_reads_the_same_in_a_certificate(string hex)
    {
        byte[] der = Convert.FromHexString(hex);
        using X509Certificate2 framework = X509CertificateLoader.LoadCertificate(der);
        var certificate = default(CertificateReader);
        Assert.True(certificate.TryRead(der));
        Assert.Equal(new DateTimeOffset(framework.NotBefore).ToUnixTimeMilliseconds(), certificate.NotBefore.Milliseconds);
        Assert.Equal(new DateTimeOffset(framework.NotAfter).ToUnixTimeMilliseconds(), certificate.NotAfter.Milliseconds);
        Assert.Equal(framework.PublicKey.ExportSubjectPublicKeyInfo(), certificate.Key);
        X509Extension extension = framework.Extensions[Extension]!;
        var reader = new AsnReader(extension.RawData, AsnEncodingRules.DER).ReadSequence();
        Assert.Equal(reader.ReadOctetString(), certificate.IdentityKey);
        Assert.Equal(reader.ReadOctetString(), certificate.IdentitySignature);
    }

    private static (Stream Left, Stream Right) Pipes()
    {
        var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        var left = new System.Net.Sockets.TcpClient();
        left.Connect((System.Net.IPEndPoint)listener.LocalEndpoint);
        System.Net.Sockets.TcpClient right = listener.AcceptTcpClient();
        listener.Stop();
        return (left.GetStream(), right.GetStream());
    }

    private static TlsError Verify(Action<CertificateRequest> extend, CertificateRequest? given = null)
    {
        using ECDsa key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        CertificateRequest request = given ?? new CertificateRequest(new X500DistinguishedName("CN=x"), key, HashAlgorithmName.SHA256);
        extend(request);
        using X509Certificate2 certificate = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(200));
        return PeerCertificate.Verify(certificate.RawData, Now, null, out _);
    }

    private static X509Extension Identity(CertificateRequest request, bool critical = true, byte[]? key = null, PrivateKey? signer = null)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteOctetString(key ?? Alice.PublicKey.Encoded);
            writer.WriteOctetString((signer ?? Alice).Sign([.. "libp2p-tls-handshake:"u8, .. request.PublicKey.ExportSubjectPublicKeyInfo()]));
        }
        return new X509Extension(Extension, writer.Encode(), critical);
    }

    private static byte[] Random(byte first) => [.. Enumerable.Range(first, PeerCertificate.RandomBytes).Select(i => (byte)i)];
}

file static class RequestExtensions
{
    public static void Add(this CertificateRequest request, params X509Extension[] extensions)
    {
        foreach (X509Extension extension in extensions)
            request.CertificateExtensions.Add(extension);
    }
}
