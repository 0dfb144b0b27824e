using System.Collections.Immutable;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>
/// Uses the node of a libp2p daemon, whose ever: go-libp2p's, js-libp2p's or <c>drap p2pd</c>. Each request is a connection of its own, since not
/// every daemon takes a second one. Thread-safe.
/// </summary>
/// <param name="control">Where the daemon listens: <c>/unix/PATH</c> or TCP.</param>
public sealed class DaemonClient(Multiaddr control) : IAsyncDisposable
{
    // Above the time that the daemon has: its own answer, that the time is over, says more.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim starting = new(1);
    private DaemonStreamListener? listener;

    /// <summary>How long a request may take, 60 s by default: dialling a peer that is not there takes long, everything else does not.</summary>
    public TimeSpan Timeout { get; init; } = DaemonProtocol.TimeoutDefault;

    /// <summary>Who the node is and where it listens.</summary>
    /// <exception cref="DaemonException">The daemon is not there, or says no; so of each method here.</exception>
    public async Task<DaemonPeer> IdentifyAsync(CancellationToken ct = default) =>
        (await AskAsync(new DaemonRequest.Identify(), ct).ConfigureAwait(false)).Identity ?? throw NotWhole("identity");

    /// <summary>Connects the node to a peer, at these addresses or at those it knows.</summary>
    public Task ConnectAsync(PeerId peer, IEnumerable<Multiaddr> addresses, CancellationToken ct = default) =>
        AskAsync(new DaemonRequest.Connect(peer, [.. addresses.Select(address => address.Bytes.ToArray())], Timeout), ct);

    /// <summary>Ends the node's connections with a peer. js-libp2p's daemon cannot.</summary>
    public Task DisconnectAsync(PeerId peer, CancellationToken ct = default) => AskAsync(new DaemonRequest.Disconnect(peer), ct);

    /// <summary>The peers to which the node is connected, a peer once for each connection.</summary>
    public async Task<ImmutableArray<DaemonPeer>> ListPeersAsync(CancellationToken ct = default) =>
        (await AskAsync(new DaemonRequest.ListPeers(), ct).ConfigureAwait(false)).Peers;

    /// <summary>Opens a stream with the first of the protocols that the peer has.</summary>
    public async Task<DaemonStream> OpenStreamAsync(PeerId peer, IEnumerable<string> protocols, CancellationToken ct = default)
    {
        (DaemonSocket socket, DaemonResponse response) = await BeginAsync(new DaemonRequest.OpenStream(peer, [.. protocols], Timeout), ct).ConfigureAwait(false);
        if (response.Stream is not null)
            return new DaemonStream(socket, response.Stream);
        socket.Dispose();
        throw NotWhole("stream");
    }

    /// <summary>
    /// From now on gives each stream of a protocol to <paramref name="handler"/>, and disposes it when that is done. The daemon connects back to
    /// this process: on loopback or on a socket in a folder of this user's, as the daemon itself is reached. Until this is disposed; the protocol does not let
    /// go of a handler.
    /// </summary>
    public async Task HandleAsync(string protocol, Func<DaemonStream, Task> handler, CancellationToken ct = default)
    {
        await starting.WaitAsync(ct).ConfigureAwait(false);
        try
        {
            if (listener is null)
            {
                using Socket probe = await ControlSockets.ConnectAsync(control, ct).ConfigureAwait(false);
                listener = DaemonStreamListener.Start(probe.LocalEndPoint!);
            }
        }
        finally
        {
            starting.Release();
        }
        listener.Add(protocol, handler);
        await AskAsync(new DaemonRequest.HandleStreams(listener.Address.Bytes.ToArray(), [protocol]), ct).ConfigureAwait(false);
    }

    /// <summary>Gives a peer a tag of some weight, by which the node chooses whose connections it closes when there are too many.</summary>
    public Task TagPeerAsync(PeerId peer, string tag, long weight, CancellationToken ct = default) => AskAsync(new DaemonRequest.TagPeer(peer, tag, weight), ct);

    /// <summary>Takes a tag from a peer.</summary>
    public Task UntagPeerAsync(PeerId peer, string tag, CancellationToken ct = default) => AskAsync(new DaemonRequest.UntagPeer(peer, tag), ct);

