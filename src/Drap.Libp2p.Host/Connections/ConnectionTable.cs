using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Host.Connections;

/// <summary>
/// Which connections stand, which of a peer's is used, and which are closed when there are too many. Thread-safe; looking up a peer's connection takes
/// no lock.
/// </summary>
internal sealed class ConnectionTable(PeerId self, HostLimits limits, ObserverQueue observers)
{
    private readonly Lock gate = new();
    private readonly Dictionary<PeerId, List<PeerConnection>> peers = [];
    private readonly ConcurrentDictionary<PeerId, PeerConnection> best = new();
    private readonly Dictionary<PeerId, HashSet<string>> protections = [];
    private readonly PeerTags tags = new(limits.KnownPeersMax);
    private int count;
    private bool isClosed;

    /// <summary>The connection to use with a peer.</summary>
    public PeerConnection? Find(PeerId peer) => best.TryGetValue(peer, out PeerConnection? connection) && connection.IsOpen ? connection : null;

    /// <summary>Those that were announced.</summary>
    public List<PeerConnection> All()
    {
        lock (gate)
            return [.. peers.Values.SelectMany(c => c).Where(c => c.IsAnnounced)];
    }

    /// <summary>All of them with one peer.</summary>
    public List<PeerConnection> Of(PeerId peer)
    {
        lock (gate)
            return peers.TryGetValue(peer, out List<PeerConnection>? list) ? [.. list] : [];
    }

    public int Count
    {
        get
        {
            lock (gate)
                return count;
        }
    }

    /// <summary>Finds a place for a connection; <paramref name="least"/> are to be closed for it.</summary>
    public bool TryAdd(PeerConnection connection, Instant now, out List<PeerConnection> least, [NotNullWhen(false)] out string? refusal)
    {
        least = [];
        refusal = null;
        lock (gate)
        {
            if (isClosed)
            {
                refusal = "the host stops";
                return false;
            }
            peers.TryGetValue(connection.Remote, out List<PeerConnection>? list);
            if (list?.Count >= limits.ConnectionsPerPeerMax)
            {
                refusal = "too many connections with the peer";
                return false;
            }
            if (count >= limits.ConnectionsMax)
            {
                least = LeastUseful(now, count + 1 - limits.ConnectionsLow);
                if (least.Count == 0)
                {
                    refusal = "too many connections, all of them protected";
                    return false;
                }
            }
            if (list is null)
                peers.Add(connection.Remote, list = []);
            list.Add(connection);
            count++;
            return true;
        }
    }

    /// <summary>From now on the connection is used, and everybody is to be told; false if it has closed meanwhile.</summary>
    public bool TryAnnounce(PeerConnection connection, TaskCompletionSource told)
    {
        lock (gate)
        {
            if (!peers.TryGetValue(connection.Remote, out List<PeerConnection>? list) || !list.Contains(connection))
                return false;
            bool isFirst = !list.Any(c => c.IsAnnounced);
            connection.IsAnnounced = true;
            Choose(connection.Remote);
            // Under the lock, so that the news of its end comes behind.
            observers.Add(observer => observer.Connected(connection, isFirst), told);
            return true;
        }
    }

    /// <summary>Forgets a connection; if it was announced, everybody is to be told.</summary>
    public void Remove(PeerConnection connection)
    {
        lock (gate)
        {
            if (!peers.TryGetValue(connection.Remote, out List<PeerConnection>? list) || !list.Remove(connection))
                return;
            count--;
            if (list.Count == 0)
                peers.Remove(connection.Remote);
            bool isLast = !list.Any(c => c.IsAnnounced);
            Choose(connection.Remote);
            if (connection.IsAnnounced)
                observers.Add(observer => observer.Disconnected(connection, isLast));
        }
    }

    public void Protect(PeerId peer, string why)
    {
        lock (gate)
        {
            if (!protections.TryGetValue(peer, out HashSet<string>? reasons))
                protections.Add(peer, reasons = []);
            reasons.Add(why);
        }
    }

    public void Unprotect(PeerId peer, string why)
    {
        lock (gate)
        {
            if (protections.TryGetValue(peer, out HashSet<string>? reasons) && reasons.Remove(why) && reasons.Count == 0)
                protections.Remove(peer);
        }
    }

    public bool TryTag(PeerId peer, string tag, long weight)
    {
        lock (gate)
            return tags.TrySet(peer, tag, weight);
    }

    public void Untag(PeerId peer, string tag)
    {
        lock (gate)
            tags.Remove(peer, tag);
    }

    /// <summary>Those to close so that low water remains.</summary>
    public List<PeerConnection> Surplus(Instant now)
    {
        lock (gate)
            return LeastUseful(now, count - limits.ConnectionsLow);
    }

    public bool IsProtected(PeerId peer)
    {
        lock (gate)
            return protections.ContainsKey(peer);
    }

    /// <summary>Takes no more; returns all that stand.</summary>
    public List<PeerConnection> Close()
    {
        lock (gate)
        {
            isClosed = true;
            return [.. peers.Values.SelectMany(c => c)];
        }
    }

    // Both sides see the same connections when two hosts dialed each other at once, and must choose the same: one that goes over no relay, and then the one
    // that the lesser peer id dialed.
    private void Choose(PeerId peer)
    {
        PeerConnection? chosen = null;
        if (peers.TryGetValue(peer, out List<PeerConnection>? list))
        {
            foreach (PeerConnection connection in list)
            {
                if (connection.IsAnnounced && connection.IsOpen && (chosen is null || IsBetter(connection, chosen)))
                    chosen = connection;
            }
            foreach (PeerConnection connection in list)
                connection.IsSpare = connection != chosen;
        }
        if (chosen is null)
            best.TryRemove(peer, out _);
        else
            best[peer] = chosen;
    }

    private bool IsBetter(PeerConnection one, PeerConnection other)
    {
        if (one.RemoteAddress.IsCircuit != other.RemoteAddress.IsCircuit)
            return other.RemoteAddress.IsCircuit;
        bool isOurs = self.CompareTo(one.Remote) < 0;
        bool oneFits = one.IsInbound != isOurs, otherFits = other.IsInbound != isOurs;
        return oneFits != otherFits ? oneFits : one.OpenedAt < other.OpenedAt;
    }

    // Spares first, then those of the least weight, those without streams, and those that were used longest ago; new and protected ones never.
    private List<PeerConnection> LeastUseful(Instant now, int wanted) =>
        [.. peers.Values.SelectMany(c => c)
            .Where(c => !protections.ContainsKey(c.Remote) && now - c.OpenedAt >= limits.NewConnectionGrace)
            .OrderByDescending(c => c.IsSpare).ThenBy(c => tags.WeightOf(c.Remote)).ThenBy(c => c.StreamCount > 0).ThenBy(c => c.UsedAt)
            .Take(wanted)];
}
