namespace Drap.Libp2p.Gossipsub;

/// <summary>What the parts of one router share: its tables, and the step that is under way.</summary>
internal sealed class RouterState
{
    private readonly Dictionary<PeerId, GossipPeer> peers = [];
    private readonly List<GossipPeer> connected = [];
    private readonly List<GossipPeer> drafts = [];
    private readonly Queue<GossipPeer> gone = [];

    public RouterState(PeerId self, ReadOnlyMemory<byte> publicKey, GossipOptions options, Prng prng)
    {
        Self = self;
        PublicKey = publicKey;
        Options = options;
        Prng = prng;
        Hash = new SipHash(prng.NextUInt64(), prng.NextUInt64());
        Topics = new TopicTable(options, Hash);
        Seen = new SeenCache(options.Limits.SeenMax);
        Cache = new MessageCache(options);
        Scores = new PeerScores(options.Score);
        Writer = new RpcWriter(options.Limits);
    }

    public PeerId Self { get; }

    /// <summary>Our key in its protobuf form, for messages whose sender's name does not hold it.</summary>
    public ReadOnlyMemory<byte> PublicKey { get; }

    public GossipOptions Options { get; }

    public GossipLimits Limits => Options.Limits;

    public Prng Prng { get; }

    public SipHash Hash { get; }

    public TopicTable Topics { get; }

    public SeenCache Seen { get; }

    public MessageCache Cache { get; }

    public Promises Promises { get; } = new();

    public PeerScores Scores { get; }

    public RpcWriter Writer { get; }

    public GossipCounters Counters { get; } = new();

    /// <summary>The connected peers, in an order that means nothing but is the same in each run.</summary>
    public IReadOnlyList<GossipPeer> Connected => connected;

    /// <summary>All that are known, also those that went.</summary>
    public IReadOnlyCollection<GossipPeer> Known => peers.Values;

    /// <summary>When the step under way happens.</summary>
    public Instant Now { get; private set; }

    /// <summary>What the step under way wants done.</summary>
    public IList<GossipEffect> Effects { get; private set; } = Array.Empty<GossipEffect>();

    /// <summary>Heartbeats so far.</summary>
    public long Ticks { get; set; }

    public void Begin(Instant now, IList<GossipEffect> effects)
    {
        Now = now;
        Effects = effects;
    }

    /// <summary>Ends the step: what peers are told beside messages goes out.</summary>
    public void End()
    {
        foreach (GossipPeer peer in drafts)
        {
            ControlDraft draft = peer.Draft!;
            peer.Draft = null;
            if (!peer.IsConnected)
                continue;
            Counters.Grafts += draft.Grafts.Count;
            Counters.Prunes += draft.Prunes.Count;
            Counters.IHaves += draft.IHaves.Count;
            FrameKind kind = draft.Grafts.Count + draft.Prunes.Count > 0 ? FrameKind.Control : FrameKind.Gossip;
            Writer.Control(draft, peer.Version, frame => Send(peer, frame, kind));
        }
        drafts.Clear();
        Effects = Array.Empty<GossipEffect>();
    }

    public GossipPeer? Find(PeerId id) => peers.GetValueOrDefault(id);

    /// <summary>A connected peer; null if it is gone or never came.</summary>
    public GossipPeer? FindConnected(PeerId id) => peers.TryGetValue(id, out GossipPeer? peer) && peer.IsConnected ? peer : null;

    public GossipPeer Connect(PeerId id, GossipVersion version, bool outbound)
    {
        if (!peers.TryGetValue(id, out GossipPeer? peer))
            peers[id] = peer = new GossipPeer(id) { IsDirect = Options.Direct.Contains(id) };
        peer.Version = version;
        peer.IsOutbound = outbound;
        peer.IsConnected = true;
        peer.At = connected.Count;
        connected.Add(peer);
        return peer;
    }

