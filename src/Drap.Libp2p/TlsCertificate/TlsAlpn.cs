namespace Drap.Libp2p.TlsCertificate;

/// <summary>
/// Which application protocols libp2p names in TLS (libp2p/specs tls, "ALPN"; connections, "Multiplexer Negotiation over TLS"): the stream
/// multiplexers, best first, and <c>libp2p</c> last, which leaves the multiplexer to multistream-select.
/// </summary>
public static class TlsAlpn
{
    /// <summary>The protocol that says no more than that this is libp2p.</summary>
    public const string Libp2p = "libp2p";

    /// <summary>What to offer and to accept for these multiplexers.</summary>
    public static string[] Offer(IEnumerable<string> muxers) => [.. muxers, Libp2p];

    /// <summary>The multiplexer that was agreed on with a protocol; null for <see cref="Libp2p"/>, where it is still to be chosen.</summary>
    public static string? Muxer(string negotiated) => negotiated == Libp2p ? null : negotiated;
}
