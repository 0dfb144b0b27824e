using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Daemon;

/// <summary>
/// The bounds of the control protocol of libp2p's daemon (libp2p/go-libp2p-daemon, specs/CONTROL.md): messages, each with its length as an
/// unsigned varint before it, on a Unix socket or a TCP connection between a program and the node that it uses.
/// </summary>
/// <remarks>
/// Who can open the socket may use the node, but not harm it: what is beyond a bound is refused with an error that names the bound, and the
/// connection goes on. Only a length above <see cref="MessageBytesMax"/>, or one that is none, ends the connection.
/// </remarks>
public static class DaemonProtocol
{
    /// <summary>The longest message without its length: 4 MiB, as in go and js.</summary>
    public const int MessageBytesMax = 4 * 1024 * 1024;

    /// <summary>Addresses of one peer, as many as identify takes: each is a dial that may be tried.</summary>
    public const int AddressesMax = 64;

    /// <summary>Bytes of one address.</summary>
    public const int AddressBytesMax = Multiaddr.BytesMax;

    /// <summary>Protocols that one request may name; each is asked for in turn.</summary>
    public const int ProtocolsMax = 64;

    /// <summary>UTF-8 bytes of a protocol's name or a peer's tag: what multistream-select could ask for.</summary>
    public const int NameBytesMax = 256;

    /// <summary>UTF-8 bytes of a topic's name; ours have under a hundred.</summary>
    public const int TopicBytesMax = 1024;

    /// <summary>Bytes of a DHT key or of a CID: a namespace and a multihash are under a hundred.</summary>
    public const int KeyBytesMax = 1024;

    /// <summary>Peers, topics or protocols that one answer may list; a daemon that answers more is not believed.</summary>
    public const int ListMax = 65_536;

    /// <summary>Bytes of an error's text. A longer one is cut.</summary>
    public const int ErrorBytesMax = 4096;

    /// <summary>Providers looked for when the request says no number, as in go.</summary>
    public const int ProvidersDefault = 20;

    /// <summary>The most providers looked for; who asks for more gets these.</summary>
    public const int ProvidersMax = 1000;

    /// <summary>How long a request may take when it does not say, as in go.</summary>
    public static readonly TimeSpan TimeoutDefault = TimeSpan.FromSeconds(60);

    /// <summary>The longest time that a request may ask for; who asks for more gets this.</summary>
    public static readonly TimeSpan TimeoutMax = TimeSpan.FromHours(1);
}
