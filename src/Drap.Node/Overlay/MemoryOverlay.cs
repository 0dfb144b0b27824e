using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Runtime.InteropServices;

namespace Drap.Node.Overlay;

/// <summary>
/// The overlay of nodes in one process: the embedded swarm. Frames are handed over as they are, encoded as on any wire; queues belong to
/// the receiving nodes and are bounded there.
/// </summary>
public sealed class MemoryOverlay
{
    private readonly Lock gate = new();
    private readonly Dictionary<PeerId, Endpoint> endpoints = [];
    private readonly Dictionary<string, ImmutableArray<Endpoint>> topics = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ImmutableArray<Endpoint>> watchers = new(StringComparer.Ordinal);

    /// <summary>Joins a node.</summary>
    public IOverlay Join(PeerId self, IOverlayEvents events)
    {
        var endpoint = new Endpoint(this, self, events);
        lock (gate)
            Invariant.Check(endpoints.TryAdd(self, endpoint));
        return endpoint;
    }

    private void Change(Dictionary<string, ImmutableArray<Endpoint>> table, string topic, Endpoint endpoint, bool add)
    {
        ImmutableArray<Endpoint> told;
        ImmutableArray<PeerId> members;
        lock (gate)
        {
            ImmutableArray<Endpoint> before = table.GetValueOrDefault(topic, []);
            if (before.Contains(endpoint) == add)
                return;
            table[topic] = add ? before.Add(endpoint) : before.Remove(endpoint);
            members = [.. topics.GetValueOrDefault(topic, []).Select(e => e.Self).Order()];
            told = table == watchers ? [endpoint] : watchers.GetValueOrDefault(topic, []);
        }
        foreach (Endpoint watcher in told)
            watcher.Events.Audience(topic, members);
    }

    private void Leave(Endpoint endpoint)
    {
        ImmutableArray<string> heard, watched;
        lock (gate)
        {
            heard = [.. topics.Where(t => t.Value.Contains(endpoint)).Select(t => t.Key)];
            watched = [.. watchers.Where(t => t.Value.Contains(endpoint)).Select(t => t.Key)];
        }
        foreach (string topic in watched)
            Change(watchers, topic, endpoint, add: false);
        foreach (string topic in heard)
            Change(topics, topic, endpoint, add: false);
        ImmutableArray<Endpoint> rest;
        lock (gate)
        {
            endpoints.Remove(endpoint.Self);
            rest = [.. endpoints.Values];
        }
        foreach (Endpoint other in rest)
            other.Events.PeerGone(endpoint.Self);
    }

    private Endpoint? Find(PeerId peer)
    {
        lock (gate)
            return endpoints.GetValueOrDefault(peer);
    }

    private ImmutableArray<Endpoint> Hearers(string topic)
    {
        lock (gate)
            return topics.GetValueOrDefault(topic, []);
    }

    private ImmutableArray<PeerId> Others(PeerId self)
    {
        lock (gate)
            return [.. endpoints.Keys.Where(e => e != self).Order()];
    }

    private sealed class Endpoint : IOverlay
    {
        private readonly MemoryOverlay overlay;
        private readonly ConcurrentDictionary<string, Func<PeerId, OverlayStream, CancellationToken, Task>> handlers = new(StringComparer.Ordinal);
        private readonly CancellationTokenSource leaving = new();
        private readonly CancellationToken left;
        private readonly Lock batchGate = new();
        private List<(Endpoint To, List<ReadOnlyMemory<byte>> Frames)> batch = [];
        private int batches;
        private int isLeft;

        public Endpoint(MemoryOverlay overlay, PeerId self, IOverlayEvents events)
        {
            this.overlay = overlay;
            Self = self;
            Events = events;
            left = leaving.Token;
        }

        public PeerId Self { get; }

        public IOverlayEvents Events { get; }

        public ImmutableArray<string> Addresses => [];

        // Whoever is in this process is trusted with the keys of all of it.
        public OverlayAbilities Abilities => OverlayAbilities.ProvenPeers;

        public ImmutableArray<PeerId> Peers => overlay.Others(Self);

        public void Subscribe(string topic) => overlay.Change(overlay.topics, topic, this, add: true);

        public void Unsubscribe(string topic) => overlay.Change(overlay.topics, topic, this, add: false);

        public void Watch(string topic) => overlay.Change(overlay.watchers, topic, this, add: true);

