namespace Drap.Libp2p.Multiformats;

/// <summary>The parts that addresses are made of, by their codes in the multiaddr table. Which of them can be dialled is the host's matter.</summary>
public enum MultiaddrProtocol
{
    /// <summary>An IPv4 address.</summary>
    Ip4 = 4,

    /// <summary>A TCP port.</summary>
    Tcp = 6,

    /// <summary>An IPv6 address.</summary>
    Ip6 = 41,

    /// <summary>The zone, an interface's name, of the link-local IPv6 address that follows.</summary>
    Ip6Zone = 42,

    /// <summary>The length of a prefix, after an IP address.</summary>
    IpCidr = 43,

    /// <summary>A name that resolves to IPv4 and IPv6 addresses.</summary>
    Dns = 53,

    /// <summary>A name that resolves to IPv4 addresses.</summary>
    Dns4 = 54,

    /// <summary>A name that resolves to IPv6 addresses.</summary>
    Dns6 = 55,

    /// <summary>A name whose TXT records hold multiaddrs.</summary>
    DnsAddr = 56,

    /// <summary>A UDP port.</summary>
    Udp = 273,

    /// <summary>WebRTC with a certificate hash instead of signalling.</summary>
    WebRtcDirect = 280,

    /// <summary>WebRTC.</summary>
    WebRtc = 281,

    /// <summary>What stands before goes to a relay, what stands behind is the peer beyond it.</summary>
    P2pCircuit = 290,

    /// <summary>The path of a Unix socket.</summary>
    Unix = 400,

    /// <summary>A peer id (in old texts <c>ipfs</c>).</summary>
    P2p = 421,

    /// <summary>HTTPS.</summary>
    Https = 443,

    /// <summary>TLS.</summary>
    Tls = 448,

    /// <summary>The name to ask for in TLS.</summary>
    Sni = 449,

    /// <summary>Noise.</summary>
    Noise = 454,

    /// <summary>QUIC, draft 29.</summary>
    Quic = 460,

    /// <summary>QUIC, RFC 9000.</summary>
    QuicV1 = 461,

    /// <summary>WebTransport.</summary>
    WebTransport = 465,

    /// <summary>The multihash of a certificate.</summary>
    CertHash = 466,

    /// <summary>WebSocket.</summary>
    Ws = 477,

    /// <summary>WebSocket over TLS.</summary>
    Wss = 478,

    /// <summary>HTTP.</summary>
    Http = 480,
}
