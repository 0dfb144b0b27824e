using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Envelope;
using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Daemon;
using Drap.Libp2p.Multiformats;
using Drap.Node.Overlay.Frames;
using Drap.Node.Overlay.Kept;

namespace Drap.Node.Overlay.P2pd;

/// <summary>
/// The overlay over a libp2p daemon beside this process, whose ever: the node's name is the daemon's, so a daemon serves one node. The control protocol
/// has no gate and tells nothing by itself: the swarm is open, and who is connected and who hears a topic is asked for again and again
/// (docs/decisions/0161).
/// </summary>
internal sealed class P2pdOverlay : IOverlay, IFrameCarrier
{
    /// <summary>Published messages that are on their way to the daemon. Further ones are lost.</summary>
    private const int PublishingMax = 64;

    private static readonly TimeSpan SweepTime = TimeSpan.FromMinutes(1);

    private readonly DaemonClient daemon;
    private readonly IOverlayEvents events;
    private readonly FrameDesk frames;
    private readonly KeptDesk kept;
    private readonly AudienceBook audiences;
    private readonly DaemonWatch watch;
    private readonly Timer sweeping;
    private readonly ConcurrentDictionary<string, DaemonTopic> heard = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<PeerId, ImmutableArray<Multiaddr>> known = new();
    private readonly RecordChecks checks = new();
    private int publishing;
    private int isDisposed;

    private P2pdOverlay(DaemonClient daemon, PeerId self, OverlayOptions options, IOverlayEvents events)
    {
        this.daemon = daemon;
        this.events = events;
        Self = self;
        frames = new FrameDesk(this, events);
        kept = new KeptDesk(OpenCarrierAsync, isByDaemon: true, KeptDesk.BeatTime, frames.Left);
        kept.TryHandle(FrameDesk.Protocol, (peer, stream, _) => frames.ServeAsync(peer, stream));
        audiences = new AudienceBook(events, Hearers);
        watch = new DaemonWatch(daemon, self, options.Bootstrap)
        {
            Topics = () => audiences.Topics,
            Came = peer => frames.Met(peer),
            Went = peer =>
            {
                frames.Gone(peer);
                kept.Gone(peer);
                events.PeerGone(peer);
            },
            Looked = audiences.LookAtAll,
        };
        sweeping = new Timer(_ => frames.Sweep(), null, SweepTime, SweepTime);
    }

    /// <summary>Joins the daemon's node.</summary>
    /// <exception cref="OverlayException">The daemon does not answer.</exception>
    /// <exception cref="ArgumentException">A gate is asked for, which no daemon has.</exception>
    public static async Task<IOverlay> JoinAsync(OverlayOptions options, IOverlayEvents events, CancellationToken ct)
    {
        if (options.Gate is not null)
            throw new ArgumentException("a daemon lets everybody in: a private swarm needs --overlay libp2p", nameof(options));
        var daemon = new DaemonClient(Control(options));
        P2pdOverlay? overlay = null;
        try
        {
            DaemonPeer self = await daemon.IdentifyAsync(ct).ConfigureAwait(false);
            overlay = new P2pdOverlay(daemon, self.Id, options, events);
            await daemon.HandleAsync(KeptWire.Protocol, overlay.ServeAsync, ct).ConfigureAwait(false);
            overlay.SetAddresses(self);
            overlay.watch.Start();
            return overlay;
        }
        catch (Libp2pException failure)
        {
            if (overlay is not null)
                await overlay.DisposeAsync().ConfigureAwait(false);
            else
                await daemon.DisposeAsync().ConfigureAwait(false);
            throw new OverlayException(OverlayFailure.Unreachable, failure.Message, failure);
        }
    }

    /// <summary>The name of a daemon's node.</summary>
    /// <exception cref="OverlayException">The daemon does not answer.</exception>
    public static async Task<PeerId> SelfAsync(OverlayOptions options, CancellationToken ct)
    {
        try
        {
            await using var daemon = new DaemonClient(Control(options));
            return (await daemon.IdentifyAsync(ct).ConfigureAwait(false)).Id;
        }
        catch (Libp2pException failure)
        {
            throw new OverlayException(OverlayFailure.Unreachable, failure.Message, failure);
        }
    }

    public PeerId Self { get; }

    public ImmutableArray<string> Addresses { get; private set; } = [];

    // The control protocol does not sign.
    public ReadOnlyMemory<byte> Record => default;

    public OverlayAbilities Abilities => OverlayAbilities.Network | OverlayAbilities.ProvenPeers;

    public ImmutableArray<PeerId> Peers => watch.Peers;

    public void Subscribe(string topic)
    {
        var fresh = new DaemonTopic(daemon, topic, message => Deliver(topic, message));
        if (!heard.TryAdd(topic, fresh))
            return;
        fresh.Start();
        audiences.Look(topic);
    }

    public void Unsubscribe(string topic)
    {
        if (!heard.TryRemove(topic, out DaemonTopic? listening))
            return;
        _ = listening.DisposeAsync().AsTask();
        audiences.Look(topic);
    }

    public void Watch(string topic)
    {
        if (audiences.Watch(topic))
            watch.LookSoon();
    }

    public void Publish(string topic, ReadOnlyMemory<byte> frame)
    {
        OverlayRules.CheckLength(frame);
        // By ourselves, since daemons differ in whether they bring what their own node publishes.
        if (heard.ContainsKey(topic))
            events.Frame(Self, frame);
        if (frames.Left.IsCancellationRequested || Interlocked.Increment(ref publishing) > PublishingMax)
            Interlocked.Decrement(ref publishing);
        else
            _ = PublishAsync(topic, frame);
    }