    /// <summary>Closes the least useful connections of the node.</summary>
    public Task TrimConnectionsAsync(CancellationToken ct = default) => AskAsync(new DaemonRequest.TrimConnections(), ct);

    /// <summary>The protocols that the node knows of a peer.</summary>
    public async Task<ImmutableArray<string>> GetProtocolsAsync(PeerId peer, CancellationToken ct = default) =>
        (await AskAsync(new DaemonRequest.GetProtocols(peer), ct).ConfigureAwait(false)).Protocols ?? throw NotWhole("protocols");

    /// <summary>Where the node knows a peer to be.</summary>
    public async Task<DaemonPeer> GetPeerInfoAsync(PeerId peer, CancellationToken ct = default) =>
        (await AskAsync(new DaemonRequest.GetPeerInfo(peer), ct).ConfigureAwait(false)).Known ?? throw NotWhole("peer");

    /// <summary>The topics to which the node is subscribed.</summary>
    public async Task<ImmutableArray<string>> GetTopicsAsync(CancellationToken ct = default) =>
        (await AskAsync(new DaemonRequest.GetTopics(), ct).ConfigureAwait(false)).Topics ?? [];

    /// <summary>The peers that the node knows to be subscribed to a topic.</summary>
    public async Task<ImmutableArray<PeerId>> ListTopicPeersAsync(string topic, CancellationToken ct = default) =>
        (await AskAsync(new DaemonRequest.ListTopicPeers(topic), ct).ConfigureAwait(false)).TopicPeers;

    /// <summary>Publishes.</summary>
    public Task PublishAsync(string topic, ReadOnlyMemory<byte> data, CancellationToken ct = default) =>
        AskAsync(new DaemonRequest.Publish(topic, data.ToArray()), ct);

    /// <summary>Subscribes the node to a topic until the subscription is disposed; when this returns, it is. js-libp2p's daemon stays subscribed.</summary>
    public async Task<DaemonSubscription> SubscribeAsync(string topic, CancellationToken ct = default)
    {
        (DaemonSocket socket, _) = await BeginAsync(new DaemonRequest.Subscribe(topic), ct).ConfigureAwait(false);
        return new DaemonSubscription(topic, socket);
    }

    /// <summary>Where a peer is, by the DHT.</summary>
    public async Task<DaemonPeer> FindPeerAsync(PeerId peer, CancellationToken ct = default) =>
        (await AskAsync(new DaemonRequest.FindPeer(peer, Timeout), ct).ConfigureAwait(false)).Dht is DhtAnswer.Peer found ? found.Found : throw NotWhole("peer");

    /// <summary>A peer's public key in its protobuf form, by the DHT.</summary>
    public async Task<byte[]> GetPublicKeyAsync(PeerId peer, CancellationToken ct = default) =>
        (await AskAsync(new DaemonRequest.GetPublicKey(peer, Timeout), ct).ConfigureAwait(false)).Dht is DhtAnswer.Value value ? value.Bytes : throw NotWhole("key");

    /// <summary>The best value at a key of the DHT.</summary>
    public async Task<byte[]> GetValueAsync(byte[] key, CancellationToken ct = default) =>
        (await AskAsync(new DaemonRequest.GetValue(key, Timeout), ct).ConfigureAwait(false)).Dht is DhtAnswer.Value value ? value.Bytes : throw NotWhole("value");

    /// <summary>Puts a value at a key of the DHT.</summary>
    public Task PutValueAsync(byte[] key, byte[] value, CancellationToken ct = default) => AskAsync(new DaemonRequest.PutValue(key, value, Timeout), ct);

    /// <summary>Tells the DHT that the node has the content of a CID.</summary>
    public Task ProvideAsync(ContentId cid, CancellationToken ct = default) => AskAsync(new DaemonRequest.Provide(cid.Bytes.ToArray(), Timeout), ct);

