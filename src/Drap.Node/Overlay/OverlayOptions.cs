using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using Drap.Libp2p.Host;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Yamux;

namespace Drap.Node.Overlay;

/// <summary>Whose library carries a node's messages.</summary>
public enum OverlayKind
{
    /// <summary>Nobody's: only nodes of this process are reached.</summary>
    Memory,

    /// <summary>Our own libp2p.</summary>
    Libp2p,

    /// <summary>That of a libp2p daemon beside this process.</summary>
    P2pd,
}

/// <summary>How a node joins its swarm.</summary>
public sealed record OverlayOptions
{
    /// <summary>Where a node listens by default: on this machine alone, on any free port. On loopback a swarm is open until it has certificates.</summary>
    public static readonly ImmutableArray<Multiaddr> ListenDefault = [Multiaddr.Parse("/ip4/127.0.0.1/tcp/0")];

    /// <summary>Whose library carries it.</summary>
    public required OverlayKind Kind { get; init; }

    /// <summary>The room of nodes that reach each other in memory; needed for <see cref="OverlayKind.Memory"/>.</summary>
    public MemoryOverlay? Room { get; init; }

    /// <summary>Where the daemon listens; needed for <see cref="OverlayKind.P2pd"/>. The node's name is then the daemon's.</summary>
    public Multiaddr? Daemon { get; init; }

    /// <summary>Where to listen: IP addresses with a TCP port, 0 for any free one. A daemon listens where it was told itself.</summary>
    public ImmutableArray<Multiaddr> Listen { get; init; } = ListenDefault;

    /// <summary>Addresses to tell others besides those: such as a router's outside.</summary>
    public ImmutableArray<Multiaddr> Announce { get; init; } = [];

    /// <summary>Peers by which the swarm is found, each with its name at the end. They are dialed again and again until some are connected.</summary>
    public ImmutableArray<Multiaddr> Bootstrap { get; init; } = [];

    /// <summary>
    /// Whether to find and be found on the LAN (multicast DNS). Default not: where addresses are known, as in <c>drap dev</c>, nobody needs to be asked.
    /// </summary>
    public bool Mdns { get; init; }

    /// <summary>Whether to be a relay for nodes that cannot be dialed. Default not: what they exchange goes over this node's network.</summary>
    public bool Relay { get; init; }

    /// <summary>
    /// Whether others can dial this node: false makes it keep places at relays at once, null (the default) when it has seen that nobody can.
    /// </summary>
    public bool? IsReachable { get; init; }

    /// <summary>Who may stay connected; null lets everybody: the swarm is open. Not with a daemon, which has none.</summary>
    public IConnectionGate? Gate { get; init; }

    /// <summary>What bounds the host.</summary>
    public HostLimits Limits { get; init; } = new();

    /// <summary>What bounds each connection's streams, and how soon a silent peer is noticed. Leases do not rest on that: nodes hear of each other every second.</summary>
    public YamuxOptions Yamux { get; init; } = new();

    /// <summary>As <see cref="TryParse"/> reads it.</summary>
    public string ToArgument() => Kind switch
    {
        OverlayKind.Memory => "memory",
        OverlayKind.Libp2p => Words() is { Length: > 0 } words ? $"libp2p:{words}" : "libp2p",
        _ => $"p2pd:{Daemon}",
    };

    /// <summary>For another node of this machine that is to join as this one does: it listens at the same addresses, on any free port.</summary>
    public OverlayOptions Beside() => this with
    {
        Listen = [.. Listen.Select(a => a.TryGetTcp(out EndPoint? at, out _) && at is IPEndPoint ip ? Multiaddr.FromTcp(ip.Address, 0) : a)], Announce = [], Relay = false,
    };

    /// <summary>
    /// Reads what <c>--overlay</c> says: <c>memory</c>, <c>libp2p</c> or <c>p2pd:MULTIADDR</c>. After <c>libp2p:</c> may follow, with commas between:
    /// <c>listen=</c>, <c>announce=</c> and <c>bootstrap=MULTIADDR</c>, each as often as is wanted, <c>mdns</c>, <c>relay</c> and <c>hidden</c>, which says
    /// that nobody can dial this node.
    /// </summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out OverlayOptions? options, [NotNullWhen(false)] out string? error)
    {
        (options, error) = text switch
        {
            "memory" => (new OverlayOptions { Kind = OverlayKind.Memory }, (string?)null),
            "libp2p" => (new OverlayOptions { Kind = OverlayKind.Libp2p }, null),
            _ when text.StartsWith("libp2p:", StringComparison.Ordinal) => ParseWords(text, text["libp2p:".Length..].Split(',')),
            _ when text.StartsWith("p2pd:", StringComparison.Ordinal) => ParseDaemon(text["p2pd:".Length..]),
            _ => (null, $"--overlay {text}: memory, libp2p or p2pd:MULTIADDR is expected, such as p2pd:/unix/tmp/p2pd.sock"),
        };
        return options is not null;
    }

