using Drap.Node.Identity;
using Drap.Node.Overlay.Libp2p;
using Drap.Node.Overlay.P2pd;

namespace Drap.Node.Overlay;

/// <summary>Joins nodes to the overlay that their options name.</summary>
public static class OverlayFactory
{
    /// <summary>
    /// The name that a node will have: its own, or that of the daemon that speaks for it.
    /// </summary>
    /// <exception cref="OverlayException">The daemon does not answer.</exception>
    public static Task<PeerId> SelfAsync(OverlayOptions options, NodeIdentity identity, CancellationToken ct = default) =>
        options.Kind == OverlayKind.P2pd ? P2pdOverlay.SelfAsync(options, ct) : Task.FromResult(identity.Peer);

    /// <summary>
    /// Joins a node; when this ends it listens, and looks for its swarm in the background. Frames that come before its loop runs wait in its queue.
    /// </summary>
    /// <exception cref="OverlayException">It cannot listen, or the daemon does not answer.</exception>
    /// <exception cref="ArgumentException">The options contradict each other.</exception>
    public static Task<IOverlay> JoinAsync(OverlayOptions options, NodeIdentity identity, IOverlayEvents events, CancellationToken ct = default) =>
        options.Kind switch
        {
            OverlayKind.Memory => Task.FromResult((options.Room ?? throw new ArgumentException("an overlay in memory needs its room", nameof(options))).Join(identity.Peer, events)),
            OverlayKind.Libp2p => Libp2pOverlay.JoinAsync(options, identity.OpenKey(), events, ct),
            OverlayKind.P2pd => P2pdOverlay.JoinAsync(options, events, ct),
            _ => throw new ArgumentException($"{options.Kind} is no overlay", nameof(options)),
        };
}
