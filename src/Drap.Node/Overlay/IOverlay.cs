using System.Collections.Immutable;
using Drap.Core.Messages;

namespace Drap.Node.Overlay;

/// <summary>
/// How one node reaches others: topics that are heard by many, frames to one, and streams of bytes. Whose library carries it, the market must not
/// care. All members may be called from any thread. What an overlay cannot do is said by <see cref="Abilities"/>; disposing it leaves the others.
/// </summary>
public interface IOverlay : IDisposable, IAsyncDisposable
{
    /// <summary>The longest frame that is carried, to one or to a topic: the longest message there is. A longer one is the caller's mistake.</summary>
    public const int FrameBytesMax = MessageCodec.FrameBytesMax;

    /// <summary>Who this node is.</summary>
    PeerId Self { get; }

    /// <summary>Where it is reached now, as multiaddrs that end with its name (<c>/ip4/…/tcp/…/p2p/12D3KooW…</c>); none where only this process reaches it.</summary>
    ImmutableArray<string> Addresses { get; }

    /// <summary>Those addresses with this node's signature (libp2p's peer record in its envelope), for <see cref="Learn"/> elsewhere; empty where nothing signs them.</summary>
    ReadOnlyMemory<byte> Record { get; }

    /// <summary>What this kind of overlay can do.</summary>
    OverlayAbilities Abilities { get; }

    /// <summary>Peers to which there is a connection now, in order.</summary>
    ImmutableArray<PeerId> Peers { get; }

    /// <summary>Hear a topic.</summary>
    void Subscribe(string topic);

    /// <summary>Hear it no more.</summary>
    void Unsubscribe(string topic);

    /// <summary>Watch who hears a topic, without hearing it: <see cref="IOverlayEvents.Audience"/> tells at once and at each change.</summary>
    void Watch(string topic);

    /// <summary>To everyone who hears the topic, this node included if it does. Never waits; what finds no room is lost, as any published message may be.</summary>
    /// <exception cref="ArgumentException">The frame is longer than <see cref="FrameBytesMax"/>.</exception>
    void Publish(string topic, ReadOnlyMemory<byte> frame);

    /// <summary>
    /// To one peer; frames of one sender arrive in order. Never waits. False if it cannot be sent now: the peer is gone or unknown, or its queue is full;
    /// whatever must arrive is sent again by the machines. The frame must not change afterwards.
    /// </summary>
    /// <exception cref="ArgumentException">The frame is longer than <see cref="FrameBytesMax"/>.</exception>
    bool Send(PeerId to, ReadOnlyMemory<byte> frame);

    /// <summary>
    /// As <see cref="Send"/>, but waits while the peer's queue is full: for streams that hold their source back. False when the peer is gone. The calling
    /// thread stands still meanwhile; for large amounts of bytes open a stream.
    /// </summary>
    bool SendWaiting(PeerId to, ReadOnlyMemory<byte> frame);

    /// <summary>
    /// From now until <see cref="EndBatch"/> frames may wait for others, so that many leave in one write: for a loop that performs what its machine
    /// wants. Calls nest. See <see cref="OverlayBatch"/>.
    /// </summary>
    void BeginBatch();

    /// <summary>Sends what waited, on the calling thread.</summary>
    void EndBatch();

    /// <summary>Remembers where a peer may be reached: from a ticket, or from what it said of itself elsewhere. What is no multiaddr is passed over.</summary>
    void Know(PeerId peer, IEnumerable<string> addresses);

    /// <summary>
    /// As <see cref="Know"/>, by the peer's own signed word that somebody passed on. It is checked in the background: what another has signed, or is older than
    /// what is known, changes nothing. When much is being checked already it is passed over; ads say it again.
    /// </summary>
    void Learn(PeerId peer, ReadOnlyMemory<byte> record);

    /// <summary>
    /// Serves streams of a protocol: <paramref name="serve"/> runs for each, with the peer that opened it. When its task ends the stream is closed, or
    /// reset if it failed. The token is cancelled when the overlay is left.
    /// </summary>
    /// <exception cref="InvalidOperationException">The protocol is served already.</exception>
    void Handle(string protocol, Func<PeerId, OverlayStream, CancellationToken, Task> serve);

    /// <summary>Opens a stream to a peer, and connects to it before if need be. The caller disposes it.</summary>
    /// <exception cref="OverlayException">The peer cannot be reached, or does not serve the protocol. The latter may also come of the first read or write.</exception>
    ValueTask<OverlayStream> OpenStreamAsync(PeerId peer, string protocol, CancellationToken ct);

    /// <summary>
    /// Says in the swarm's DHT that this node has a content, and goes on saying so. False if nobody keeps that yet, or there is no DHT.
    /// </summary>
    Task<bool> ProvideAsync(Cid content, CancellationToken ct) => Task.FromResult(false);

    /// <summary>Says it no more.</summary>
    void StopProviding(Cid content)
    {
    }

    /// <summary>Who said in the DHT that he has a content, without this node; none where there is no DHT. What is said there is said by anybody.</summary>
    Task<ImmutableArray<PeerId>> FindProvidersAsync(Cid content, CancellationToken ct) => Task.FromResult(ImmutableArray<PeerId>.Empty);
}

/// <summary>What an overlay tells its node. Called on the overlay's threads; must not block.</summary>
public interface IOverlayEvents
{
    /// <summary>A frame came; false if the node's queue is full and it was not taken.</summary>
    bool Frame(PeerId from, ReadOnlyMemory<byte> frame);

    /// <summary>
    /// Frames that came together, in order; says how many were taken, the first ones. The node may work through them on this thread before it returns, which
    /// spares a change of thread; so the overlay holds no lock, and reads on meanwhile.
    /// </summary>
    int Frames(PeerId from, ReadOnlySpan<ReadOnlyMemory<byte>> frames)
    {
        int taken = 0;
        while (taken < frames.Length && Frame(from, frames[taken]))
            taken++;
        return taken;
    }

    /// <summary>Waits until <see cref="Frame"/> would take one again.</summary>
    void WaitForRoom();

    /// <summary>Who hears a watched topic now, in order.</summary>
    void Audience(string topic, ImmutableArray<PeerId> members);

    /// <summary>A peer's connection is closed.</summary>
    void PeerGone(PeerId peer);
}

/// <summary>What a kind of overlay can do.</summary>
[Flags]
public enum OverlayAbilities
{
    /// <summary>Only what every overlay does.</summary>
    None = 0,

    /// <summary>Other processes can be reached.</summary>
    Network = 1,

    /// <summary>Who is at the other end has proved its key.</summary>
    ProvenPeers = 2,

    /// <summary>Who does not belong to the swarm is shut out before anything else is said: the swarm may be private.</summary>
    Gated = 4,
}

/// <summary>A time in which frames may wait for others: <c>using (overlay.Batch())</c>.</summary>
public readonly record struct OverlayBatch : IDisposable
{
    private readonly IOverlay overlay;

    internal OverlayBatch(IOverlay overlay)
    {
        this.overlay = overlay;
        overlay.BeginBatch();
    }

    /// <summary>Sends what waited.</summary>
    public void Dispose() => overlay.EndBatch();
}

/// <summary>What every overlay can be asked.</summary>
public static class OverlayExtensions
{
    /// <summary>Begins a time in which frames may wait for others; ends when it is disposed.</summary>
    public static OverlayBatch Batch(this IOverlay overlay) => new(overlay);
}
