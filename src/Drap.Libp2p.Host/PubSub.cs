using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host.PubSubs;
using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Host;

/// <summary>
/// Publish and subscribe over a host: gossipsub 1.1 with IDONTWANT, and floodsub with who speaks no more. Messages are signed with the host's key, and those of
/// others are taken only if their signature is good. Thread-safe. Dispose it before the host.
/// </summary>
public sealed class PubSub : IAsyncDisposable
{
    private readonly Libp2pHost host;
    private readonly PubSubOptions options;
    private readonly RouterHost router;
    private readonly IDisposable observing;
    private int isDisposed;

    /// <summary>Serves the protocols from now on, with peers that are connected and such as come.</summary>
    /// <param name="host">The host; nobody else serves these protocols on it.</param>
    /// <param name="key">The host's key, with which messages are signed. Not disposed here.</param>
    /// <param name="options">How it behaves.</param>
    /// <exception cref="ArgumentException">The options make no sense, or the key is not the host's.</exception>
    public PubSub(Libp2pHost host, PrivateKey key, PubSubOptions? options = null)
    {
        this.host = host;
        this.options = options ?? new PubSubOptions();
        if (key.PeerId != host.Self)
            throw new ArgumentException("the key is not the host's", nameof(key));
        foreach (string protocol in this.options.Protocols)
            if (GossipProtocols.VersionOf(protocol) is null)
                throw new ArgumentException($"{protocol} is not known here", nameof(options));
        router = new RouterHost(host, key, this.options);
        foreach (string protocol in this.options.Protocols)
            host.Handle(protocol, router.Streams.ServeAsync);
        observing = host.Observe(router);
        foreach (PeerConnection connection in host.Connections)
            if (connection.Identified.IsCompleted)
                ((IHostObserver)router).Identified(connection, host.PeerBook[connection.Remote]);
    }

    /// <summary>What was done so far.</summary>
    public GossipCounters Counters => router.Router.Counters;

    /// <summary>Hears a topic. All subscribers of one topic share its validator.</summary>
    /// <param name="topic">Its name.</param>
    /// <param name="validator">
    /// Decides about each message before it is delivered and passed on, on the pool; several at once. No answer within the history, or a failure, is
    /// <see cref="MessageVerdict.Ignore"/>. Null accepts all whose signature is good.
    /// </param>
    /// <exception cref="ArgumentException">No topic can have that name, or there are too many.</exception>
    /// <exception cref="InvalidOperationException">The topic is heard with another validator.</exception>
    public TopicSubscription Subscribe(string topic, Func<GossipMessage, ValueTask<MessageVerdict>>? validator = null)
    {
        var subscription = new TopicSubscription(this, topic, options);
        router.Subscribe(subscription, validator);
        return subscription;
    }

    /// <summary>Hears a topic without a queue, alone.</summary>
    /// <param name="topic">Its name.</param>
    /// <param name="check">
    /// Decides about each message before it is delivered and passed on; on the threads that check signatures, several at once. What it throws is
    /// <see cref="MessageVerdict.Ignore"/>.
    /// </param>
    /// <param name="deliver">
    /// Takes each message that was accepted, our own too if <see cref="GossipOptions.DeliverOwn"/> says so: on the same threads or the publisher's, several at
    /// once, in no strict order. Must be short, and throw nothing: a signature is not checked meanwhile.
    /// </param>
    /// <exception cref="ArgumentException">No topic can have that name, or there are too many.</exception>
    /// <exception cref="InvalidOperationException">The topic is heard already.</exception>
    public TopicListener Listen(string topic, Func<GossipMessage, MessageVerdict> check, Action<GossipMessage> deliver)
    {
        var listener = new TopicListener(router, topic, check, deliver);
        router.Listen(listener);
        return listener;
    }

    /// <summary>
    /// Publishes a message, and says to how many peers it went at once; done when it waits to be written to them. Waits while more than half of those who would
    /// get it do not keep up. A cancelled call has published nothing. With no peers yet, those get it who begin to hear the topic within the next heartbeats (<see cref="GossipOptions.HistoryLength"/>).
    /// </summary>
    /// <exception cref="ArgumentException">The message is too long, or no topic can have that name.</exception>
    public ValueTask<int> PublishAsync(string topic, ReadOnlyMemory<byte> data, CancellationToken ct = default) => router.Publisher.PublishAsync(topic, data, ct);

    /// <summary>A topic will be published to: peers for it are chosen now, and kept for a minute (<see cref="GossipOptions.FanoutTime"/>). Says how many peers hear it.</summary>
    /// <exception cref="ArgumentException">No topic can have that name, or there are too many.</exception>
    public int Prepare(string topic)
    {
        using RouterStep step = router.Begin();
        return step.Router.Prepare(topic, step.Now, step.Effects)
            ? step.Router.PeersOf(topic).Count
            : throw new ArgumentException("no topic can have that name, or there are too many", nameof(topic));
    }

    /// <summary>The connected peers that hear a topic.</summary>
    public IReadOnlyList<PeerId> PeersOf(string topic)
    {
        using RouterStep step = router.Begin();
        return step.Router.PeersOf(topic);
    }

    /// <summary>The connected peers that hear any topic.</summary>
    public IReadOnlyList<PeerId> Hearers
    {
        get
        {
            using RouterStep step = router.Begin();
            return step.Router.Hearers;
        }
    }

    /// <summary>The peers in a topic's mesh.</summary>
    public IReadOnlyList<PeerId> MeshOf(string topic)
    {
        using RouterStep step = router.Begin();
        return step.Router.MeshOf(topic);
    }

    /// <summary>The topics that are heard here.</summary>
    public IReadOnlyList<string> Topics
    {
        get
        {
            using RouterStep step = router.Begin();
            return step.Router.Topics;
        }
    }

    /// <summary>What is thought of a peer; 0 of one that is not known.</summary>
    public double ScoreOf(PeerId peer)
    {
        using RouterStep step = router.Begin();
        return step.Router.ScoreOf(peer);
    }

    /// <summary>What the application thinks of a peer (P5): part of its score.</summary>
    public void SetApplicationScore(PeerId peer, double score)
    {
        using RouterStep step = router.Begin();
        step.Router.SetApplicationScore(peer, score);
    }

    /// <summary>Leaves all topics by ending all streams, and waits for what runs.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
            return;
        observing.Dispose();
        foreach (string protocol in options.Protocols)
            host.Unhandle(protocol);
        await router.CloseAsync().ConfigureAwait(false);
    }

    internal void Unsubscribe(TopicSubscription subscription) => router.Unsubscribe(subscription);
}
