using System.Text;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// Values that peers put here, one for a key: the best of those that were put, as the namespace's validator says. When the store is full,
/// what stands farthest from us goes for what stands nearer. Not thread-safe.
/// </summary>
public sealed class RecordStore
{
    /// <summary>Values in all: the bookkeeping of small ones.</summary>
    public const int RecordsMax = 8 * 1024;

    /// <summary>Bytes of all keys and values, 16 MiB: 256 of the largest.</summary>
    public const int BytesMax = 256 * KadCodec.ValueBytesMax;

    /// <summary>Bytes and values of one peer: an eighth. More are refused.</summary>
    public const int ShareOfPeer = 8;

    private readonly KadKey self;
    private readonly KadOptions options;
    private readonly Dictionary<KadKey, Stored> records = [];
    private readonly SortedSet<KadKey> distances = [];
    private readonly Dictionary<PeerId, (int Records, int Bytes)> perPeer = [];
    private readonly LinkedList<Stored> byAge = [];

    /// <summary>An empty store of the server that stands at <paramref name="self"/>.</summary>
    public RecordStore(KadKey self, KadOptions options)
    {
        this.self = self;
        this.options = options;
    }

    /// <summary>Values kept.</summary>
    public int Count => records.Count;

    /// <summary>Bytes of their keys and values.</summary>
    public int Bytes { get; private set; }

    /// <summary>When the next value lapses.</summary>
    public Instant NextDeadline => byAge.First is { } oldest ? oldest.Value.LapsesAt : Instant.Never;

    /// <summary>
    /// Who judges the values under <paramref name="key"/>, which is <c>/namespace/…</c>; null if nobody does and they are not taken.
    /// </summary>
    public static IRecordValidator? ValidatorOf(ReadOnlySpan<byte> key, KadOptions options)
    {
        IRecordValidator? validator = options.KeepsUnknownNamespaces ? Anything : null;
        if (key.IsEmpty || key[0] != '/')
            return validator;
        int end = key[1..].IndexOf((byte)'/');
        if (end <= 0 || end > 64)
            return validator;
        return options.Validators.GetValueOrDefault(Encoding.UTF8.GetString(key.Slice(1, end))) ?? validator;
    }

    /// <summary>A peer puts a value. False if it is not valid, not as good as what is there, or finds no room.</summary>
    public bool TryPut(PeerId from, KadRecord record, UtcTime utc, Instant now)
    {
        if (record.Key.Length == 0 || ValidatorOf(record.Key, options) is not { } validator || !validator.IsValid(record.Key, record.Value))
            return false;
        KadKey key = KadKey.Of(record.Key);
        if (records.TryGetValue(key, out Stored? old))
        {
            bool isSame = old.Record.Value.AsSpan().SequenceEqual(record.Value);
            if (!isSame && !validator.IsBetter(record.Key, record.Value, old.Record.Value))
                return false;
            // Whoever renews a value that is there pays for it no less than who brought it; the first goes on paying.
            if (isSame)
                from = old.From;
        }
        int size = record.Key.Length + record.Value.Length;
        (int ofPeer, int bytesOfPeer) = perPeer.GetValueOrDefault(from);
        if (old?.From == from)
            (ofPeer, bytesOfPeer) = (ofPeer - 1, bytesOfPeer - old.Size);
        if (ofPeer + 1 > RecordsMax / ShareOfPeer || bytesOfPeer + size > BytesMax / ShareOfPeer)
            return false;
        int replaced = old is null ? 0 : 1;
        int freed = old?.Size ?? 0;
        while (Count - replaced >= RecordsMax || Bytes - freed + size > BytesMax)
        {
            KadKey farthest = distances.Max;
            if ((key ^ self).CompareTo(farthest) >= 0)
                return false;
            Remove(records[farthest ^ self]);
        }
        if (old is not null)
            Remove(old);
        var stored = new Stored(key, record with { Received = utc }, from, now + options.RecordValidity);
        records.Add(key, stored);
        distances.Add(key ^ self);
        stored.InAge = byAge.AddLast(stored);
        Bytes += size;
        (ofPeer, bytesOfPeer) = perPeer.GetValueOrDefault(from);
        perPeer[from] = (ofPeer + 1, bytesOfPeer + size);
        return true;
    }

    /// <summary>The value under <paramref name="key"/>; null if there is none.</summary>
    public KadRecord? Find(ReadOnlySpan<byte> key, Instant now) =>
        records.TryGetValue(KadKey.Of(key), out Stored? stored) && stored.LapsesAt > now ? stored.Record : null;

    /// <summary>Forgets the value under <paramref name="key"/>, if there is one.</summary>
    public void Remove(ReadOnlySpan<byte> key)
    {
        if (records.TryGetValue(KadKey.Of(key), out Stored? stored))
            Remove(stored);
    }

    /// <summary>Forgets what has lapsed.</summary>
    public void Advance(Instant now)
    {
        while (byAge.First is { } oldest && oldest.Value.LapsesAt <= now)
            Remove(oldest.Value);
    }

    /// <summary>The ways in agree, and the bounds hold.</summary>
    public void CheckInvariants()
    {
        Invariant.Check(Count <= RecordsMax && Bytes <= BytesMax && distances.Count == Count && byAge.Count == Count);
        Invariant.Check(records.Values.Sum(stored => stored.Size) == Bytes && perPeer.Values.Sum(share => share.Bytes) == Bytes);
        Invariant.Check(perPeer.Values.All(share => share.Records > 0 && share.Bytes <= BytesMax / ShareOfPeer));
    }

    private static readonly AnythingGoes Anything = new();

    private void Remove(Stored stored)
    {
        records.Remove(stored.Key);
        distances.Remove(stored.Key ^ self);
        byAge.Remove(stored.InAge!);
        Bytes -= stored.Size;
        (int ofPeer, int bytesOfPeer) = perPeer[stored.From];
        if (ofPeer == 1)
            perPeer.Remove(stored.From);
        else
            perPeer[stored.From] = (ofPeer - 1, bytesOfPeer - stored.Size);
    }

    private sealed class Stored(KadKey key, KadRecord record, PeerId from, Instant lapsesAt)
    {
        public KadKey Key { get; } = key;

        public KadRecord Record { get; } = record;

        public PeerId From { get; } = from;

        public Instant LapsesAt { get; } = lapsesAt;

        public int Size => Record.Key.Length + Record.Value.Length;

        public LinkedListNode<Stored>? InAge { get; set; }
    }
}
