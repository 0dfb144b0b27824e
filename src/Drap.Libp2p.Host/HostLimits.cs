namespace Drap.Libp2p.Host;

/// <summary>What bounds a host, and what happens at each bound.</summary>
public sealed record HostLimits
{
    /// <summary>
    /// Connections above which the least useful ones are closed, down to <see cref="ConnectionsLow"/>. Default 4 096. Those that are protected are never
    /// closed so; when all are, new ones are refused.
    /// </summary>
    public int ConnectionsMax { get; init; } = 4096;

    /// <summary>How many remain then. Default 3 840: so that closing is done for 256 at once, not for each new one.</summary>
    public int ConnectionsLow { get; init; } = 3840;

    /// <summary>Connections with one peer. Default 8: one is enough, some more come from dialing each other at the same time over several addresses. More are refused.</summary>
    public int ConnectionsPerPeerMax { get; init; } = 8;

    /// <summary>How long a new connection is not closed for being of little use. Default 20 s, as go has it: by then it shows whether it is used.</summary>
    public TimeSpan NewConnectionGrace { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>
    /// How long a connection without streams stays open unless it is protected. Default 5 min; <see cref="Timeout.InfiniteTimeSpan"/> for ever. A second
    /// connection with the same peer is closed after <see cref="SpareAfter"/>.
    /// </summary>
    public TimeSpan IdleAfter { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How long a connection that is not the one used for its peer stays open without streams. Default 10 s.</summary>
    public TimeSpan SpareAfter { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Incoming connections that have not proved who they are yet. Default 256. More are closed at once.</summary>
    public int HandshakesMax { get; init; } = 256;

    /// <summary>As <see cref="HandshakesMax"/>, from one IP address (an IPv6 network of 64 bits). Default 64, so that one machine cannot take all; loopback is not counted.</summary>
    public int HandshakesPerAddressMax { get; init; } = 64;

    /// <summary>How long a connection may take until both sides know who the other is and share a multiplexer. Default 10 s. Then it is closed.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Bytes that are taken from a peer before it has proved who it is. Default 64 KiB. Then it is closed.</summary>
    public int HandshakeBytesMax { get; init; } = 64 * 1024;

    /// <summary>Connections that are being dialed. Default 128: more at once fill the socket table and help nobody. More wait.</summary>
    public int DialsMax { get; init; } = 128;

    /// <summary>Dials that wait for their turn. Default 1 024. More fail at once.</summary>
    public int DialsWaitingMax { get; init; } = 1024;

    /// <summary>Addresses of one peer that are tried in one dial. Default 16. The others are not tried.</summary>
    public int AddressesPerDialMax { get; init; } = 16;

    /// <summary>How long one address may take to answer, handshake included. Default 10 s.</summary>
    public TimeSpan DialTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Bytes that may be held for a peer in any case, of what it sent and nobody read. Default 1 MiB.</summary>
    public long PeerMemoryGuaranteed { get; init; } = 1024 * 1024;

    /// <summary>
    /// Bytes that may be held for a peer while others leave room. Default 16 MiB. At the limit nothing more is read from it; after 5 s the streams that
    /// hold most are reset until it fits.
    /// </summary>
    public long PeerMemoryMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>Bytes that may be held for all peers above what is guaranteed to each. Default 256 MiB.</summary>
    public long MemoryMax { get; init; } = 256 * 1024 * 1024;

    /// <summary>How long the two sides of a stream may take to agree on a protocol. Default 10 s. Then the stream is reset.</summary>
    public TimeSpan NegotiationTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a peer may keep its half of a stream open whose handler is done. Default 30 s. Then the stream is reset.</summary>
    public TimeSpan LingerTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// Handlers that run for one connection, those whose stream was reset meanwhile included. Default 1 000, as many as streams may be open. Streams above
    /// it are reset.
    /// </summary>
    public int HandlersPerConnectionMax { get; init; } = 1000;

    /// <summary>Peers of which addresses and protocols are remembered. Default 16 384. The one that was touched longest ago is forgotten.</summary>
    public int KnownPeersMax { get; init; } = 16 * 1024;

    /// <summary>How long a host that stops waits for handlers to end whose streams have ended. Default 5 s. Then it stops without them.</summary>
    public TimeSpan StopTimeout { get; init; } = TimeSpan.FromSeconds(5);
}
