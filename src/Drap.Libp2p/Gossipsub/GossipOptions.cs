using System.Collections.Immutable;

namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// What a router is told once. Names are the specification's with the symbol beside them (gossipsub v1.0, "Parameters"; v1.1, "Overview of New
/// Parameters"); defaults are the specification's where it gives one, else those of the other implementations.
/// </summary>
public sealed record GossipOptions
{
    /// <summary>Peers wanted in the mesh of a topic (D), default 6. 0 makes a bootstrapper: no mesh, only gossip and peer exchange.</summary>
    public int MeshSize { get; init; } = 6;

    /// <summary>Below this many in the mesh more are grafted (D_low), default 4.</summary>
    public int MeshLow { get; init; } = 4;

    /// <summary>Above this many some are pruned (D_high), default 12; from this many on only peers that we dialled may graft themselves.</summary>
    public int MeshHigh { get; init; } = 12;

    /// <summary>How many are kept by score when some are pruned (D_score), default 4; the rest is kept by chance, so that newcomers have one.</summary>
    public int MeshByScore { get; init; } = 4;

    /// <summary>How many in the mesh should be peers that we dialled (D_out), default 2: nobody takes over a mesh by dialling in. Below D_low, at most D/2.</summary>
    public int MeshOutbound { get; init; } = 2;

    /// <summary>The fewest peers outside the mesh that hear of new messages each heartbeat (D_lazy), default 6.</summary>
    public int GossipLazy { get; init; } = 6;

    /// <summary>The share of the peers outside the mesh that hear of new messages, in percent, if that is more than D_lazy; default 25.</summary>
    public int GossipPercent { get; init; } = 25;

    /// <summary>Time between heartbeats, default 1 s.</summary>
    public TimeSpan HeartbeatInterval { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Time before the first, default 100 ms: a mesh forms at once.</summary>
    public TimeSpan HeartbeatDelay { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Heartbeats for which a message can still be asked for (mcache_len), default 5.</summary>
    public int HistoryLength { get; init; } = 5;

    /// <summary>Heartbeats for which a message is told of (mcache_gossip), default 3; less than the length, so that who asks is still answered.</summary>
    public int HistoryGossip { get; init; } = 3;

    /// <summary>How long an id is remembered (seen_ttl), default 2 minutes.</summary>
    public TimeSpan SeenTime { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long the peers chosen for a topic that is published to but not heard are kept (fanout_ttl), default 1 minute.</summary>
    public TimeSpan FanoutTime { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a peer that was pruned is not grafted again, default 1 minute. Told to it in whole seconds.</summary>
    public TimeSpan PruneBackoff { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>The same after we have left a topic, default 10 s.</summary>
    public TimeSpan UnsubscribeBackoff { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>A GRAFT this soon after a PRUNE is held against the peer twice, default 10 s.</summary>
    public TimeSpan GraftFloodTime { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether our own messages go to all peers of a topic and not to its mesh or fan-out alone, default true (v1.1, "Flood Publishing").</summary>
    public bool FloodPublish { get; init; } = true;

    /// <summary>
    /// How long a message that its author himself has brought waits before it is passed on, default 0. An author floods what he writes, so in a topic of few
    /// the others mostly have it from him: whoever brings a copy meanwhile, or says that he wants none, gets none. Each router waits for between half of this
    /// and all of it, so that of two one is first. Only messages below <see cref="IDontWantBytesMin"/> wait, in topics of which no more than
    /// <see cref="MeshHigh"/> hearers are connected, and at most <see cref="GossipLimits.PassOnWaitingMax"/> at once. Who has no connection with the author
    /// hears of it so much later.
    /// </summary>
    public TimeSpan PassOnDelay { get; init; }

    /// <summary>Whether a PRUNE for want of room names other peers, default false as elsewhere: it tells strangers who is connected to whom.</summary>
    public bool PeerExchange { get; init; }

    /// <summary>Heartbeats between two attempts to better a mesh by better peers, default 60.</summary>
    public int OpportunisticGraftTicks { get; init; } = 60;

    /// <summary>How many peers such an attempt grafts, default 2.</summary>
    public int OpportunisticGraftPeers { get; init; } = 2;

    /// <summary>How long a peer has to bring what it told of and was asked for before that counts against it, default 3 s.</summary>
    public TimeSpan PromiseTime { get; init; } = TimeSpan.FromSeconds(3);

    /// <summary>From how many bytes of data on the mesh is told at once not to send a message again (IDONTWANT), default 1 024: below that the word costs as much as the copy.</summary>
    public int IDontWantBytesMin { get; init; } = 1024;

    /// <summary>How message ids are made; all peers of a topic must agree. Default the specification's.</summary>
    public MessageIdForm MessageIds { get; init; } = MessageIdForm.SourceAndSequence;

    /// <summary>Peers to whom messages always go and from whom they are always taken, outside of meshes and scores (v1.1, "Explicit Peering Agreements").</summary>
    public ImmutableArray<PeerId> Direct { get; init; } = [];

    /// <summary>Time between looks whether all <see cref="Direct"/> peers are connected, default 5 minutes.</summary>
    public TimeSpan DirectInterval { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Whether our own messages are delivered here too if we hear their topic, default false.</summary>
    public bool DeliverOwn { get; init; }

    /// <summary>
    /// The number before that of our first message. Numbers must rise over restarts, or peers that remember us drop what we say: the host gives UTC in
    /// nanoseconds, as others do.
    /// </summary>
    public ulong LastSequence { get; init; }

    /// <summary>How peers are judged.</summary>
    public ScoreOptions Score { get; init; } = new();

    /// <summary>What bounds memory and work.</summary>
    public GossipLimits Limits { get; init; } = new();

    /// <summary>Says what is wrong with these options; null if nothing is.</summary>
    public string? Fault() =>
        MeshSize < 0 || MeshLow > MeshSize || MeshHigh < MeshSize ? "the mesh sizes must be in order: D_low <= D <= D_high"
        : MeshByScore > MeshSize || MeshByScore < 0 ? "D_score must lie between 0 and D"
        : MeshOutbound < 0 || (MeshOutbound > 0 && MeshOutbound >= MeshLow) || MeshOutbound > MeshSize / 2 ? "D_out must be below D_low and at most D/2"
        : GossipLazy < 0 || GossipPercent is < 0 or > 100 ? "D_lazy must not be negative, and the gossip percentage lies between 0 and 100"
        : HeartbeatInterval < TimeSpan.FromMilliseconds(10) || HeartbeatDelay < TimeSpan.Zero ? "a heartbeat takes at least 10 ms"
        : HistoryGossip < 0 || HistoryLength < 1 || HistoryGossip > HistoryLength ? "the gossip history cannot be longer than the history, nor the history empty"
        : PassOnDelay > HeartbeatInterval || PassOnDelay > TimeSpan.FromSeconds(10) ? "a message is passed on within a heartbeat, and within 10 s"
        : SeenTime < HeartbeatInterval * HistoryLength ? "ids must be remembered for longer than messages are told of"
        : PruneBackoff < TimeSpan.Zero || UnsubscribeBackoff < TimeSpan.Zero || PromiseTime <= TimeSpan.Zero || PassOnDelay < TimeSpan.Zero ? "times must not be negative"
        : OpportunisticGraftTicks < 1 || OpportunisticGraftPeers < 0 ? "opportunistic grafting takes at least a heartbeat"
        : Score.Fault() ?? Limits.Fault();
}
