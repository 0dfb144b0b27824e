using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Core.Messages;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Bootstrap;
using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Host.Mdns;
using Drap.Libp2p.Host.Relay;
using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Relay;
using Drap.Node.Membership;
using Drap.Node.Overlay.Frames;
using Drap.Node.Overlay.Kept;

namespace Drap.Node.Overlay.Libp2p;

/// <summary>
/// The overlay over our own libp2p: topics by gossipsub, frames and streams by connections, peers by bootstrap, DHT and multicast DNS. Who hears a
/// topic is known of connected peers by their subscriptions; only such as take frames are an audience, since others only listen.
/// </summary>
internal sealed class Libp2pOverlay : IOverlay, IFrameCarrier, IHostObserver, IPubSubObserver
{
    /// <summary>Published messages that may wait for room with peers that do not keep up. Further ones are lost.</summary>
    private const int PublishingMax = 64;

    private const string FramesTag = "frames";

    /// <summary>What a peer with which frames are exchanged is worth beside others.</summary>
    private const long FramesWeight = 100;

    /// <summary>Longer than a placement among those who have an ad from its author, and short for those who have not.</summary>
    private static readonly TimeSpan PassOnDelay = TimeSpan.FromMilliseconds(10);

    private static readonly TimeSpan SweepTime = TimeSpan.FromMinutes(1);

    private readonly Libp2pHost host;
    private readonly PrivateKey key;
    private readonly IOverlayEvents events;
    private readonly PubSub pubsub;
    private readonly Dht dht;
    private readonly PeerFinder finder;
    private readonly RelayPlaces places;
    private readonly RelayService? relay;
    private readonly Bootstrapper? bootstrapper;
    private readonly MdnsService? mdns;
    private readonly FrameDesk frames;
    private readonly KeptDesk kept;
    private readonly AudienceBook audiences;
    private readonly RecordChecks checks = new();
    private readonly IDisposable observing;
    private readonly Timer sweeping;
    private readonly SwarmMembership? membership;
    private readonly Lock topicGate = new();
    // Changed under the lock, looked at without.
    private readonly ConcurrentDictionary<string, TopicListener> heard = new(StringComparer.Ordinal);
    private int publishing;
    private int isDisposed;

    private Libp2pOverlay(Libp2pHost host, PrivateKey key, OverlayOptions options, IOverlayEvents events)
    {
        this.host = host;
        this.key = key;
        membership = options.Gate as SwarmMembership;
        this.events = events = membership is null ? events : new MemberEvents(membership, events);
        frames = new FrameDesk(this, events);
        host.Handle(FrameDesk.Protocol, stream => frames.ServeAsync(stream.Remote, new Libp2pStream(stream)));
        kept = new KeptDesk(OpenCarrierAsync, isByDaemon: false, KeptDesk.BeatTime, frames.Left);
        kept.TryHandle(FrameDesk.Protocol, (peer, stream, _) => frames.ServeAsync(peer, stream));
        host.Handle(KeptWire.Protocol, stream => kept.ServeAsync(stream.Remote, new Libp2pStream(stream)));
        pubsub = new PubSub(host, key, new PubSubOptions
        {
            Gossip = new GossipOptions
            {
                DeliverOwn = true,
                // Where few hear a topic the scheduler is connected with all of them; their copies to each other would only delay their answers.
                PassOnDelay = PassOnDelay,
                // Quiet topics, and labs behind one address: P3 and P6 are off (design 5, trust).
                Score = ScoreOptions.PrivateSwarm,
                Limits = new GossipLimits { MessageBytesMax = IOverlay.FrameBytesMax },
            },
            Observer = this,
        });
        audiences = new AudienceBook(events, Hearers);
        dht = new Dht(host, KadOptions.Drap, isServer: !options.Listen.IsEmpty);
        places = new RelayPlaces(host, dht, options.IsReachable, listens: !options.Listen.IsEmpty);
        if (options.Relay)
            relay = new RelayService(host, key, new RelayOptions());
        finder = new PeerFinder(host, dht, topic => pubsub.PeersOf(topic).Count);
        observing = host.Observe(this);
        if (!options.Bootstrap.IsEmpty)
            bootstrapper = new Bootstrapper(host, options.Bootstrap);
        if (options.Mdns)
            mdns = new MdnsService(host, new MdnsServiceOptions());
        membership?.Attach(host, pubsub);
        sweeping = new Timer(_ => frames.Sweep(), null, SweepTime, SweepTime);
    }

