using System.Net.Sockets;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>
/// Serves one connection of the control protocol: requests one after the other, each answered before the next is read, until one of them makes the
/// connection a stream or a subscription.
/// </summary>
internal sealed class DaemonSession(DaemonServices services, Socket accepted, CancellationToken stopping) : IDisposable
{
    /// <summary>Requests up to here are collected on every connection at once; larger ones, which are values and published data, in turns.</summary>
    public const int SmallBytesMax = 64 * 1024;

    /// <summary>How long a request may take to come whole once it has begun. Then the connection is closed.</summary>
    private static readonly TimeSpan RequestTimeout = TimeSpan.FromSeconds(10);

    private readonly DaemonSocket socket = new(accepted);
    private bool holdsLarge;

    private Libp2pHost Host => services.Host;

    /// <summary>Serves a connection to its end. Does not throw.</summary>
    public static async Task ServeAsync(DaemonServices services, Socket accepted, CancellationToken stopping)
    {
        using var session = new DaemonSession(services, accepted, stopping);
        await session.RunAsync().ConfigureAwait(false);
    }

    public void Dispose() => socket.Dispose();

    private async Task RunAsync()
    {
        using CancellationTokenRegistration ending = stopping.Register(socket.Abort);
        try
        {
            while (await ReadAsync().ConfigureAwait(false) is { } message)
            {
                bool goesOn = await AnswerAsync(message).ConfigureAwait(false);
                ReleaseLarge();
                if (!goesOn)
                    return;
            }
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The program has gone, or speaks another protocol: nobody is left to tell.
        }
        finally
        {
            ReleaseLarge();
        }
    }

    private async ValueTask<byte[]?> ReadAsync()
    {
        if (socket.TryTake(out byte[]? message))
            return message;
        // Between two requests it may be silent for ever.
        if (!socket.HasBegun && !await socket.ReceiveAsync(stopping).ConfigureAwait(false))
            return null;
        using Patience late = Within(RequestTimeout);
        while (!socket.TryTake(out message))
        {
            if (!holdsLarge && socket.Begun > SmallBytesMax)
            {
                await services.LargeRequests.WaitAsync(late.Token).ConfigureAwait(false);
                holdsLarge = true;
            }
            if (!await socket.ReceiveAsync(late.Token).ConfigureAwait(false))
                return null;
        }
        return message;
    }

    private void ReleaseLarge()
    {
        if (holdsLarge)
            services.LargeRequests.Release();
        holdsLarge = false;
    }

    // False once the connection is no more one of requests.
    private async ValueTask<bool> AnswerAsync(byte[] message)
    {
        if (!DaemonRequestReader.TryDecode(message, out DaemonRequest? request, out string? fault))
        {
            await WriteAsync(DaemonResponse.Failed(fault)).ConfigureAwait(false);
            return true;
        }
        switch (request)
        {
            case DaemonRequest.OpenStream open:
                return await OpenStreamAsync(open).ConfigureAwait(false);
            case DaemonRequest.Subscribe subscribe when services.PubSub is { } pubSub:
                return await SubscribeAsync(pubSub, subscribe.Topic).ConfigureAwait(false);
            case var row when DhtRequests.IsRow(row) && services.Dht is { } dht:
                await AnswerRowAsync(dht, row).ConfigureAwait(false);
                return true;
            default:
                await WriteAsync(await TryAsync(request).ConfigureAwait(false)).ConfigureAwait(false);
                return true;
        }
    }

    // What fails is said, and the connection goes on.
    private async ValueTask<DaemonResponse> TryAsync(DaemonRequest request)
    {
        try
        {
            return await DoAsync(request).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            return DaemonResponse.Failed("it took too long");
        }
        catch (Libp2pException e)
        {
            return DaemonResponse.Failed(e.Message);
        }
        catch (ArgumentException e)
        {
            return DaemonResponse.Failed(WordsOf(e));
        }
    }

    private async ValueTask<DaemonResponse> DoAsync(DaemonRequest request)
    {
        switch (request)
        {
            case DaemonRequest.Identify:
                return new DaemonResponse { Identity = PeerOf(Host.Self, Host.ListenAddresses) };
            case DaemonRequest.Connect connect:
                using (Patience late = Within(connect.Timeout))
                    await Host.ConnectAsync(connect.Peer, AddressesOf(connect), late.Token).ConfigureAwait(false);
                return DaemonResponse.Ok;
            case DaemonRequest.Disconnect disconnect:
                await Host.DisconnectAsync(disconnect.Peer).ConfigureAwait(false);
                return DaemonResponse.Ok;
            case DaemonRequest.ListPeers:
                // js and go say one address of a peer: the one by which it is connected.
                return new DaemonResponse
                {
                    Peers = [.. Host.Connections.DistinctBy(c => c.Remote).Select(c => PeerOf(c.Remote, [c.RemoteAddress]))],
                };
            case DaemonRequest.HandleStreams handle:
                return services.Handle(handle) is { } fault ? DaemonResponse.Failed(fault) : DaemonResponse.Ok;
            case DaemonRequest.TagPeer tag:
                return Host.TryTag(tag.Peer, tag.Tag, tag.Weight) ? DaemonResponse.Ok : DaemonResponse.Failed("too many tags: of this peer, or of peers in all");
            case DaemonRequest.UntagPeer untag:
                Host.Untag(untag.Peer, untag.Tag);
                return DaemonResponse.Ok;
            case DaemonRequest.TrimConnections:
                await Host.TrimAsync().ConfigureAwait(false);
                return DaemonResponse.Ok;
            case DaemonRequest.GetProtocols protocols:
                return new DaemonResponse { Protocols = Host.PeerBook[protocols.Peer].Protocols };
            case DaemonRequest.GetPeerInfo info:
                return new DaemonResponse { Protocols = [], Known = PeerOf(info.Peer, Host.PeerBook[info.Peer].Addresses) };
            case DaemonRequest.GetTopics or DaemonRequest.ListTopicPeers or DaemonRequest.Publish or DaemonRequest.Subscribe:
                return services.PubSub is { } pubSub
                    ? await DoAsync(pubSub, request).ConfigureAwait(false) : DaemonResponse.Failed("pubsub is not enabled in this daemon");
            default:
                if (services.Dht is not { } dht)
                    return DaemonResponse.Failed("the DHT is not enabled in this daemon");
                using (Patience late = Within(DhtRequests.TimeoutOf(request) ?? DaemonProtocol.TimeoutDefault))
                    return await dht.AnswerAsync(request, late.Token).ConfigureAwait(false);
        }
    }

