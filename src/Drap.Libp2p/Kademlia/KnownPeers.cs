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
    private readonly HashSet<PeerId> servers = [];

    public int Count => peers.Count;

    public bool TryGet(PeerId id, [NotNullWhen(true)] out KadPeer? peer) => peers.TryGetValue(id, out peer);

    /// <summary>Those of them that speak the protocol, in no order.</summary>
    public IEnumerable<KadPeer> Servers => servers.Select(id => peers[id]);

    public void Add(KadPeer peer, bool isServer)
    {
        if (peers.Count >= Max && !peers.ContainsKey(peer.Id))
            return;
        peers[peer.Id] = peer;
        if (isServer)
            servers.Add(peer.Id);
        else
            servers.Remove(peer.Id);
    }

    public void Remove(PeerId id)
    {
        peers.Remove(id);
        servers.Remove(id);
    }
}
