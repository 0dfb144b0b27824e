using System.Collections.Concurrent;
using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Host.Kademlia;
using Drap.Libp2p.Kademlia;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Drap.Node.Identity;
using Drap.Node.Overlay;
using Xunit;

namespace Drap.Node.Tests.Overlay;

/// <summary>The overlay over libp2p daemons, drap's own: as <c>drap p2pd</c> runs, in this process.</summary>
public sealed class P2pdOverlayTests : OverlayCompliance
{
    private readonly ConcurrentDictionary<IOverlay, Daemon> daemons = new();

    protected override int PublishedBytesMax => new Libp2p.Gossipsub.GossipLimits().MessageBytesMax;

    [Fact]
    public async Task A_daemon_that_is_not_there_is_named()
    {
        var options = new OverlayOptions { Kind = OverlayKind.P2pd, Daemon = Multiaddr.FromUnix(Path.Combine(Folder, "none.sock")) };
        NodeIdentity identity = NodeIdentity.Open(Path.Combine(Folder, "a.key"));
        var failure = await Assert.ThrowsAsync<OverlayException>(() => OverlayFactory.JoinAsync(options, identity, new OverlayRecorder(), TestContext.Current.CancellationToken));
        Assert.Equal(OverlayFailure.Unreachable, failure.Failure);
        Assert.Contains("none.sock", failure.Message, StringComparison.Ordinal);
        failure = await Assert.ThrowsAsync<OverlayException>(() => OverlayFactory.SelfAsync(options, identity, TestContext.Current.CancellationToken));
        Assert.Contains("none.sock", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gate_is_not_to_be_had_over_a_daemon()
    {
        var options = new OverlayOptions { Kind = OverlayKind.P2pd, Daemon = Multiaddr.FromUnix(Path.Combine(Folder, "none.sock")), Gate = new OpenGate() };
        var failure = await Assert.ThrowsAsync<ArgumentException>(() => OverlayFactory.JoinAsync(
            options, NodeIdentity.Open(Path.Combine(Folder, "a.key")), new OverlayRecorder(), TestContext.Current.CancellationToken));
        Assert.StartsWith("a daemon lets everybody in: a private swarm needs --overlay libp2p", failure.Message, StringComparison.Ordinal);
    }

    protected override async Task<IOverlay> JoinAsync(NodeIdentity identity, IOverlayEvents events, IOverlay[] known)
    {
        Daemon daemon = await Daemon.StartAsync(identity.OpenKey(), Path.Combine(Folder, $"{identity.Peer.Short}.sock"));
        var options = new OverlayOptions
        {
            Kind = OverlayKind.P2pd, Daemon = daemon.Server.Address, Bootstrap = [.. known.SelectMany(k => k.Addresses).Select(Multiaddr.Parse)],
        };
        Assert.Equal(identity.Peer, await OverlayFactory.SelfAsync(options, identity, TestContext.Current.CancellationToken));
        IOverlay overlay = await OverlayFactory.JoinAsync(options, identity, events, TestContext.Current.CancellationToken);
        daemons[overlay] = daemon;
        return overlay;
    }

    protected override async ValueTask EndAsync()
    {
        foreach (Daemon daemon in daemons.Values)
            await daemon.DisposeAsync();
    }

    protected override async Task LeaveAsync(IOverlay overlay)
    {
        await base.LeaveAsync(overlay);
        if (daemons.TryRemove(overlay, out Daemon? daemon))
            await daemon.DisposeAsync();
    }

    private sealed record Daemon(PrivateKey Key, Libp2pHost Host, PubSub Topics, Dht Dht, DaemonServer Server) : IAsyncDisposable
    {
        public static async Task<Daemon> StartAsync(PrivateKey key, string socket)
        {
            Libp2pHost host = await Libp2pHost.StartAsync(new HostOptions { Key = key, Listen = [Multiaddr.Parse("/ip4/127.0.0.1/tcp/0")] });
            var topics = new PubSub(host, key);
            var dht = new Dht(host, KadOptions.Drap, isServer: true);
            return new Daemon(key, host, topics, dht, DaemonServer.Start(host, Multiaddr.FromUnix(socket), topics, dht));
        }

        public async ValueTask DisposeAsync()
        {
            await Server.DisposeAsync();
            await Dht.DisposeAsync();
            await Topics.DisposeAsync();
            await Host.DisposeAsync();
            Key.Dispose();
        }
    }

    private sealed class OpenGate : IConnectionGate
    {
        public string Protocol => "/test/gate/1.0.0";

        public ValueTask<bool> AdmitAsync(PeerConnection connection, P2pStream stream, CancellationToken ct) => ValueTask.FromResult(true);
    }
}
