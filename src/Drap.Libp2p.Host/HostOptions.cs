using System.Net;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Yamux;

namespace Drap.Libp2p.Host;

/// <summary>How a host is to be.</summary>
public sealed record HostOptions
{
    /// <summary>Who the host is. The host does not dispose it.</summary>
    public required PrivateKey Key { get; init; }

    /// <summary>
    /// Where it listens: TCP addresses, port 0 for any free one, and Unix sockets (<c>/unix/PATH</c>), which are for this user alone and of which peers are not told.
    /// Default none: then it only dials.
    /// </summary>
    public IReadOnlyList<Multiaddr> Listen { get; init; } = [];

    /// <summary>
    /// Whether addresses of Unix sockets are dialed. Default false: peers name addresses, too, and would choose which of this machine's services is written to.
    /// </summary>
    public bool DialsUnixSockets { get; init; }

    /// <summary>Who is asked for the texts of <c>/dnsaddr</c> names, in this order. Default null: those of <c>/etc/resolv.conf</c>.</summary>
    public IReadOnlyList<IPEndPoint>? NameServers { get; init; }

    /// <summary>Addresses that others are told besides those on which it listens, such as a router's outside. Default none.</summary>
    public IReadOnlyList<Multiaddr> Announce { get; init; } = [];

    /// <summary>What protects connections, best first; a listener takes each of them. Default Noise, then TLS.</summary>
    public IReadOnlyList<ConnectionSecurity> Security { get; init; } = [ConnectionSecurity.Noise, ConnectionSecurity.Tls];

    /// <summary>Must be set for <see cref="ConnectionSecurity.Plaintext"/> to be taken: anybody on the way reads, changes and impersonates. For tests. Default false.</summary>
    public bool AllowInsecure { get; init; }

    /// <summary>The program and its version, as identify tells it. Default <c>drap/0.1.0</c>.</summary>
    public string AgentVersion { get; init; } = "drap/0.1.0";

    /// <summary>The family of protocols, as identify tells it; decides nothing. Default <c>ipfs/0.1.0</c>, as go and js say.</summary>
    public string ProtocolVersion { get; init; } = "ipfs/0.1.0";

    /// <summary>Who may stay connected; null lets everybody. See <see cref="IConnectionGate"/>.</summary>
    public IConnectionGate? Gate { get; init; }

    /// <summary>What bounds the host.</summary>
    public HostLimits Limits { get; init; } = new();

    /// <summary>What bounds each connection's streams.</summary>
    public YamuxOptions Yamux { get; init; } = new();

    /// <summary>The clock. Default the system's.</summary>
    public TimeProvider TimeProvider { get; init; } = TimeProvider.System;
}

/// <summary>What protects a connection.</summary>
public enum ConnectionSecurity : byte
{
    /// <summary>Noise XX with X25519, ChaCha20-Poly1305 and SHA-256 (libp2p/specs noise).</summary>
    Noise,

    /// <summary>TLS 1.3 with self-signed certificates that name the peer's key (libp2p/specs tls).</summary>
    Tls,

    /// <summary>Nothing: peers tell each other their keys and prove nothing (libp2p/specs plaintext).</summary>
    Plaintext,
}