    /// <summary>Who has the content of a CID, as they are found.</summary>
    public async IAsyncEnumerable<DaemonPeer> FindProvidersAsync(ContentId cid, int count, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (DhtAnswer answer in AskRowAsync(new DaemonRequest.FindProviders(cid.Bytes.ToArray(), count, Timeout), ct).ConfigureAwait(false))
            yield return answer is DhtAnswer.Peer peer ? peer.Found : throw NotWhole("peer");
    }

    /// <summary>The peers closest to a key, as they are found.</summary>
    public async IAsyncEnumerable<PeerId> GetClosestPeersAsync(byte[] key, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (DhtAnswer answer in AskRowAsync(new DaemonRequest.GetClosestPeers(key, Timeout), ct).ConfigureAwait(false))
            yield return answer is DhtAnswer.Value value && PeerId.TryFromBytes(value.Bytes, out PeerId peer) ? peer : throw NotWhole("peer");
    }

    /// <summary>Values at a key of the DHT, each better than those before.</summary>
    public async IAsyncEnumerable<byte[]> SearchValueAsync(byte[] key, [EnumeratorCancellation] CancellationToken ct = default)
    {
        await foreach (DhtAnswer answer in AskRowAsync(new DaemonRequest.SearchValue(key, Timeout), ct).ConfigureAwait(false))
            yield return answer is DhtAnswer.Value value ? value.Bytes : throw NotWhole("value");
    }

    /// <summary>Takes no more streams. Those that were opened, and subscriptions, go on until they are disposed.</summary>
    public async ValueTask DisposeAsync()
    {
        if (listener is not null)
            await listener.DisposeAsync().ConfigureAwait(false);
        starting.Dispose();
    }

    private static DaemonException NotWhole(string what) => new($"the daemon's answer lacks its {what}");

    private async Task<DaemonResponse> AskAsync(DaemonRequest request, CancellationToken ct)
    {
        (DaemonSocket socket, DaemonResponse response) = await BeginAsync(request, ct).ConfigureAwait(false);
        socket.Dispose();
        return response;
    }

    private async IAsyncEnumerable<DhtAnswer> AskRowAsync(DaemonRequest request, [EnumeratorCancellation] CancellationToken ct)
    {
        using var late = new Patience(TimeProvider.System, Timeout + Grace, ct);
        (DaemonSocket socket, DaemonResponse response) = await BeginAsync(request, late.Token).ConfigureAwait(false);
        using (socket)
        {
            if (response.Dht is not DhtAnswer.Begin)
                throw NotWhole("row");
            while (true)
            {
                byte[] message = await socket.ReadMessageAsync(late.Token).ConfigureAwait(false) ?? throw NotWhole("end");
                if (!DhtAnswer.TryDecode(message, out DhtAnswer? answer))
                    throw new DaemonException("what the daemon sent is no answer of the DHT");
                if (answer is DhtAnswer.End)
                    yield break;
                yield return answer;
            }
        }
    }

    // The connection is the caller's if it was done.
    private async Task<(DaemonSocket Socket, DaemonResponse Response)> BeginAsync(DaemonRequest request, CancellationToken ct)
    {
        using var late = new Patience(TimeProvider.System, Timeout + Grace, ct);
        DaemonSocket? socket = null;
        try
        {
            socket = new DaemonSocket(await ControlSockets.ConnectAsync(control, late.Token).ConfigureAwait(false));
            await socket.WriteMessageAsync(DaemonRequestWriter.Encode(request), late.Token).ConfigureAwait(false);
            byte[] message = await socket.ReadMessageAsync(late.Token).ConfigureAwait(false)
                ?? throw new DaemonException("the daemon closed the connection without an answer");
            if (!DaemonResponse.TryDecode(message, out DaemonResponse? response))
                throw new DaemonException("what the daemon sent is no answer");
            if (response.Error is not null)
                throw new DaemonException(response.Error);
            DaemonSocket begun = socket;
            socket = null;
            return (begun, response);
        }
        catch (OperationCanceledException) when (!ct.IsCancellationRequested)
        {
            throw new DaemonException($"the daemon at {control} did not answer within {Timeout + Grace}");
        }
        catch (SocketException e)
        {
            throw new DaemonException($"the connection with the daemon at {control} was lost: {e.Message}", e);
        }
        finally
        {
            socket?.Abort();
        }
    }
}
