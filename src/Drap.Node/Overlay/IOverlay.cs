using System.Collections.Immutable;

namespace Drap.Node.Overlay;

/// <summary>
/// How one node reaches others: topics that are heard by many, and frames to one. Whose library carries it, the market must not care.
/// All members may be called from any thread.
/// </summary>
public interface IOverlay : IDisposable
{
    /// <summary>Who this node is.</summary>
    PeerId Self { get; }

    /// <summary>Hear a topic.</summary>
    void Subscribe(string topic);

    /// <summary>Hear it no more.</summary>
    void Unsubscribe(string topic);

    /// <summary>Watch who hears a topic, without hearing it: <see cref="IOverlayEvents.Audience"/> tells at once and at each change.</summary>
    void Watch(string topic);

    /// <summary>To everyone who hears the topic, this node included if it does.</summary>
    void Publish(string topic, ReadOnlyMemory<byte> frame);

    /// <summary>
    /// To one peer; frames of one sender arrive in order. False if it cannot be sent now: the peer is gone, or its queue is full; whatever
    /// must arrive is sent again by the machines. The frame must not change afterwards.
    /// </summary>
    bool Send(PeerId to, ReadOnlyMemory<byte> frame);

    /// <summary>As <see cref="Send"/>, but waits while the peer's queue is full: for streams that hold their source back. False when the peer is gone.</summary>
    bool SendWaiting(PeerId to, ReadOnlyMemory<byte> frame);
}

/// <summary>What an overlay tells its node. Called on the overlay's threads; must not block.</summary>
public interface IOverlayEvents
{
    /// <summary>A frame came; false if the node's queue is full and it was not taken.</summary>
    bool Frame(PeerId from, ReadOnlyMemory<byte> frame);

    /// <summary>Waits until <see cref="Frame"/> would take one again.</summary>
    void WaitForRoom();

    /// <summary>Who hears a watched topic now, in order.</summary>
    void Audience(string topic, ImmutableArray<PeerId> members);

    /// <summary>A peer's connection is closed.</summary>
    void PeerGone(PeerId peer);
}
