using System.Collections.Immutable;
using Drap.Libp2p.Envelope;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host;

/// <summary>What is known of one peer. Addresses and protocols are its own word, or somebody else's.</summary>
public sealed record KnownPeer(PeerId Id)
{
    /// <summary>Where it may be dialed, without its name at the end; the ones that were learnt last come first.</summary>
    public ImmutableArray<Multiaddr> Addresses { get; init; } = [];

    /// <summary>The protocols for which it takes streams, as it said when it was connected last.</summary>
    public ImmutableArray<string> Protocols { get; init; } = [];

    /// <summary>Its key; null if neither its name nor a connection told it.</summary>
    public PublicKey? Key { get; init; }

    /// <summary>Its program, as it says.</summary>
    public string? AgentVersion { get; init; }

    /// <summary>Its family of protocols, as it says.</summary>
    public string? ProtocolVersion { get; init; }

    /// <summary>The envelope of its addresses with its signature, as it came; verified when it was taken.</summary>
    public ImmutableArray<byte> SignedRecord { get; init; } = [];

    /// <summary>The number of that record; of one peer the highest counts.</summary>
    public ulong RecordSequence { get; init; }

    /// <summary>Whether it said that it takes streams of the protocol.</summary>
    public bool Speaks(string protocol) => Protocols.Contains(protocol);
}

/// <summary>
/// What is known of peers: bounded, and the peer that was touched longest ago is forgotten first, unless it is connected. Thread-safe.
/// </summary>
public sealed class PeerBook
{
    /// <summary>Addresses kept of one peer. The one that was learnt longest ago is forgotten.</summary>
    public const int AddressesMax = 32;

    private readonly Lock gate = new();
    private readonly Dictionary<PeerId, LinkedListNode<KnownPeer>> peers = [];
    private readonly LinkedList<KnownPeer> touched = [];
    private readonly int peersMax;
    private readonly Func<PeerId, bool> isConnected;

    internal PeerBook(int peersMax, Func<PeerId, bool> isConnected)
    {
        this.peersMax = peersMax;
        this.isConnected = isConnected;
    }

    /// <summary>Every peer that is known.</summary>
    public IReadOnlyList<KnownPeer> All
    {
        get
        {
            lock (gate)
                return [.. touched];
        }
    }

    /// <summary>What is known of a peer; an empty entry if nothing is.</summary>
    public KnownPeer this[PeerId peer]
    {
        get
        {
            lock (gate)
                return peers.TryGetValue(peer, out LinkedListNode<KnownPeer>? node) ? node.Value : new KnownPeer(peer);
        }
    }

    /// <summary>Remembers where a peer may be dialed.</summary>
    public void AddAddresses(PeerId peer, IEnumerable<Multiaddr> addresses)
    {
        Multiaddr[] bare = [.. addresses.Select(a => a.WithoutPeer()).OfType<Multiaddr>()];
        if (bare.Length > 0)
            Update(peer, known => known with { Addresses = [.. bare.Concat(known.Addresses).Distinct().Take(AddressesMax)] });
    }

    /// <summary>
    /// Takes a peer's own word on where it is, that somebody else has passed on: an envelope with a peer record (RFC 0003). Its addresses come before what
    /// else is known; one that is older than what is known changes nothing.
    /// </summary>
    /// <returns>False if it is no such envelope, or is not signed by this peer.</returns>
    public bool TryTakeRecord(PeerId peer, ReadOnlySpan<byte> envelope)
    {
        if (envelope.SequenceEqual(this[peer].SignedRecord.AsSpan()))
            return !envelope.IsEmpty;
        if (!PeerRecord.TryOpen(envelope, out PeerRecord? record, out _) || record.Peer != peer)
            return false;
        ImmutableArray<byte> signed = [.. envelope];
        Update(peer, known => !known.SignedRecord.IsEmpty && record.Sequence <= known.RecordSequence ? known : known with
        {
            Addresses = [.. record.Addresses.Select(a => a.WithoutPeer()).OfType<Multiaddr>().Concat(known.Addresses).Distinct().Take(AddressesMax)],
            SignedRecord = signed,
            RecordSequence = record.Sequence,
        });
        return true;
    }

    /// <summary>Changes what is known of a peer.</summary>
    internal KnownPeer Update(PeerId peer, Func<KnownPeer, KnownPeer> change)
    {
        lock (gate)
        {
            KnownPeer known;
            if (peers.Remove(peer, out LinkedListNode<KnownPeer>? node))
            {
                known = change(node.Value);
                touched.Remove(node);
            }
            else
            {
                known = change(new KnownPeer(peer));
            }
            peers[peer] = touched.AddLast(known);
            for (int looked = 0; peers.Count > peersMax && looked < peersMax; looked++)
            {
                LinkedListNode<KnownPeer> oldest = touched.First!;
                touched.Remove(oldest);
                if (oldest.Value.Id == peer || isConnected(oldest.Value.Id))
                    touched.AddLast(oldest);
                else
                    peers.Remove(oldest.Value.Id);
            }
            return known;
        }
    }
}
