using System.Collections.Immutable;

namespace Drap.Libp2p.Kademlia;

/// <summary>What a DHT is like. All its servers should have the same <see cref="Protocol"/>, <see cref="K"/> and validities.</summary>
public sealed record KadOptions
{
    /// <summary>The public DHT's parameters (libp2p/specs, kad-dht).</summary>
    public static readonly KadOptions Ipfs = new();

    /// <summary>
    /// A swarm's own DHT. What it says of members (who hears which region) must not outlive them by days, so provider records last an
    /// hour and are renewed twice in it.
    /// </summary>
    public static readonly KadOptions Drap = new()
    {
        Protocol = "/drap/kad/1.0.0",
        ProviderValidity = TimeSpan.FromHours(1),
        ProvideInterval = TimeSpan.FromMinutes(25),
    };

    /// <summary>The name of the streams. Networks with different ones do not see each other.</summary>
    public string Protocol { get; init; } = "/ipfs/kad/1.0.0";

    /// <summary>Peers in a bucket, peers that keep a record, peers of an answer: k. Default 20, as in the specification; at most 20.</summary>
    public int K { get; init; } = 20;

    /// <summary>Requests that one walk has under way: α. Default 10, as in the specification; Kademlia's paper has 3, slower and sparer.</summary>
    public int Alpha { get; init; } = 10;

    /// <summary>How long an answer is waited for, dial included. Default 10 s. After it the request is abandoned and the peer has failed.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>
    /// After which a walk asks somebody else besides. Default 2 s: a dial and a handshake take five round trips, and a packet of them may
    /// be lost.
    /// </summary>
    public TimeSpan SlowAfter { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>After which a walk that has nobody else to ask ends without a peer. Default 5 s. While nobody has answered, each is waited for to its end.</summary>
    public TimeSpan HopelessAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>After which a question ends with what it has. Default 60 s.</summary>
    public TimeSpan QueryTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// After which a search of a region ends with what it has. Default 10 min: it asks each member about twice, 64 at a time, so it is done with
    /// a thousand members in half a minute. The walk to a part of the region has <see cref="QueryTimeout"/>.
    /// </summary>
    public TimeSpan SearchTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long a provider record is kept unless it is renewed. Default 48 h.</summary>
    public TimeSpan ProviderValidity { get; init; } = TimeSpan.FromHours(48);

    /// <summary>How often our own provider records are renewed. Default 22 h.</summary>
    public TimeSpan ProvideInterval { get; init; } = TimeSpan.FromHours(22);

    /// <summary>How long a value is kept unless it is put again. Default 48 h.</summary>
    public TimeSpan RecordValidity { get; init; } = TimeSpan.FromHours(48);

    /// <summary>How often our own values are put again. Default 22 h.</summary>
    public TimeSpan PutInterval { get; init; } = TimeSpan.FromHours(22);

    /// <summary>
    /// How often each bucket, and the neighbourhood, are looked up. Default 10 min. A table that has just got its first peer is refreshed
    /// at once, then after 15 s, and then ever more seldom up to this.
    /// </summary>
    public TimeSpan RefreshInterval { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Who says which values are good, by namespace. Default: <c>pk</c>, the specification's one.</summary>
    public ImmutableDictionary<string, IRecordValidator> Validators { get; init; } =
        ImmutableDictionary<string, IRecordValidator>.Empty.Add("pk", PublicKeyValidator.Instance);

    /// <summary>
    /// Whether values of namespaces that have no validator are kept and found, the last one put being the best. Default false: anybody
    /// could replace them.
    /// </summary>
    public bool KeepsUnknownNamespaces { get; init; }
}
