using System.Collections.Immutable;

namespace Drap.Libp2p.Daemon;

/// <summary>
/// What a program asks of the daemon. A value of this type is whole: peers are peer ids and what a request needs is there, within the bounds
/// of <see cref="DaemonProtocol"/>. Addresses and CIDs are bytes that nobody has looked into yet: which forms are understood is the node's
/// matter.
/// </summary>
/// <remarks>Requests that may take long carry a time-out; on the wire it is in whole seconds, and none means the default.</remarks>
public abstract record DaemonRequest
{
    private DaemonRequest()
    {
    }

    /// <summary>Who the node is and where it listens.</summary>
    public sealed record Identify : DaemonRequest;

    /// <summary>Connect to a peer at these addresses, as binary multiaddrs; without any, at those that are known.</summary>
    public sealed record Connect(PeerId Peer, ImmutableArray<byte[]> Addresses, TimeSpan Timeout) : DaemonRequest;

    /// <summary>End all connections with a peer.</summary>
    public sealed record Disconnect(PeerId Peer) : DaemonRequest;

    /// <summary>The peers that are connected.</summary>
    public sealed record ListPeers : DaemonRequest;

    /// <summary>Open a stream with the first of these protocols that the peer has. After the answer the socket is the stream.</summary>
    public sealed record OpenStream(PeerId Peer, ImmutableArray<string> Protocols, TimeSpan Timeout) : DaemonRequest;

    /// <summary>
    /// From now on bring each stream of these protocols to <paramref name="Address"/>, a binary multiaddr, on a connection that begins with a
    /// <see cref="StreamInfo"/>. Replaces who had one of them before.
    /// </summary>
    public sealed record HandleStreams(byte[] Address, ImmutableArray<string> Protocols) : DaemonRequest;

    /// <summary>Give a peer a tag of some weight; connections of little weight are closed first when there are too many.</summary>
    public sealed record TagPeer(PeerId Peer, string Tag, long Weight) : DaemonRequest;

    /// <summary>Take a tag from a peer.</summary>
    public sealed record UntagPeer(PeerId Peer, string Tag) : DaemonRequest;

    /// <summary>Close the least useful connections now, down to low water.</summary>
    public sealed record TrimConnections : DaemonRequest;

    /// <summary>The topics that are subscribed to.</summary>
    public sealed record GetTopics : DaemonRequest;

    /// <summary>The connected peers that are subscribed to <paramref name="Topic"/>; to any, if it is empty.</summary>
    public sealed record ListTopicPeers(string Topic) : DaemonRequest;

    /// <summary>Publish <paramref name="Data"/>.</summary>
    public sealed record Publish(string Topic, byte[] Data) : DaemonRequest;

    /// <summary>After the answer the socket carries each <see cref="PubsubMessage"/> of the topic until it is closed.</summary>
    public sealed record Subscribe(string Topic) : DaemonRequest;

    /// <summary>Where a peer is, by the DHT.</summary>
    public sealed record FindPeer(PeerId Peer, TimeSpan Timeout) : DaemonRequest;

    /// <summary>Who has the content of this CID. Answers with a row of <see cref="DhtAnswer"/>.</summary>
    public sealed record FindProviders(byte[] Cid, int Count, TimeSpan Timeout) : DaemonRequest;

    /// <summary>The peers closest to a key. Answers with a row of <see cref="DhtAnswer"/>.</summary>
    public sealed record GetClosestPeers(byte[] Key, TimeSpan Timeout) : DaemonRequest;

    /// <summary>A peer's public key.</summary>
    public sealed record GetPublicKey(PeerId Peer, TimeSpan Timeout) : DaemonRequest;

    /// <summary>The best value at a key.</summary>
    public sealed record GetValue(byte[] Key, TimeSpan Timeout) : DaemonRequest;

    /// <summary>Better and better values at a key. Answers with a row of <see cref="DhtAnswer"/>.</summary>
    public sealed record SearchValue(byte[] Key, TimeSpan Timeout) : DaemonRequest;

    /// <summary>Keep a value at a key.</summary>
    public sealed record PutValue(byte[] Key, byte[] Value, TimeSpan Timeout) : DaemonRequest;

    /// <summary>Say that this node has the content of a CID.</summary>
    public sealed record Provide(byte[] Cid, TimeSpan Timeout) : DaemonRequest;

    /// <summary>The protocols that a peer is known to have.</summary>
    public sealed record GetProtocols(PeerId Peer) : DaemonRequest;

    /// <summary>The addresses at which a peer is known to be.</summary>
    public sealed record GetPeerInfo(PeerId Peer) : DaemonRequest;
}