    /// <summary>
    /// Reads addresses that <paramref name="option"/> gives; with <paramref name="named"/> each must end with <c>/p2p/ID</c>. Those that are dialed and not listened on
    /// (<paramref name="dialed"/>) may be names that hold addresses, <c>/dnsaddr/NAME</c>.
    /// </summary>
    public static bool TryParseAddresses(
        string option, IEnumerable<string> texts, bool named, bool dialed, out ImmutableArray<Multiaddr> addresses, [NotNullWhen(false)] out string? error)
    {
        var read = ImmutableArray.CreateBuilder<Multiaddr>();
        error = null;
        foreach (string text in texts)
        {
            if (!Multiaddr.TryParse(text, out Multiaddr? address))
                error = $"{option} {text}: no multiaddr, such as /ip4/192.0.2.1/tcp/4001{(named ? "/p2p/12D3KooW…" : "")}";
            else if (!address.IsCircuit && !address.TryGetTcp(out _, out _) && !(dialed && address.TryGetDnsaddr(out _, out _)))
                error = $"{option} {text}: an IP address or a name with a TCP port is expected, such as /ip4/192.0.2.1/tcp/4001";
            else if (named && address.Peer is null)
                error = $"{option} {text}: does not end with the peer's name, /p2p/12D3KooW…";
            else
                read.Add(address);
            if (error is not null)
                break;
        }
        addresses = read.ToImmutable();
        return error is null;
    }

    private string Words() => string.Join(',',
    [
        .. Listen == ListenDefault ? [] : Listen.Select(a => $"listen={a}"), .. Announce.Select(a => $"announce={a}"), .. Bootstrap.Select(a => $"bootstrap={a}"),
        .. Mdns ? (string[])["mdns"] : [], .. Relay ? (string[])["relay"] : [], .. IsReachable == false ? (string[])["hidden"] : [],
    ]);

    private static (OverlayOptions?, string?) ParseWords(string text, string[] words)
    {
        string[] flags = ["mdns", "relay", "hidden"], keys = ["listen", "announce", "bootstrap"];
        if (words.FirstOrDefault(w => !flags.Contains(w) && !keys.Contains(w.Split('=')[0])) is { } unknown)
            return (null, $"--overlay {text}: found '{unknown}'; allowed: {string.Join(", ", flags)}, {string.Join(", ", keys.Select(k => $"{k}=MULTIADDR"))}");
        var read = new ImmutableArray<Multiaddr>[keys.Length];
        for (int i = 0; i < keys.Length; i++)
            if (!TryParseAddresses(
                $"--overlay {keys[i]}", words.Where(w => w.Split('=')[0] == keys[i]).Select(w => w[Math.Min(w.Length, keys[i].Length + 1)..]), named: keys[i] == "bootstrap",
                dialed: keys[i] != "listen", out read[i], out string? error))
                return (null, error);
        return (new OverlayOptions
        {
            Kind = OverlayKind.Libp2p, Listen = read[0].IsEmpty ? ListenDefault : read[0], Announce = read[1], Bootstrap = read[2],
            Mdns = words.Contains("mdns"), Relay = words.Contains("relay"), IsReachable = words.Contains("hidden") ? false : null,
        }, null);
    }

    private static (OverlayOptions?, string?) ParseDaemon(string address) =>
        !Multiaddr.TryParse(address, out Multiaddr? daemon)
            ? (null, $"--overlay p2pd:{address}: no multiaddr, such as /unix/tmp/p2pd.sock or /ip4/127.0.0.1/tcp/4010")
            : !daemon.TryGetUnixPath(out _) && !daemon.TryGetTcp(out _, out _)
                ? (null, $"--overlay p2pd:{address}: a daemon is reached at /unix/PATH or at an IP address with a TCP port")
                : (new OverlayOptions { Kind = OverlayKind.P2pd, Daemon = daemon }, null);
}
