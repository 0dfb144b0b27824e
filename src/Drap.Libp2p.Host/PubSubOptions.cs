using Drap.Libp2p.Gossipsub;

namespace Drap.Libp2p.Host;

/// <summary>How a <see cref="PubSub"/> behaves, and what bounds it beside the router's own limits.</summary>
public sealed record PubSubOptions
{
    /// <summary>How the router behaves. If <see cref="GossipOptions.LastSequence"/> is 0 numbers begin with the time of the start, so that they rise over restarts.</summary>
    public GossipOptions Gossip { get; init; } = new();

    /// <summary>The protocols spoken, the best first; default all of gossipsub, and floodsub. <see cref="GossipProtocols.Floodsub"/> alone makes it flood.</summary>
    public IReadOnlyList<string> Protocols { get; init; } = GossipProtocols.All;

    /// <summary>Threads that check signatures at once; default one a core. Checks are all that costs time here; more threads than cores only delay each other.</summary>
    public int CheckersMax { get; init; } = Environment.ProcessorCount;

    /// <summary>Bytes that may wait to be written to a peer, default 4 MiB. Beyond it messages for the peer are lost; it hears of them and may ask. Gossip is lost at half of it.</summary>
    public int PeerQueueBytesMax { get; init; } = 4 << 20;

    /// <summary>Frames that may wait to be written to a peer, default 4 096.</summary>
    public int PeerQueueFramesMax { get; init; } = 4096;

    /// <summary>From so many waiting bytes on a peer counts as not keeping up, default 256 KiB: what publishers fill before they wait.</summary>
    public int BusyBytes { get; init; } = 256 << 10;

    /// <summary>Messages that may wait to be read by a subscriber, default 4 096. Then the newest is lost to it (<see cref="TopicSubscription.Lost"/>): nobody else waits for it.</summary>
    public int SubscriptionMessagesMax { get; init; } = 4096;

    /// <summary>Bytes of data that may wait so, default 16 MiB.</summary>
    public long SubscriptionBytesMax { get; init; } = 16 << 20;

    /// <summary>
    /// Bytes of frames that have begun and are not whole, of all peers together, counted from 64 KiB each on; default 128 MiB. A stream that wants more then is reset.
    /// </summary>
    public long PartialFrameBytesMax { get; init; } = 128 << 20;

    /// <summary>
    /// How often a stream to a peer is opened anew after it broke while a connection stands, default 5: after 1 s, 2 s, 4 s, …; the first time at once if it
    /// ended with its connection and another stands.
    /// </summary>
    public int ReopeningsMax { get; init; } = 5;

    /// <summary>Peers that others named and that are dialed at once, default 8; further ones are passed over.</summary>
    public int DialsMax { get; init; } = 8;

    /// <summary>Hears what happens; default nobody.</summary>
    public IPubSubObserver? Observer { get; init; }
}

/// <summary>Hears what happens in a <see cref="PubSub"/>. Calls come one at a time, in order, on the pool. Nothing may be thrown.</summary>
public interface IPubSubObserver
{
    /// <summary>A peer began or ceased to hear a topic; also when it goes.</summary>
    void PeerSubscription(PeerId peer, string topic, bool subscribed)
    {
    }

    /// <summary>A peer came into the mesh of a topic, or left it.</summary>
    void MeshChanged(PeerId peer, string topic, bool joined)
    {
    }

    /// <summary>A peer did what it should not.</summary>
    void Misbehaved(PeerId peer, Misbehaviour what)
    {
    }

    /// <summary>So many events were lost, since they came faster than they were heard; ask what is of interest.</summary>
    void Missed(int events)
    {
    }
}
