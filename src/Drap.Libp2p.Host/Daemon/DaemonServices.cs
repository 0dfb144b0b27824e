using System.Collections.Concurrent;
using System.Net.Sockets;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>What all connections of a daemon share: the host and its services, where each protocol's streams go, and room for large requests.</summary>
internal sealed class DaemonServices(Libp2pHost host, PubSub? pubSub, Dht? dht, TimeProvider time) : IDisposable
{
    /// <summary>Protocols for which programs take streams; beyond that a request is refused.</summary>
    private const int ProtocolsMax = 4096;

    /// <summary>How long a program may take to accept a stream's connection.</summary>
    private static readonly TimeSpan DialTimeout = TimeSpan.FromSeconds(10);

    // Where the streams of a protocol go; the host's handler is set with the first and looks here for each stream.
    private readonly ConcurrentDictionary<string, Multiaddr> handlers = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource stopping = new();
    private readonly Lock registering = new();

    public Libp2pHost Host => host;

    /// <summary>Topics, if there are any here.</summary>
    public PubSub? PubSub => pubSub;

    /// <summary>The DHT, if there is one here.</summary>
    public DhtRequests? Dht { get; } = dht is null ? null : new DhtRequests(host, dht);

    public TimeProvider Time => time;

    /// <summary>
    /// Room to collect requests above <see cref="DaemonSession.SmallBytesMax"/>: 16 at once, so that all together take no more than 128 MiB
    /// (a buffer doubles as it grows).
    /// </summary>
    public SemaphoreSlim LargeRequests { get; } = new(16);

    /// <summary>From now on brings streams of these protocols to an address; says what is wrong if it cannot.</summary>
    public string? Handle(DaemonRequest.HandleStreams request)
    {
        if (!Multiaddr.TryFromBytes(request.Address, out Multiaddr? address) || !ControlSockets.IsDialable(address))
            return "streams can be brought to /unix/PATH and /ip4/ADDRESS/tcp/PORT (ip6, dns)";
        lock (registering)
        {
            foreach (string protocol in request.Protocols)
            {
                if (!handlers.ContainsKey(protocol) && TryTakeOver(protocol) is { } fault)
                    return fault;
                handlers[protocol] = address;
            }
        }
        return null;
    }

    public void Dispose()
    {
        stopping.Cancel();
        foreach (string protocol in handlers.Keys)
            host.Unhandle(protocol);
        stopping.Dispose();
        LargeRequests.Dispose();
    }

    private string? TryTakeOver(string protocol)
    {
        if (handlers.Count == ProtocolsMax)
            return $"streams of {ProtocolsMax} protocols are handled already";
        try
        {
            host.Handle(protocol, BringAsync);
            return null;
        }
        catch (InvalidOperationException)
        {
            return $"{protocol} is served by the node itself";
        }
    }

    private async Task BringAsync(P2pStream stream)
    {
        DaemonSocket? socket = null;
        try
        {
            using (var late = new Patience(time, DialTimeout, stopping.Token))
            {
                socket = new DaemonSocket(await ControlSockets.ConnectAsync(handlers[stream.Protocol], late.Token).ConfigureAwait(false));
                await socket.WriteMessageAsync(InfoOf(stream).Encode(), late.Token).ConfigureAwait(false);
            }
            await StreamBridge.RunAsync(stream, socket, stopping.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The program that wanted them has gone, or takes none: the peer sees a reset.
            stream.Reset();
            socket?.Abort();
        }
    }

    /// <summary>What a program is told of a stream.</summary>
    public static StreamInfo InfoOf(P2pStream stream) => new(stream.Remote, stream.Connection.RemoteAddress.Bytes.ToArray(), stream.Protocol);
}
