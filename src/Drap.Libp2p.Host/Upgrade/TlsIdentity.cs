using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Keys;
using Drap.Libp2p.TlsCertificate;
using PublicKey = Drap.Libp2p.Keys.PublicKey;

namespace Drap.Libp2p.Host.Upgrade;

/// <summary>
/// Who we are in TLS 1.3 (libp2p/specs tls): one certificate for all connections of a host. It is valid for a hundred years, as go's and js's are: what ends is
/// the process that holds its key.
/// </summary>
internal sealed class TlsIdentity : IDisposable
{
    private readonly HostClock clock;
    private readonly X509Certificate2 certificate;
    private readonly SslStreamCertificateContext context;
    private readonly List<SslApplicationProtocol> protocols;

    public TlsIdentity(PrivateKey identity, HostClock clock, IEnumerable<string> muxers)
    {
        this.clock = clock;
        Span<byte> random = stackalloc byte[PeerCertificate.RandomBytes];
        RandomNumberGenerator.Fill(random);
        DateTimeOffset now = clock.Provider.GetUtcNow();
        using X509Certificate2 made = PeerCertificate.Create(
            identity, random, new UtcTime(now.AddHours(-1).ToUnixTimeMilliseconds()), new UtcTime(now.AddYears(100).ToUnixTimeMilliseconds()));
        // The framework's TLS takes a private key only from a certificate that was loaded with it.
        certificate = X509CertificateLoader.LoadPkcs12(made.Export(X509ContentType.Pkcs12), null);
        context = SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
        protocols = [.. TlsAlpn.Offer(muxers).Select(p => new SslApplicationProtocol(p))];
    }

    /// <summary>Shakes hands over the buffer's link, and puts the link within TLS in its place.</summary>
    public async Task<Secured> ShakeAsync(HandshakeBuffer buffer, PeerId? expected, bool isDialer, CancellationToken ct)
    {
        PublicKey? identity = null;
        TlsError error = TlsError.Malformed;
        var now = new UtcTime(clock.Provider.GetUtcNow().ToUnixTimeMilliseconds());
        bool Check(object sender, X509Certificate? theirs, X509Chain? chain, SslPolicyErrors errors)
        {
            error = theirs is null ? TlsError.NoIdentity : PeerCertificate.Verify(theirs.GetRawCertData(), now, expected, out identity);
            return error == TlsError.None;
        }
        byte[] already = buffer.Unread.ToArray();
        buffer.Use(already.Length);
        var under = new CountedLink(buffer.Link, buffer);
        var tls = new SslStream(new LinkStream(under, already), leaveInnerStreamOpen: false);
        try
        {
            if (isDialer)
            {
                await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
                {
                    // No server name: the specification asks for none.
                    TargetHost = "",
                    EnabledSslProtocols = SslProtocols.Tls13,
                    ApplicationProtocols = protocols,
                    ClientCertificateContext = context,
                    RemoteCertificateValidationCallback = Check,
                    AllowTlsResume = false,
                }, ct).ConfigureAwait(false);
            }
            else
            {
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions
                {
                    EnabledSslProtocols = SslProtocols.Tls13,
                    ApplicationProtocols = protocols,
                    ServerCertificateContext = context,
                    ClientCertificateRequired = true,
                    RemoteCertificateValidationCallback = Check,
                    AllowTlsResume = false,
                }, ct).ConfigureAwait(false);
            }
        }
        catch (AuthenticationException failure)
        {
            throw new Libp2pException(error == TlsError.None || identity is null && error == TlsError.Malformed
                ? $"the handshake of TLS failed: {failure.Message}" : $"the peer's certificate was refused: {error}", failure);
        }
        if (identity is null)
            throw new Libp2pException("the peer showed no certificate");
        under.Stop();
        buffer.Over(new TlsLink(tls, buffer.Link));
        string negotiated = System.Text.Encoding.UTF8.GetString(tls.NegotiatedApplicationProtocol.Protocol.Span);
        return new Secured(identity, new NoSealing(), negotiated.Length > 0 && TlsAlpn.Muxer(negotiated) is not null);
    }

    public void Dispose() => certificate.Dispose();

    /// <summary>Counts what a stranger sends until TLS has said who it is.</summary>
    private sealed class CountedLink(Link link, HandshakeBuffer buffer) : Link
    {
        private HandshakeBuffer? counter = buffer;

        public void Stop() => counter = null;

        public override ValueTask<int> WaitAsync() => link.WaitAsync();

        public override async ValueTask<int> ReceiveAsync(Memory<byte> bytes)
        {
            int received = await link.ReceiveAsync(bytes).ConfigureAwait(false);
            counter?.Count(Math.Max(received, 0));
            return received;
        }

        public override ValueTask SendAsync(ReadOnlyMemory<byte> bytes) => link.SendAsync(bytes);

        public override void Close() => link.Close();
    }
}