        public void Publish(string topic, ReadOnlyMemory<byte> frame)
        {
            OverlayRules.CheckLength(frame);
            foreach (Endpoint hearer in overlay.Hearers(topic))
                Give(hearer, frame);
        }

        public bool Send(PeerId to, ReadOnlyMemory<byte> frame)
        {
            OverlayRules.CheckLength(frame);
            return overlay.Find(to) is { } peer && Give(peer, frame);
        }

        public bool SendWaiting(PeerId to, ReadOnlyMemory<byte> frame)
        {
            OverlayRules.CheckLength(frame);
            while (overlay.Find(to) is { } peer)
            {
                if (TakeWaiting(peer) is { } earlier)
                    Deliver(peer, earlier);
                if (peer.Events.Frame(Self, frame))
                    return true;
                peer.Events.WaitForRoom();
            }
            return false;
        }

        public void BeginBatch()
        {
            lock (batchGate)
                batches++;
        }

        // Whoever ends the batch works through it at the receivers, where these rest: nobody has to be woken for it.
        public void EndBatch()
        {
            List<(Endpoint To, List<ReadOnlyMemory<byte>> Frames)> due;
            lock (batchGate)
            {
                Invariant.Check(batches > 0);
                if (--batches > 0 || batch.Count == 0)
                    return;
                due = batch;
                batch = [];
            }
            foreach ((Endpoint to, List<ReadOnlyMemory<byte>> frames) in due)
                Deliver(to, frames);
        }

        // Who is in the room is reached, and nobody else.
        public ReadOnlyMemory<byte> Record => default;

        public void Learn(PeerId peer, ReadOnlyMemory<byte> record)
        {
        }

        public void Know(PeerId peer, IEnumerable<string> addresses)
        {
        }

        public void Handle(string protocol, Func<PeerId, OverlayStream, CancellationToken, Task> serve)
        {
            if (!handlers.TryAdd(protocol, serve))
                throw new InvalidOperationException($"{protocol} is served already");
        }

        public ValueTask<OverlayStream> OpenStreamAsync(PeerId peer, string protocol, CancellationToken ct)
        {
            ct.ThrowIfCancellationRequested();
            if (overlay.Find(peer) is not { } there)
                throw new OverlayException(OverlayFailure.Unreachable, $"{peer} is not of this process");
            if (!there.handlers.TryGetValue(protocol, out Func<PeerId, OverlayStream, CancellationToken, Task>? serve))
                throw new OverlayException(OverlayFailure.NotServed, $"{peer} does not serve {protocol}");
            var streams = new MemoryStreams(Self, peer);
            _ = Task.Run(() => ServeAsync(streams, there, serve), CancellationToken.None);
            return new ValueTask<OverlayStream>(streams.Opened);
        }

        public void Dispose()
        {
            if (Interlocked.Exchange(ref isLeft, 1) != 0)
                return;
            overlay.Leave(this);
            leaving.Cancel();
            leaving.Dispose();
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        private bool Give(Endpoint to, ReadOnlyMemory<byte> frame)
        {
            lock (batchGate)
                if (batches > 0)
                {
                    int at = batch.FindIndex(b => b.To == to);
                    if (at < 0)
                        batch.Add((to, [frame]));
                    else
                        batch[at].Frames.Add(frame);
                    return true;
                }
            return to.Events.Frame(Self, frame);
        }

        private List<ReadOnlyMemory<byte>>? TakeWaiting(Endpoint to)
        {
            lock (batchGate)
            {
                int at = batch.FindIndex(b => b.To == to);
                if (at < 0)
                    return null;
                List<ReadOnlyMemory<byte>> frames = batch[at].Frames;
                batch.RemoveAt(at);
                return frames;
            }
        }

        private void Deliver(Endpoint to, List<ReadOnlyMemory<byte>> frames) => to.Events.Frames(Self, CollectionsMarshal.AsSpan(frames));

        private async Task ServeAsync(MemoryStreams streams, Endpoint there, Func<PeerId, OverlayStream, CancellationToken, Task> serve)
        {
            using CancellationTokenRegistration gone = left.UnsafeRegister(static s => ((OverlayStream)s!).Reset(), streams.Opened);
            await OverlayRules.ServeAsync(Self, streams.Served, serve, there.left).ConfigureAwait(false);
            streams.Abandon();
        }
    }
}