    private async ValueTask<DaemonResponse> DoAsync(PubSub pubSub, DaemonRequest request)
    {
        switch (request)
        {
            case DaemonRequest.ListTopicPeers list:
                IReadOnlyList<PeerId> peers = list.Topic.Length > 0 ? pubSub.PeersOf(list.Topic) : pubSub.Hearers;
                return new DaemonResponse { Topics = list.Topic.Length > 0 ? [list.Topic] : [], TopicPeers = [.. peers.Take(DaemonProtocol.ListMax)] };
            case DaemonRequest.Publish publish:
                using (Patience late = Within(DaemonProtocol.TimeoutDefault))
                    await pubSub.PublishAsync(publish.Topic, publish.Data, late.Token).ConfigureAwait(false);
                return DaemonResponse.Ok;
            default:
                return new DaemonResponse { Topics = [.. pubSub.Topics] };
        }
    }

    private async ValueTask<bool> SubscribeAsync(PubSub pubSub, string name)
    {
        TopicSubscription topic;
        try
        {
            topic = pubSub.Subscribe(name);
        }
        catch (ArgumentException e)
        {
            await WriteAsync(DaemonResponse.Failed(WordsOf(e))).ConfigureAwait(false);
            return true;
        }
        using (topic)
        {
            await WriteAsync(DaemonResponse.Ok).ConfigureAwait(false);
            await TopicFeed.RunAsync(topic, socket, stopping).ConfigureAwait(false);
        }
        return false;
    }

    // The row begins with its first answer, so that a question that is not taken is refused as any other; once it has begun it can only end.
    private async ValueTask AnswerRowAsync(DhtRequests dht, DaemonRequest request)
    {
        bool hasBegun = false;
        DaemonResponse begin = new() { Dht = new DhtAnswer.Begin() };
        try
        {
            using Patience late = Within(DhtRequests.TimeoutOf(request) ?? DaemonProtocol.TimeoutDefault);
            await foreach (DhtAnswer answer in dht.AnswersAsync(request, late.Token).ConfigureAwait(false))
            {
                if (!hasBegun)
                    await WriteAsync(begin).ConfigureAwait(false);
                hasBegun = true;
                await socket.WriteMessageAsync(answer.Encode(), stopping).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or Libp2pException && !stopping.IsCancellationRequested)
        {
            if (!hasBegun)
            {
                await WriteAsync(DaemonResponse.Failed(e is Libp2pException ? e.Message : "it took too long")).ConfigureAwait(false);
                return;
            }
        }
        if (!hasBegun)
            await WriteAsync(begin).ConfigureAwait(false);
        await socket.WriteMessageAsync(new DhtAnswer.End().Encode(), stopping).ConfigureAwait(false);
    }

    private async ValueTask<bool> OpenStreamAsync(DaemonRequest.OpenStream open)
    {
        P2pStream? stream = null;
        try
        {
            using Patience late = Within(open.Timeout);
            stream = await Host.OpenStreamAsync(open.Peer, open.Protocols, late.Token).ConfigureAwait(false);
            await WriteAsync(new DaemonResponse { Stream = DaemonServices.InfoOf(stream) }).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            await WriteAsync(DaemonResponse.Failed("it took too long")).ConfigureAwait(false);
            return true;
        }
        catch (Libp2pException e) when (stream is null)
        {
            await WriteAsync(DaemonResponse.Failed(e.Message)).ConfigureAwait(false);
            return true;
        }
        catch
        {
            stream?.Reset();
            throw;
        }
        await StreamBridge.RunAsync(stream, socket, stopping).ConfigureAwait(false);
        return false;
    }

    // Which of our parameters it was is nothing to a program.
    private static string WordsOf(ArgumentException e) => e.ParamName is { } name ? e.Message.Replace($" (Parameter '{name}')", "", StringComparison.Ordinal) : e.Message;

    private static List<Multiaddr> AddressesOf(DaemonRequest.Connect connect)
    {
        var addresses = new List<Multiaddr>(connect.Addresses.Length);
        foreach (byte[] bytes in connect.Addresses)
        {
            if (!Multiaddr.TryFromBytes(bytes, out Multiaddr? address))
                throw new DaemonException("what should be an address is no multiaddr, or of a kind that is not known here");
            addresses.Add(address);
        }
        return addresses;
    }

    private static DaemonPeer PeerOf(PeerId peer, IEnumerable<Multiaddr> addresses) =>
        new(peer, [.. addresses.Take(DaemonProtocol.AddressesMax).Select(address => address.Bytes.ToArray())]);

    private Patience Within(TimeSpan limit) => new(services.Time, limit, stopping);

    private ValueTask WriteAsync(DaemonResponse response) => socket.WriteMessageAsync(response.Encode(), stopping);
}
