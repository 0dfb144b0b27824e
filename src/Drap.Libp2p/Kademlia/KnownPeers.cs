using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// The peers that are connected and have said who they are, servers and clients: there are as many as connections, and the DHT keeps no
/// more than <see cref="Max"/>. Those after them are not told to who asks for them. Not thread-safe.
/// </summary>
internal sealed class KnownPeers
{
    /// <summary>As many as a host has connections.</summary>
    public const int Max = 4096;

    private readonly Dictionary<PeerId, KadPeer> peers = [];

    public int Count => peers.Count;

    public bool TryGet(PeerId id, [NotNullWhen(true)] out KadPeer? peer) => peers.TryGetValue(id, out peer);

    public void Add(KadPeer peer)
    {
        if (peers.Count < Max || peers.ContainsKey(peer.Id))
            peers[peer.Id] = peer;
    }

    public void Remove(PeerId id) => peers.Remove(id);
}
