using System.Collections.Immutable;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// What a server answers (libp2p/specs, kad-dht, "RPC messages"). A request that may not be is answered by nothing and ends its stream,
/// as one that asks for a record that is not taken. Not thread-safe.
/// </summary>
internal sealed class KadServer
{
    /// <summary>Addresses told of one peer: what it listens on in a few networks, and a relay or two.</summary>
    public const int AddressesMax = 8;

    private readonly KadOptions options;
    private readonly PeerId self;
    private readonly RoutingTable table;
    private readonly KnownPeers known;

    public KadServer(PeerId self, KadOptions options, RoutingTable table, KnownPeers known)
    {
        this.self = self;
        this.options = options;
        this.table = table;
        this.known = known;
        var key = KadKey.Of(self);
        Records = new RecordStore(key, options);
        Providers = new ProviderStore(key, options.ProviderValidity);
    }

    public RecordStore Records { get; }

    public ProviderStore Providers { get; }

    /// <summary>Our own addresses, for who asks after us.</summary>
    public ImmutableArray<Multiaddr> Addresses { get; set; } = [];

    /// <summary>Values that we put ourselves: they are handed out as those that others put here.</summary>
    public required Func<byte[], KadRecord?> OwnRecord { get; init; }

    /// <summary>Whether we provide a content ourselves.</summary>
    public required Func<byte[], bool> IsProvided { get; init; }

    public Instant NextDeadline => Instant.Min(Records.NextDeadline, Providers.NextDeadline);

    /// <summary>Answers a request, or not: <see cref="KadReply"/> says how the stream goes on.</summary>
    public KadReply Handle(PeerId from, KadMessage request, UtcTime utc, Instant now)
    {
        switch (request.Type)
        {
            case KadMessageType.FindNode when request.Key.Length > 0:
                return new KadReply.Answer(new KadMessage(KadMessageType.FindNode, request.Key) { Closer = Closer(from, request.Key) });

            case KadMessageType.GetValue when request.Key.Length > 0:
                return new KadReply.Answer(new KadMessage(KadMessageType.GetValue, request.Key)
                {
                    Record = Best(request.Key, now),
                    Closer = Closer(from, request.Key),
                });

            case KadMessageType.PutValue when request.Record is { } record && record.Key.AsSpan().SequenceEqual(request.Key):
                return Records.TryPut(from, record, utc, now)
                    ? new KadReply.Answer(new KadMessage(KadMessageType.PutValue, request.Key) { Record = record }) : KadReply.Refused;

            case KadMessageType.GetProviders when IsContent(request.Key):
                List<KadPeer> providers = Providers.Find(KadKey.Of(request.Key), options.K, now);
                // Ours comes first: it is the one we know to be true.
                if (IsProvided(request.Key) && !Addresses.IsEmpty)
                    providers = [new KadPeer(self, Addresses), .. providers.Take(options.K - 1)];
                return new KadReply.Answer(new KadMessage(KadMessageType.GetProviders, request.Key)
                {
                    Providers = [.. providers.Select(Told)],
                    Closer = Closer(from, request.Key),
                });

            case KadMessageType.AddProvider when IsContent(request.Key):
                // Only who speaks may say of itself that it provides; without an address nobody would find it.
                if (request.Providers.FirstOrDefault(peer => peer.Id == from) is { Addresses.IsEmpty: false } provider)
                    Providers.TryAdd(KadKey.Of(request.Key), provider, now);
                return KadReply.Silent;

            case KadMessageType.Ping:
                return new KadReply.Answer(new KadMessage(KadMessageType.Ping, []));

            default:
                return KadReply.Refused;
        }
    }

    /// <summary>The best value known here: ours, unless a better one was put since; null if there is none.</summary>
    public KadRecord? Best(byte[] key, Instant now)
    {
        KadRecord? own = OwnRecord(key), kept = Records.Find(key, now);
        return own is null || (kept is not null && !kept.Value.AsSpan().SequenceEqual(own.Value)
            && RecordStore.ValidatorOf(key, options)!.IsBetter(key, kept.Value, own.Value)) ? kept : own;
    }

    /// <summary>Forgets what has lapsed.</summary>
    public void Advance(Instant now)
    {
        Records.Advance(now);
        Providers.Advance(now);
    }

    // Multihashes have a function and a length before the digest, CIDs of old peers a version before that; longer than 80 is no hash.
    private static bool IsContent(byte[] key) => key.Length is >= 4 and <= 80;

    // The k nearest that we know to live, but neither who asks nor, unless it is asked for, ourselves. The peer that is asked for comes
    // first, also when it is a client: whoever is connected to it is the only one that can say where it is.
    private ImmutableArray<KadPeer> Closer(PeerId from, byte[] key)
    {
        var target = KadKey.Of(key);
        var closer = ImmutableArray.CreateBuilder<KadPeer>(options.K);
        if (key.AsSpan().SequenceEqual(self.Bytes))
        {
            if (!Addresses.IsEmpty)
                closer.Add(new KadPeer(self, target, Addresses) { Connection = KadConnection.Connected });
        }
        else if (PeerId.TryFromBytes(key, out PeerId asked) && asked != from && known.TryGet(asked, out KadPeer? peer)
            && !peer.Addresses.IsEmpty)
            closer.Add(Told(peer));
        foreach (KadPeer near in table.Closest(target, options.K + 2, withStale: false))
        {
            if (closer.Count == options.K)
                break;
            if (near.Id != from && !near.Addresses.IsEmpty && !closer.Contains(near))
                closer.Add(Told(near));
        }
        return closer.ToImmutable();
    }

    private KadPeer Told(KadPeer peer) => peer with
    {
        Addresses = peer.Addresses.Length > AddressesMax ? peer.Addresses[..AddressesMax] : peer.Addresses,
        Connection = known.TryGet(peer.Id, out _) ? KadConnection.Connected : KadConnection.NotConnected,
    };
}

/// <summary>How the stream of a request goes on.</summary>
public abstract record KadReply
{
    /// <summary>The stream is reset.</summary>
    public static readonly KadReply Refused = new Refusal();

    /// <summary>Nothing is said; the stream may bring another request.</summary>
    public static readonly KadReply Silent = new Silence();

    private KadReply()
    {
    }

    /// <summary>This is written; the stream may bring another request.</summary>
    /// <param name="Message">What is written.</param>
    public sealed record Answer(KadMessage Message) : KadReply;

    private sealed record Refusal : KadReply;

    private sealed record Silence : KadReply;
}
