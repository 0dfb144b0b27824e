using System.Collections.Concurrent;
using Drap.Libp2p.Multiformats;
using Drap.Node.Identity;
using Drap.Node.Overlay;
using Drap.Node.Tests.Overlay;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>
/// Nodes over js-libp2p's daemon, held to the suite of every overlay: the market must not care whose libp2p carries it. With <c>./test --all</c>, since each
/// node is a process of js.
/// </summary>
[Trait("runs", "long")]
public sealed class JsDaemonOverlayTests(JsPackages packages) : OverlayCompliance
{
    private readonly ConcurrentDictionary<IOverlay, JsDaemon> daemons = new();

    // It stays subscribed when the connection of a subscription ends.
    protected override bool LeavesTopics => false;

    // It takes 32 streams of one protocol from a peer; the frames have one.
    protected override int StreamsAtOnce => 24;

    protected override async Task<IOverlay> JoinAsync(NodeIdentity identity, IOverlayEvents events, IOverlay[] known)
    {
        packages.Require();
        string key = Path.Combine(Folder, $"{identity.Peer.Short}.daemon.key");
        using (Libp2p.Keys.PrivateKey secret = identity.OpenKey())
            await File.WriteAllBytesAsync(key, secret.Encode());
        JsDaemon daemon = await JsDaemon.StartAsync(new() { ["pubsub"] = true, ["pubsubRouter"] = "gossipsub", ["dht"] = true, ["key"] = key });
        IOverlay overlay = await OverlayFactory.JoinAsync(
            new OverlayOptions { Kind = OverlayKind.P2pd, Daemon = daemon.Control, Bootstrap = [.. known.SelectMany(k => k.Addresses).Select(Multiaddr.Parse)] },
            identity, events, TestContext.Current.CancellationToken);
        daemons[overlay] = daemon;
        return overlay;
    }

    protected override async Task LeaveAsync(IOverlay overlay)
    {
        await base.LeaveAsync(overlay);
        if (daemons.TryRemove(overlay, out JsDaemon? daemon))
            await daemon.DisposeAsync();
    }

    protected override async ValueTask EndAsync()
    {
        foreach (JsDaemon daemon in daemons.Values)
            await daemon.DisposeAsync();
    }
}