    public bool Send(PeerId to, ReadOnlyMemory<byte> frame) => frames.Send(to, frame);

    public bool SendWaiting(PeerId to, ReadOnlyMemory<byte> frame) => frames.SendWaiting(to, frame);

    public void BeginBatch() => frames.BeginBatch();

    public void EndBatch() => frames.EndBatch();

    public void Know(PeerId peer, IEnumerable<string> addresses)
    {
        ImmutableArray<Multiaddr> read = [.. addresses.Select(a => Multiaddr.TryParse(a, out Multiaddr? address) ? address.WithoutPeer() : null).OfType<Multiaddr>()
            .Take(PeerBook.AddressesMax)];
        // The daemon remembers them once it was told; until then as many are kept as it may have connections.
        if (!read.IsEmpty && (known.Count < FrameLimits.LanesMax || known.ContainsKey(peer)))
            known[peer] = read;
        frames.Met(peer);
    }

    public void Learn(PeerId peer, ReadOnlyMemory<byte> record)
    {
        if (!watch.Peers.Contains(peer))
            checks.Run(() =>
            {
                if (PeerRecord.TryOpen(record.Span, out PeerRecord? said, out _) && said.Peer == peer)
                    Know(peer, said.Addresses.Select(a => a.ToString()));
            });
    }

    public void Handle(string protocol, Func<PeerId, OverlayStream, CancellationToken, Task> serve)
    {
        if (!kept.TryHandle(protocol, serve))
            throw new InvalidOperationException($"{protocol} is served already");
    }

    /// <inheritdoc cref="IOverlay.OpenStreamAsync"/>
    public ValueTask<OverlayStream> OpenStreamAsync(PeerId peer, string protocol, CancellationToken ct) => kept.OpenAsync(peer, protocol, null, ct);

    private async ValueTask<OverlayStream> OpenCarrierAsync(PeerId peer, CancellationToken ct)
    {
        if (!watch.Peers.Contains(peer))
            await MeetAsync(peer, ct).ConfigureAwait(false);
        try
        {
            return new P2pdStream(await daemon.OpenStreamAsync(peer, [KeptWire.Protocol], ct).ConfigureAwait(false));
        }
        catch (DaemonException failure)
        {
            // Each daemon has its own words for it: a peer that is connected all the same does not speak the protocol.
            bool isThere = await watch.LookAsync(peer).ConfigureAwait(false);
            throw new OverlayException(isThere ? OverlayFailure.NotServed : OverlayFailure.Unreachable, failure.Message, failure);
        }
    }

    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
            return;
        await sweeping.DisposeAsync().ConfigureAwait(false);
        await watch.DisposeAsync().ConfigureAwait(false);
        frames.Dispose();
        await kept.DisposeAsync().ConfigureAwait(false);
        foreach (DaemonTopic topic in heard.Values)
            await topic.DisposeAsync().ConfigureAwait(false);
        await daemon.DisposeAsync().ConfigureAwait(false);
    }

    // The daemon may know it, or find it by its DHT; whether it does is seen when it is tried.
    bool IFrameCarrier.MayReach(PeerId peer) => true;

    // A stream that ends may be the first that is seen of a peer's end.
    void IFrameCarrier.Use(PeerId peer, bool isUsed)
    {
        if (!isUsed)
            watch.LookSoon();
    }

    private static Multiaddr Control(OverlayOptions options) => options.Daemon ?? throw new ArgumentException("the daemon's address is missing", nameof(options));

    private void SetAddresses(DaemonPeer self) =>
        Addresses = [.. self.ReadAddresses().Select(a => (a.Peer == Self ? a : a.WithPeer(Self)).ToString())];

    private async Task ServeAsync(DaemonStream stream)
    {
        try
        {
            await kept.ServeAsync(stream.Remote, new P2pdStream(stream)).ConfigureAwait(false);
        }
        finally
        {
            watch.LookSoon();
        }
    }

    /// <summary>Connects the daemon to a peer if that is possible; if not, opening the stream says why.</summary>
    private async Task MeetAsync(PeerId peer, CancellationToken ct)
    {
        try
        {
            if (known.TryGetValue(peer, out ImmutableArray<Multiaddr> addresses))
                await daemon.ConnectAsync(peer, addresses, ct).ConfigureAwait(false);
        }
        catch (DaemonException)
        {
        }
    }

    private IEnumerable<PeerId> Hearers(string topic)
    {
        IEnumerable<PeerId> others = watch.HearersOf(topic).Where(p => p != Self);
        return heard.ContainsKey(topic) ? others.Append(Self) : others;
    }

    // Signatures are the daemon's affair, frames are ours. What finds no room in the node's queue is lost, as any message of a topic may be.
    private void Deliver(string topic, PubsubMessage message)
    {
        if (message.From is { } from && from != Self && heard.ContainsKey(topic) && TopicRules.IsGood(topic, message.Data, out _))
            events.Frame(from, message.Data);
    }

    private async Task PublishAsync(string topic, ReadOnlyMemory<byte> frame)
    {
        try
        {
            await daemon.PublishAsync(topic, frame, frames.Left).ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is Libp2pException or OperationCanceledException)
        {
            // Lost, as any message of a topic may be.
        }
        finally
        {
            Interlocked.Decrement(ref publishing);
        }
    }
}
