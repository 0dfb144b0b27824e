using System.Collections.Immutable;

namespace Drap.Libp2p.Kademlia;

/// <summary>What a message asks for, or answers (kad-dht, "RPC messages").</summary>
public enum KadMessageType
{
    /// <summary>Keep this record.</summary>
    PutValue = 0,

    /// <summary>Which record do you have, and who is nearer?</summary>
    GetValue = 1,

    /// <summary>I provide this content. Has no answer.</summary>
    AddProvider = 2,

    /// <summary>Who provides this content, and who is nearer?</summary>
    GetProviders = 3,

    /// <summary>Who is nearest to this?</summary>
    FindNode = 4,

    /// <summary>Are you there? Deprecated: answered, never sent.</summary>
    Ping = 5,
}

/// <summary>One request or answer of the DHT.</summary>
/// <param name="Type">What it asks for, or answers.</param>
/// <param name="Key">What it is about, not hashed: a record's key, a multihash, a peer id. Empty in a ping.</param>
public sealed record KadMessage(KadMessageType Type, byte[] Key)
{
    /// <summary>The record that is put, or was found.</summary>
    public KadRecord? Record { get; init; }

    /// <summary>Peers nearer to the key, of an answer.</summary>
    public ImmutableArray<KadPeer> Closer { get; init; } = [];

    /// <summary>Who provides the content.</summary>
    public ImmutableArray<KadPeer> Providers { get; init; } = [];
}

/// <summary>A value with its key, and when the peer that hands it out got it.</summary>
/// <param name="Key">As it was put, not hashed: <c>/namespace/…</c>.</param>
/// <param name="Value">The value.</param>
/// <param name="Received">When, by the clock of the peer that says so; null if it does not. js-libp2p refuses a record without it.</param>
public sealed record KadRecord(byte[] Key, byte[] Value, UtcTime? Received);
