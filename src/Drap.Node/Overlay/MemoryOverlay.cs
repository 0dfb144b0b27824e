using System.Collections.Immutable;

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

    private sealed class Endpoint(MemoryOverlay overlay, PeerId self, IOverlayEvents events) : IOverlay
    {
        public PeerId Self { get; } = self;

        public IOverlayEvents Events { get; } = events;

        public void Subscribe(string topic) => overlay.Change(overlay.topics, topic, this, add: true);

        public void Unsubscribe(string topic) => overlay.Change(overlay.topics, topic, this, add: false);

        public void Watch(string topic) => overlay.Change(overlay.watchers, topic, this, add: true);

        public void Publish(string topic, ReadOnlyMemory<byte> frame)
        {
            foreach (Endpoint hearer in overlay.Hearers(topic))
                hearer.Events.Frame(Self, frame);
        }

        public bool Send(PeerId to, ReadOnlyMemory<byte> frame) => overlay.Find(to)?.Events.Frame(Self, frame) ?? false;

        public bool SendWaiting(PeerId to, ReadOnlyMemory<byte> frame)
        {
            while (overlay.Find(to) is { } peer)
            {
                if (peer.Events.Frame(Self, frame))
                    return true;
                peer.Events.WaitForRoom();
            }
            return false;
        }

        public void Dispose() => overlay.Leave(this);
    }
}
