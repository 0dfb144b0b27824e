namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// What bounds a router's memory and work, whoever its peers are. Where js-libp2p has a limit ours is the same, so that nothing that one takes is
/// refused by the other.
/// </summary>
public sealed record GossipLimits
{
    /// <summary>The longest RPC taken, default 4 MiB as in js. A longer one ends the stream, before anything is allocated for it.</summary>
    public int FrameBytesMax { get; init; } = 4 << 20;

    /// <summary>The longest RPC that we make of several parts, default 256 KiB: go takes at most 1 MiB. What does not fit goes in the next.</summary>
    public int SentFrameBytesMax { get; init; } = 256 << 10;

    /// <summary>The most data that we publish in one message, default 1 MiB less 4 KiB for the rest of it: go takes no RPC above 1 MiB.</summary>
    public int MessageBytesMax { get; init; } = (1 << 20) - 4096;

    /// <summary>Subscriptions in one RPC, default 5 000. An RPC above a limit is malformed: nothing of it is done, and it counts against its peer.</summary>
    public int SubscriptionsPerRpcMax { get; init; } = 5000;

    /// <summary>Messages in one RPC, default 5 000.</summary>
    public int MessagesPerRpcMax { get; init; } = 5000;

    /// <summary>Control messages of each kind in one RPC, default 5 000.</summary>
    public int ControlsPerRpcMax { get; init; } = 5000;

    /// <summary>Ids in one IHAVE or IWANT, default 5 000.</summary>
    public int IdsPerControlMax { get; init; } = 5000;

    /// <summary>Ids in one IDONTWANT, default 512.</summary>
    public int IDontWantIdsMax { get; init; } = 512;

    /// <summary>Peers named in one PRUNE, default 16; and how many we name.</summary>
    public int PrunePeersMax { get; init; } = 16;

    /// <summary>The longest name of a topic, default 512 bytes of UTF-8: drap's have about 40. Others are not taken note of.</summary>
    public int TopicBytesMax { get; init; } = 512;

    /// <summary>
    /// What one peer's subscriptions may cost here, default 512 KiB, at their names' length and 448 bytes each: about 1 100 topics of usual names. What
    /// goes beyond is not taken note of, and counts against the peer.
    /// </summary>
    public int SubscriptionBytesMax { get; init; } = 512 << 10;

    /// <summary>Topics that we hear or publish to, default 4 096; further ones are refused to the caller.</summary>
    public int TopicsMax { get; init; } = 4096;

    /// <summary>Ids remembered, default 1 048 576 (40 MiB when full): 8 700 messages a second for the two minutes. Then the oldest is forgotten early.</summary>
    public int SeenMax { get; init; } = 1 << 20;

    /// <summary>
    /// Messages kept for who asks, default 8 192: 1 600 a second for the whole history, and more than the 5 000 that an IHAVE names at a heartbeat. Then the oldest
    /// is dropped early: who asks for it gets nothing. What is kept longer than a flood needs costs the collector most of all.
    /// </summary>
    public int CacheMessagesMax { get; init; } = 8192;

    /// <summary>Bytes of them, default 32 MiB.</summary>
    public int CacheBytesMax { get; init; } = 32 << 20;

    /// <summary>
    /// Messages of one peer that wait for the check of their signature, default 1 024. At the limit the peer's stream is not read on until half of
    /// them are through.
    /// </summary>
    public int PendingMessagesMax { get; init; } = 1024;

    /// <summary>Bytes of them, default 1 MiB: what every peer is guaranteed. The frame that reaches a limit may go beyond it.</summary>
    public int PendingBytesMax { get; init; } = 1 << 20;

    /// <summary>Bytes of all peers' waiting messages, default 64 MiB: then whoever sends more is not read on. At twice that messages are dropped.</summary>
    public int PendingBytesOfAllMax { get; init; } = 64 << 20;

    /// <summary>Different messages under one id that may wait for the check at once, default 4: only one can be real, and who comes late loses a copy.</summary>
    public int RivalsMax { get; init; } = 4;

    /// <summary>Messages that wait for the application's word, default 4 096. What comes beyond is ignored, as if the application had said so.</summary>
    public int ValidatingMax { get; init; } = 4096;

    /// <summary>Messages that wait to be passed on (<see cref="GossipOptions.PassOnDelay"/>), default 1 024 of less than a KiB. Then the oldest goes at once.</summary>
    public int PassOnWaitingMax { get; init; } = 1024;

    /// <summary>Our own messages that wait for their signature, default 1 024; the caller waits then.</summary>
    public int SigningMax { get; init; } = 1024;

    /// <summary>Bytes of them, default 8 MiB.</summary>
    public int SigningBytesMax { get; init; } = 8 << 20;

    /// <summary>RPCs with IHAVE taken from one peer in a heartbeat, default 10; further ones are not looked at.</summary>
    public int IHavesMax { get; init; } = 10;

    /// <summary>Ids told to one peer in one IHAVE, and asked of one peer in a heartbeat, default 5 000.</summary>
    public int IHaveIdsMax { get; init; } = 5000;

    /// <summary>RPCs with IWANT taken from one peer in a heartbeat, default 10; further ones are not looked at.</summary>
    public int IWantsMax { get; init; } = 10;

    /// <summary>How often one peer gets the same message for the asking, default 3.</summary>
    public int RetransmissionsMax { get; init; } = 3;

    /// <summary>Bytes that one peer gets for the asking in a heartbeat, default 4 MiB: a question of 46 bytes must not cost us any number of megabytes.</summary>
    public int IWantBytesMax { get; init; } = 4 << 20;

    /// <summary>Ids that one peer may say it does not want, in as many heartbeats as the history has, default 1 024. More are not taken note of.</summary>
    public int IDontWantsMax { get; init; } = 1024;

    /// <summary>Peers gone whose score, if it is bad, and back-offs are kept, default 4 096; then those are forgotten that would be next anyway.</summary>
    public int RetainedPeersMax { get; init; } = 4096;

    /// <summary>The longest signed peer record kept of a peer or taken from a PRUNE, default 4 KiB.</summary>
    public int PeerRecordBytesMax { get; init; } = 4096;

    /// <summary>Peers named to us that are tried in a heartbeat, default 16; others are passed over.</summary>
    public int ExchangedPeersMax { get; init; } = 16;

    /// <summary>The longest back-off that a peer may ask for, default 1 hour.</summary>
    public TimeSpan BackoffMax { get; init; } = TimeSpan.FromHours(1);

    internal string? Fault() =>
        FrameBytesMax < 8192 || SentFrameBytesMax < 8192 || MessageBytesMax < 0 || MessageBytesMax > FrameBytesMax - 4096
            ? "frames hold at least 8 KiB, and the largest message"
        : SeenMax < 1 || CacheMessagesMax < 1 || PendingMessagesMax < 1 || SigningMax < 1 || ValidatingMax < 1 || PassOnWaitingMax < 1 ? "at least one message must fit"
        : null;
}
