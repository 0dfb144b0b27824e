namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// What a router wants done; to be performed in order. A <see cref="Send"/> that cannot be performed is lost, which <see cref="FrameKind"/> says how bad it is.
/// </summary>
public abstract record GossipEffect
{
    private GossipEffect()
    {
    }

    /// <summary>
    /// Write a frame (the length of an RPC and the RPC) on the stream to a peer. The bytes are shared with other sends and never change.
    /// <paramref name="Message"/> is the message in it if it holds nothing else; a simulator may hand that over instead.
    /// </summary>
    public sealed record Send(PeerId To, ReadOnlyMemory<byte> Frame, FrameKind Kind, SignedMessage? Message = null) : GossipEffect;

    /// <summary>Sign <see cref="UnsignedMessage.SignedBytes"/>, on any thread, in any order; answered by <see cref="GossipRouter.Signed"/>.</summary>
    public sealed record Sign(UnsignedMessage Message) : GossipEffect;

    /// <summary>
    /// Check that the signature is the sender's, and the key too if its name does not hold it; on any thread, in any order. Answered by
    /// <see cref="GossipRouter.Verified"/>.
    /// </summary>
    public sealed record Verify(GossipMessage Message) : GossipEffect;

    /// <summary>Ask the application about a message; answered by <see cref="GossipRouter.Validated"/> while the history lasts.</summary>
    public sealed record Validate(GossipMessage Message) : GossipEffect;

    /// <summary>The application gets a message: each at most once while ids are remembered.</summary>
    public sealed record Deliver(GossipMessage Message) : GossipEffect;

    /// <summary>One of our own messages has gone out, to so many peers; with none, those get it who begin to hear the topic within the history.</summary>
    public sealed record Published(ulong Sequence, SignedMessage Message, int Peers) : GossipEffect;

    /// <summary>Connect to a peer: a direct one, or one that a peer named; then <paramref name="Record"/> is its signed peer record, unchecked, and may be empty.</summary>
    public sealed record Connect(PeerId Peer, ReadOnlyMemory<byte> Record) : GossipEffect;

    /// <summary>Read no more from this peer until <see cref="Resume"/>: too much of it waits.</summary>
    public sealed record Pause(PeerId Peer) : GossipEffect;

    /// <summary>Read on from this peer.</summary>
    public sealed record Resume(PeerId Peer) : GossipEffect;

    /// <summary>A peer began or ceased to hear a topic; also when it goes.</summary>
    public sealed record PeerSubscription(PeerId Peer, string Topic, bool Subscribed) : GossipEffect;

    /// <summary>A peer came into the mesh of a topic, or left it. It is of more use than others while it is there.</summary>
    public sealed record MeshChanged(PeerId Peer, string Topic, bool Joined) : GossipEffect;

    /// <summary>A peer did what it should not; for logs, and to end a connection that is of no use.</summary>
    public sealed record Misbehaved(PeerId Peer, Misbehaviour What) : GossipEffect;
}

/// <summary>What a frame holds, and so which goes first when a peer does not keep up.</summary>
public enum FrameKind
{
    /// <summary>Subscriptions, GRAFT and PRUNE: few, and the other side is wrong about us without them. Never dropped; end the stream instead.</summary>
    Control,

    /// <summary>A message. Dropped when the peer's queue is full; it may hear of it and ask.</summary>
    Message,

    /// <summary>IHAVE, IWANT, IDONTWANT: dropped first.</summary>
    Gossip,
}

/// <summary>What peers do that they should not.</summary>
public enum Misbehaviour
{
    /// <summary>An RPC that is none.</summary>
    MalformedRpc,

    /// <summary>An RPC with more in it than the limits say.</summary>
    OversizedRpc,

    /// <summary>A message without what it must have, or with a signature that is not the sender's.</summary>
    InvalidMessage,

    /// <summary>A GRAFT before the back-off was over.</summary>
    GraftInBackoff,

    /// <summary>It told of a message and did not bring it.</summary>
    BrokenPromise,

    /// <summary>More subscriptions than are taken note of.</summary>
    TooManySubscriptions,

    /// <summary>Its score fell so low that nothing of it is looked at.</summary>
    Graylisted,
}