    /// <summary>A peer has gone. What is to be remembered of it is, for so many peers as the limits say, the last that went.</summary>
    public void Disconnect(GossipPeer peer, Instant retainUntil)
    {
        SetBusy(peer, false);
        peer.IsConnected = false;
        connected[peer.At] = connected[^1];
        connected[peer.At].At = peer.At;
        connected.RemoveAt(connected.Count - 1);
        if (retainUntil <= Now)
        {
            Forget(peer);
            return;
        }
        peer.RetainUntil = retainUntil;
        if (!peer.IsInGone)
            gone.Enqueue(peer);
        peer.IsInGone = true;
        while (peers.Count - connected.Count > Limits.RetainedPeersMax)
            ForgetOldest();
    }

    /// <summary>Forgets those that went of whom nothing need be remembered any more, and links that say nothing.</summary>
    public void Clean()
    {
        for (int i = gone.Count; i > 0; i--)
        {
            GossipPeer peer = gone.Dequeue();
            if (!peer.IsConnected && peer.RetainUntil > Now)
            {
                gone.Enqueue(peer);
                continue;
            }
            peer.IsInGone = false;
            if (!peer.IsConnected)
                Forget(peer);
        }
        foreach (GossipPeer peer in peers.Values)
            for (int i = peer.Links.Count - 1; i >= 0; i--)
                Release(peer.Links[i]);
        Topics.Trim();
    }

    private void ForgetOldest()
    {
        GossipPeer peer = gone.Dequeue();
        peer.IsInGone = false;
        if (!peer.IsConnected)
            Forget(peer);
    }

    private void Forget(GossipPeer peer)
    {
        while (peer.Links.Count > 0)
            Remove(peer.Links[^1]);
        // One that was forgotten before may still stand among those that went, and have come again as another object since.
        if (ReferenceEquals(Find(peer.Id), peer))
            peers.Remove(peer.Id);
    }

    /// <summary>Peers whose streams do not keep up.</summary>
    public int Busy { get; private set; }

    public void SetBusy(GossipPeer peer, bool isBusy)
    {
        if (peer.IsBusy != isBusy)
            Busy += isBusy ? 1 : -1;
        peer.IsBusy = isBusy;
    }

    public double ScoreOf(GossipPeer peer) => Scores.Of(peer, Now);

    /// <summary>The link between a peer and a topic, made if there is none.</summary>
    public static TopicLink LinkOf(GossipPeer peer, TopicState topic)
    {
        if (peer.LinkTo(topic) is { } link)
            return link;
        link = new TopicLink(peer, topic);
        peer.Add(link);
        topic.Links++;
        return link;
    }

    /// <summary>Forgets a link if there is nothing to be remembered of it.</summary>
    public void Release(TopicLink link)
    {
        if (!link.IsOfUse(Now))
            Remove(link);
    }

    /// <summary>What is sent to a peer at the end of the step.</summary>
    public ControlDraft DraftFor(GossipPeer peer)
    {
        if (peer.Draft is null)
        {
            peer.Draft = new ControlDraft();
            drafts.Add(peer);
        }
        return peer.Draft;
    }

    public void Send(GossipPeer peer, ReadOnlyMemory<byte> frame, FrameKind kind) => Effects.Add(new GossipEffect.Send(peer.Id, frame, kind));

    public void Send(GossipPeer peer, SignedMessage message)
    {
        Counters.Sent++;
        Effects.Add(new GossipEffect.Send(peer.Id, message.Frame, FrameKind.Message, message));
    }

    public void Misbehaved(GossipPeer peer, Misbehaviour what, double times)
    {
        if (times > 0)
            PeerScores.Misbehaved(peer, times);
        Effects.Add(new GossipEffect.Misbehaved(peer.Id, what));
    }

    /// <summary>Moves so many of these to the front, chosen by chance.</summary>
    public void Draw<T>(List<T> from, int count)
    {
        for (int i = 0; i < count && i < from.Count - 1; i++)
        {
            int j = i + Prng.Below(from.Count - i);
            (from[i], from[j]) = (from[j], from[i]);
        }
    }

    private void Remove(TopicLink link)
    {
        link.Peer.Remove(link);
        link.Topic.Links--;
        Topics.Release(link.Topic);
    }
}
