namespace Drap.Libp2p.Kademlia;

/// <summary>
/// Who provides what, as peers told this server. A record lasts a fixed time and is renewed by its provider. When the store is full,
/// what stands farthest from us goes for what stands nearer: others keep that. Not thread-safe.
/// </summary>
public sealed class ProviderStore
{
    /// <summary>Records in all; with what they hold of addresses about 1.5 KiB each, so at most 48 MiB.</summary>
    public const int RecordsMax = 32 * 1024;

    /// <summary>Records of one provider: an eighth, so that no peer fills the store. More are refused; the provider is found elsewhere.</summary>
    public const int RecordsOfPeerMax = RecordsMax / 8;

    /// <summary>Providers of one content: more than anybody asks for. Then the one that was renewed longest ago goes.</summary>
    public const int RecordsOfKeyMax = 256;

    /// <summary>Addresses kept of a provider; those after them are left out.</summary>
    public const int AddressesMax = 8;

    /// <summary>Bytes of the addresses kept of a provider: eight over relays have about as many. The first that is too much is left out, and those after it.</summary>
    public const int AddressBytesMax = 512;

    private readonly KadKey self;
    private readonly TimeSpan validity;
    private readonly Dictionary<KadKey, LinkedList<Record>> byKey = [];
    private readonly SortedSet<KadKey> distances = [];
    private readonly Dictionary<PeerId, int> perPeer = [];
    private readonly LinkedList<Record> byAge = [];

    /// <summary>An empty store of the server that stands at <paramref name="self"/>.</summary>
    public ProviderStore(KadKey self, TimeSpan validity)
    {
        this.self = self;
        this.validity = validity;
    }

    /// <summary>Records kept.</summary>
    public int Count => byAge.Count;

    /// <summary>When the next record lapses.</summary>
    public Instant NextDeadline => byAge.First is { } oldest ? oldest.Value.LapsesAt : Instant.Never;

    /// <summary>A peer says that it provides <paramref name="key"/>. False if there is no room for it.</summary>
    public bool TryAdd(KadKey key, KadPeer provider, Instant now)
    {
        provider = Trimmed(provider);
        if (!byKey.TryGetValue(key, out LinkedList<Record>? records))
            records = [];
        else if (Find(records, provider.Id) is { } known)
            Remove(known);
        if (perPeer.GetValueOrDefault(provider.Id) >= RecordsOfPeerMax)
            return false;
        if (records.Count >= RecordsOfKeyMax)
            Remove(records.First!.Value);
        if (Count >= RecordsMax)
        {
            KadKey farthest = distances.Max;
            if ((key ^ self) > farthest)
                return false;
            Remove(byKey[farthest ^ self].First!.Value);
        }
        // Removing may have let go of the list, or of its place among the distances.
        if (!byKey.TryGetValue(key, out records))
        {
            byKey.Add(key, records = []);
            distances.Add(key ^ self);
        }
        var record = new Record(key, provider, now + validity);
        record.InKey = records.AddLast(record);
        record.InAge = byAge.AddLast(record);
        perPeer[provider.Id] = perPeer.GetValueOrDefault(provider.Id) + 1;
        return true;
    }

    /// <summary>Who provides <paramref name="key"/>, up to <paramref name="count"/>, those that were renewed last first.</summary>
    public List<KadPeer> Find(KadKey key, int count, Instant now)
    {
        var found = new List<KadPeer>();
        if (!byKey.TryGetValue(key, out LinkedList<Record>? records))
            return found;
        for (LinkedListNode<Record>? node = records.Last; node is not null && found.Count < count; node = node.Previous)
        {
            if (node.Value.LapsesAt > now)
                found.Add(node.Value.Provider);
        }
        return found;
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
        Invariant.Check(Count <= RecordsMax && byKey.Count == distances.Count);
        Invariant.Check(byKey.Values.Sum(records => records.Count) == Count && perPeer.Values.Sum() == Count);
        Invariant.Check(byKey.All(pair => pair.Value.Count is > 0 and <= RecordsOfKeyMax && distances.Contains(pair.Key ^ self)));
        Invariant.Check(perPeer.Values.All(count => count is > 0 and <= RecordsOfPeerMax));
    }

    private static KadPeer Trimmed(KadPeer provider)
    {
        int count = 0;
        for (int bytes = 0; count < Math.Min(provider.Addresses.Length, AddressesMax); count++)
        {
            bytes += provider.Addresses[count].Bytes.Length;
            if (bytes > AddressBytesMax)
                break;
        }
        return count == provider.Addresses.Length ? provider : provider with { Addresses = provider.Addresses[..count] };
    }

    private static Record? Find(LinkedList<Record> records, PeerId provider)
    {
        foreach (Record record in records)
            if (record.Provider.Id == provider)
                return record;
        return null;
    }

    private void Remove(Record record)
    {
        LinkedList<Record> records = byKey[record.Key];
        records.Remove(record.InKey!);
        if (records.Count == 0)
        {
            byKey.Remove(record.Key);
            distances.Remove(record.Key ^ self);
        }
        byAge.Remove(record.InAge!);
        int left = perPeer[record.Provider.Id] - 1;
        if (left == 0)
            perPeer.Remove(record.Provider.Id);
        else
            perPeer[record.Provider.Id] = left;
    }

    private sealed class Record(KadKey key, KadPeer provider, Instant lapsesAt)
    {
        public KadKey Key { get; } = key;

        public KadPeer Provider { get; } = provider;

        public Instant LapsesAt { get; } = lapsesAt;

        public LinkedListNode<Record>? InKey { get; set; }

        public LinkedListNode<Record>? InAge { get; set; }
    }
}