    /// <summary>Starts a host and joins a node by it. The key is the overlay's from now on.</summary>
    public static async Task<IOverlay> JoinAsync(OverlayOptions options, PrivateKey key, IOverlayEvents events, CancellationToken ct)
    {
        Libp2pHost? host = null;
        try
        {
            host = await Libp2pHost.StartAsync(
                new HostOptions
                {
                    Key = key, Listen = options.Listen, Announce = options.Announce, Gate = options.Gate, Limits = options.Limits, Yamux = options.Yamux,
                },
                ct).ConfigureAwait(false);
            var overlay = new Libp2pOverlay(host, key, options, events);
            host = null;
            return overlay;
        }
        catch (Libp2pException failure)
        {
            key.Dispose();
            throw Libp2pStream.Translate(failure);
        }
        finally
        {
            if (host is not null)
                await host.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <inheritdoc cref="IOverlay.Self"/>
    public PeerId Self => host.Self;

    public ImmutableArray<string> Addresses => [.. host.ListenAddresses.Select(a => (a.Peer == Self ? a : a.WithPeer(Self)).ToString())];

    public ReadOnlyMemory<byte> Record => host.SignedRecord;

    public OverlayAbilities Abilities => OverlayAbilities.Network | OverlayAbilities.ProvenPeers | OverlayAbilities.Gated;

    public ImmutableArray<PeerId> Peers => [.. host.Connections.Select(c => c.Remote).Distinct().Order()];

    public void Subscribe(string topic)
    {
        lock (topicGate)
        {
            if (heard.ContainsKey(topic))
                return;
            heard[topic] = pubsub.Listen(topic, Judge, Deliver);
            finder.Want(topic, audiences.IsWatched(topic), isHeard: true);
        }
        audiences.Look(topic);
    }

    public void Unsubscribe(string topic)
    {
        lock (topicGate)
        {
            if (!heard.TryRemove(topic, out TopicListener? listener))
                return;
            listener.Dispose();
            finder.Want(topic, audiences.IsWatched(topic), isHeard: false);
        }
        audiences.Look(topic);
    }

    public void Watch(string topic)
    {
        if (!audiences.Watch(topic))
            return;
        pubsub.Prepare(topic);
        lock (topicGate)
            finder.Want(topic, isWatched: true, heard.ContainsKey(topic));
    }

    public void Publish(string topic, ReadOnlyMemory<byte> frame)
    {
        OverlayRules.CheckLength(frame);
        if (frames.Left.IsCancellationRequested || Interlocked.Increment(ref publishing) > PublishingMax)
        {
            Interlocked.Decrement(ref publishing);
            return;
        }
        ValueTask<int> published = pubsub.PublishAsync(topic, frame, frames.Left);
        if (published.IsCompletedSuccessfully)
            Interlocked.Decrement(ref publishing);
        else
            _ = WaitAsync(published.AsTask());
    }

    public bool Send(PeerId to, ReadOnlyMemory<byte> frame) => frames.Send(to, frame);

    public bool SendWaiting(PeerId to, ReadOnlyMemory<byte> frame) => frames.SendWaiting(to, frame);

    public void BeginBatch() => frames.BeginBatch();

    public void EndBatch() => frames.EndBatch();

    public void Know(PeerId peer, IEnumerable<string> addresses)
    {
        var read = new List<Multiaddr>();
        foreach (string text in addresses)
            if (Multiaddr.TryParse(text, out Multiaddr? address) && (address.Peer is null || address.Peer == peer))
                read.Add(address);
        host.PeerBook.AddAddresses(peer, read);
        frames.Met(peer);
    }

    public void Learn(PeerId peer, ReadOnlyMemory<byte> record)
    {
        if (record.Span.SequenceEqual(host.PeerBook[peer].SignedRecord.AsSpan()))
            return;
        checks.Run(() =>
        {
            if (host.PeerBook.TryTakeRecord(peer, record.Span))
                frames.Met(peer);
        });
    }

    public void Handle(string protocol, Func<PeerId, OverlayStream, CancellationToken, Task> serve)
    {
        host.Handle(protocol, stream => OverlayRules.ServeAsync(stream.Remote, new Libp2pStream(stream), serve, frames.Left));
        kept.TryHandle(protocol, serve);
    }

    /// <inheritdoc cref="IOverlay.OpenStreamAsync"/>
    public async ValueTask<OverlayStream> OpenStreamAsync(PeerId peer, string protocol, CancellationToken ct)
    {
        P2pStream stream = await OpenAsync(peer, [protocol, KeptWire.Protocol], ct).ConfigureAwait(false);
        return stream.Protocol == KeptWire.Protocol
            ? await kept.OpenAsync(peer, protocol, new Libp2pStream(stream), ct).ConfigureAwait(false)
            : new Libp2pStream(stream);
    }

    /// <inheritdoc cref="IOverlay.ProvideAsync"/>
    public Task<bool> ProvideAsync(Cid content, CancellationToken ct) => finder.ProvideAsync(content, ct);

    /// <inheritdoc cref="IOverlay.StopProviding"/>
    public void StopProviding(Cid content) => finder.StopProviding(content);

    /// <inheritdoc cref="IOverlay.FindProvidersAsync"/>
    public Task<ImmutableArray<PeerId>> FindProvidersAsync(Cid content, CancellationToken ct) => finder.FindProvidersAsync(content, ct);

    private async ValueTask<OverlayStream> OpenCarrierAsync(PeerId peer, CancellationToken ct) =>
        new Libp2pStream(await OpenAsync(peer, [KeptWire.Protocol], ct).ConfigureAwait(false));

    private async Task<P2pStream> OpenAsync(PeerId peer, string[] protocols, CancellationToken ct)
    {
        try
        {
            if (host.Find(peer) is null)
                await finder.ConnectAsync(peer, ct).ConfigureAwait(false);
            return await host.OpenStreamAsync(peer, protocols, ct).ConfigureAwait(false);
        }
        catch (Libp2pException failure)
        {
            throw Libp2pStream.Translate(failure);
        }
    }

    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
            return;
        await sweeping.DisposeAsync().ConfigureAwait(false);
        if (membership is not null)
            await membership.DisposeAsync().ConfigureAwait(false);
        observing.Dispose();
        frames.Dispose();
        await kept.DisposeAsync().ConfigureAwait(false);
        if (mdns is not null)
            await mdns.DisposeAsync().ConfigureAwait(false);
        if (bootstrapper is not null)
            await bootstrapper.DisposeAsync().ConfigureAwait(false);
        await finder.DisposeAsync().ConfigureAwait(false);
        await places.DisposeAsync().ConfigureAwait(false);
        if (relay is not null)
            await relay.DisposeAsync().ConfigureAwait(false);
        await dht.DisposeAsync().ConfigureAwait(false);
        await pubsub.DisposeAsync().ConfigureAwait(false);
        await host.DisposeAsync().ConfigureAwait(false);
        key.Dispose();
    }

    bool IFrameCarrier.MayReach(PeerId peer) => host.Find(peer) is not null || !host.PeerBook[peer].Addresses.IsEmpty || dht.TableCount > 0;

    void IFrameCarrier.Use(PeerId peer, bool isUsed)
    {
        // If there are too many tags the peer is worth no more than others.
        if (isUsed)
            host.TryTag(peer, FramesTag, FramesWeight);
        else
            host.Untag(peer, FramesTag);
    }

    void IHostObserver.Connected(PeerConnection connection, bool isFirst) => frames.Met(connection.Remote);

    void IHostObserver.Identified(PeerConnection connection, KnownPeer peer) => audiences.LookAtAll();

    void IHostObserver.AddressesChanged(IReadOnlyList<Multiaddr> addresses) => finder.Moved();

    void IHostObserver.Disconnected(PeerConnection connection, bool isLast)
    {
        if (!isLast)
            return;
        frames.Gone(connection.Remote);
        kept.Gone(connection.Remote);
        events.PeerGone(connection.Remote);
    }

    void IPubSubObserver.PeerSubscription(PeerId peer, string topic, bool subscribed) => audiences.Look(topic);

    void IPubSubObserver.Missed(int events) => audiences.LookAtAll();

    private IEnumerable<PeerId> Hearers(string topic)
    {
        IEnumerable<PeerId> others = pubsub.PeersOf(topic).Where(peer => FrameDesk.Carriers.Any(host.PeerBook[peer].Speaks));
        return heard.ContainsKey(topic) ? others.Append(Self) : others;
    }

    private MessageVerdict Judge(GossipMessage message)
    {
        if (!TopicRules.IsGood(message.Topic, message.Content.Data.Span, out Ad? ad))
            return MessageVerdict.Reject;
        // Over connections the gate has seen who speaks; a topic's author may be far away.
        return ad is null || membership is null ? MessageVerdict.Accept : membership.Judge(message.Content.From, message.ReceivedFrom ?? Self, ad);
    }

    // What finds no room in the node's queue is lost, as any message of a topic may be.
    private void Deliver(GossipMessage message)
    {
        ReadOnlyMemory<byte> frame = message.Content.Data;
        events.Frames(message.Content.From, new ReadOnlySpan<ReadOnlyMemory<byte>>(in frame));
    }

    private async Task WaitAsync(Task<int> published)
    {
        await ((Task)published).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Interlocked.Decrement(ref publishing);
    }
}
