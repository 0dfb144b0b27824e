namespace Drap.Libp2p.Gossipsub;

/// <summary>What a router knows of one peer, connected or gone and not forgotten.</summary>
internal sealed class GossipPeer(PeerId id)
{
    // Beyond this many a peer's topics are looked up by a table and not one after the other.
    private const int IndexFrom = 9;

    private readonly List<TopicLink> links = [];
    private Dictionary<TopicState, TopicLink>? index;
    private HashSet<MessageKey>? unwanted;
    private HashSet<MessageKey>? unwantedBefore;

    public PeerId Id => id;

    public GossipVersion Version { get; set; }

    /// <summary>We dialled it.</summary>
    public bool IsOutbound { get; set; }

    public bool IsDirect { get; init; }

    public bool IsConnected { get; set; }

    /// <summary>Place in the list of the connected.</summary>
    public int At { get; set; }

    public AddressGroup? Address { get; set; }

    /// <summary>Its signed peer record, for others; empty if it gave none.</summary>
    public ReadOnlyMemory<byte> Record { get; set; }

    public IReadOnlyList<TopicLink> Links => links;

    public long SubscriptionBytes { get; set; }

    // Score.
    public double Misdeeds { get; set; }

    public double ApplicationScore { get; set; }

    public double CachedScore { get; set; }

    public bool IsScoreStale { get; set; } = true;

    public bool IsGraylisted { get; set; }

    /// <summary>It stands among those that went, though it may be back.</summary>
    public bool IsInGone { get; set; }

    /// <summary>Until when it is remembered after it has gone.</summary>
    public Instant RetainUntil { get; set; }

    // What it did since the last heartbeat.
    public int IHaves { get; set; }

    public int IdsAsked { get; set; }

    public int IWants { get; set; }

    public int IWantBytes { get; set; }

    // Messages whose check waits, in the order in which they came.
    public Queue<GossipMessage>? Pending { get; set; }

    public int PendingBytes { get; set; }

    public bool IsPaused { get; set; }

    /// <summary>The stream to it does not keep up.</summary>
    public bool IsBusy { get; set; }

    /// <summary>Control messages for it that wait for the end of the step.</summary>
    public ControlDraft? Draft { get; set; }

    public bool TakesMeshes => Version >= GossipVersion.V10;

    public TopicLink? LinkTo(TopicState topic)
    {
        if (index is not null)
            return index.GetValueOrDefault(topic);
        foreach (TopicLink link in links)
            if (ReferenceEquals(link.Topic, topic))
                return link;
        return null;
    }

    public void Add(TopicLink link)
    {
        links.Add(link);
        if (index is not null)
            index.Add(link.Topic, link);
        else if (links.Count >= IndexFrom)
            index = links.ToDictionary(l => l.Topic);
    }

    public void Remove(TopicLink link)
    {
        int at = links.IndexOf(link);
        links[at] = links[^1];
        links.RemoveAt(links.Count - 1);
        index?.Remove(link.Topic);
        if (links.Count > 0)
            return;
        links.Capacity = 0;
        index = null;
    }

    public bool DoesNotWant(MessageKey key) => unwanted?.Contains(key) == true || unwantedBefore?.Contains(key) == true;

    public void NoteUnwanted(MessageKey key, int countMax)
    {
        unwanted ??= [];
        if (unwanted.Count < countMax)
            unwanted.Add(key);
    }

    /// <summary>Two generations: what was said is heeded for one to two turns, and a turn costs nothing per id.</summary>
    public void TurnUnwanted()
    {
        unwantedBefore = unwanted;
        unwanted = null;
    }
}

/// <summary>Peers behind one address.</summary>
internal sealed class AddressGroup(UInt128 address)
{
    public UInt128 Address => address;

    public int Count { get; set; }
}
