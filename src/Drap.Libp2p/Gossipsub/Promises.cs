namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// What peers told of and were asked for (v1.1, "Spam Protection Measures"): of each answer one id by chance. Who does not bring it in time has broken its
/// word. Bounded by the IHAVEs that are taken from a peer in a heartbeat, for as long as a promise lasts.
/// </summary>
internal sealed class Promises
{
    private readonly Dictionary<MessageKey, List<GossipPeer>> byKey = [];
    private readonly Queue<(Instant Until, MessageKey Key, GossipPeer Peer)> due = new();

    /// <summary>Promises that stand; those that were kept are counted until their time is over.</summary>
    public int Count => due.Count;

    public void Add(MessageKey key, GossipPeer peer, Instant until)
    {
        if (!byKey.TryGetValue(key, out List<GossipPeer>? peers))
            byKey[key] = peers = new List<GossipPeer>(1);
        if (peers.Contains(peer))
            return;
        peers.Add(peer);
        due.Enqueue((until, key, peer));
    }

    /// <summary>The message has come, from whomever.</summary>
    public void Keep(MessageKey key)
    {
        if (byKey.Count > 0)
            byKey.Remove(key);
    }

    /// <summary>Says who has broken a promise; call until it says nobody.</summary>
    public GossipPeer? NextBroken(Instant now)
    {
        while (due.TryPeek(out (Instant Until, MessageKey Key, GossipPeer Peer) first) && first.Until < now)
        {
            due.Dequeue();
            if (!byKey.TryGetValue(first.Key, out List<GossipPeer>? peers) || !peers.Remove(first.Peer))
                continue;
            if (peers.Count == 0)
                byKey.Remove(first.Key);
            return first.Peer;
        }
        return null;
    }
}
