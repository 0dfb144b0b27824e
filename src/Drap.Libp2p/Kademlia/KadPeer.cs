using System.Collections.Immutable;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Kademlia;

/// <summary>A peer as the DHT knows it: who it is and where it may be reached. Two are equal when they name the same peer.</summary>
/// <param name="Id">Who it is.</param>
/// <param name="Key">Where it stands: the hash of <paramref name="Id"/>, computed once.</param>
/// <param name="Addresses">Its addresses; may be empty where the connection is known otherwise.</param>
public sealed record KadPeer(PeerId Id, KadKey Key, ImmutableArray<Multiaddr> Addresses)
{
    /// <summary>A peer whose place is yet to be computed.</summary>
    public KadPeer(PeerId id, ImmutableArray<Multiaddr> addresses)
        : this(id, KadKey.Of(id), addresses)
    {
    }

    /// <summary>Whether the peer that speaks is connected to this one, as it says; decides nothing.</summary>
    public KadConnection Connection { get; init; }

    /// <inheritdoc/>
    public bool Equals(KadPeer? other) => other is not null && Id == other.Id;

    /// <inheritdoc/>
    public override int GetHashCode() => Id.GetHashCode();

    /// <inheritdoc/>
    public override string ToString() => Id.ToString();
}

/// <summary>What a peer says of its connection to another (kad-dht, <c>ConnectionType</c>).</summary>
public enum KadConnection
{
    /// <summary>None, and nothing else is known.</summary>
    NotConnected = 0,

    /// <summary>There is one.</summary>
    Connected = 1,

    /// <summary>There was one lately.</summary>
    CanConnect = 2,

    /// <summary>Tried hard, and failed.</summary>
    CannotConnect = 3,
}
