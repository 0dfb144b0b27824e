namespace Drap.Libp2p.Host.Connections;

/// <summary>
/// What peers are worth to those who use a host: weights under names, added up. Bounded, since anybody may be tagged, connected or not. A mutable table: under its owner's
/// lock.
/// </summary>
internal sealed class PeerTags(int peersMax)
{
    /// <summary>Tags of one peer: each stands for one use of it.</summary>
    private const int TagsPerPeerMax = 64;

    private readonly Dictionary<PeerId, Dictionary<string, long>> tags = [];

    /// <summary>The sum of a peer's weights; 0 of one that has none.</summary>
    public long WeightOf(PeerId peer)
    {
        if (!tags.TryGetValue(peer, out Dictionary<string, long>? weights))
            return 0;
        Int128 sum = 0;
        foreach (long weight in weights.Values)
            sum += weight;
        return (long)Int128.Clamp(sum, long.MinValue, long.MaxValue);
    }

    /// <summary>Sets a tag; false if the peer has too many of them, or too many peers have some.</summary>
    public bool TrySet(PeerId peer, string tag, long weight)
    {
        if (!tags.TryGetValue(peer, out Dictionary<string, long>? weights))
        {
            if (tags.Count == peersMax)
                return false;
            tags.Add(peer, weights = new Dictionary<string, long>(StringComparer.Ordinal));
        }
        if (weights.Count == TagsPerPeerMax && !weights.ContainsKey(tag))
            return false;
        weights[tag] = weight;
        return true;
    }

    public void Remove(PeerId peer, string tag)
    {
        if (tags.TryGetValue(peer, out Dictionary<string, long>? weights) && weights.Remove(tag) && weights.Count == 0)
            tags.Remove(peer);
    }
}
