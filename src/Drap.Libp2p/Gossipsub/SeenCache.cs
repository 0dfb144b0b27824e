namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// The message ids of the last while (the specification's <c>seen</c>). A ring of keys in the order in which they came, and a table of
/// open addresses over it: 40 bytes a message at its fullest, next to nothing while it is empty.
/// </summary>
/// <param name="countMax">At this many the oldest is forgotten before its time: a copy of it that is still on its way is then taken once more.</param>
internal sealed class SeenCache(int countMax)
{
    private const int Smallest = 32;

    private Entry[] ring = [];
    // Positions in the ring plus one; 0 is free. Twice as long as the ring, so that probes stay short.
    private int[] table = [];
    private int head;

    /// <summary>Ids held.</summary>
    public int Count { get; private set; }

    public bool Contains(MessageKey key) => Count > 0 && table[Slot(key)] != 0;

    /// <summary>Whether it was seen and the application found it invalid.</summary>
    public bool WasRejected(MessageKey key) => Count > 0 && table[Slot(key)] is > 0 and int at && ring[at - 1].Rejected;

    /// <summary>Takes an id in; false if it is there.</summary>
    public bool Add(MessageKey key, Instant now)
    {
        if (Contains(key))
            return false;
        if (Count == countMax)
            RemoveOldest();
        else if (Count == ring.Length)
            Resize(Math.Min(Math.Max(Smallest, ring.Length * 2), RoundUp(countMax)));
        int at = (head + Count) & (ring.Length - 1);
        ring[at] = new Entry(key, now);
        table[Slot(key)] = at + 1;
        Count++;
        return true;
    }

    public void Reject(MessageKey key)
    {
        if (Count > 0 && table[Slot(key)] is > 0 and int at)
            ring[at - 1].Rejected = true;
    }

    /// <summary>Forgets what came before <paramref name="since"/>, and gives back memory that is no longer needed.</summary>
    public void Expire(Instant since)
    {
        while (Count > 0 && ring[head].At < since)
            RemoveOldest();
        if (ring.Length > Smallest && Count < ring.Length / 8)
            Resize(Math.Max(Smallest, ring.Length / 4));
    }

    private void RemoveOldest()
    {
        RemoveSlot(Slot(ring[head].Key));
        head = (head + 1) & (ring.Length - 1);
        Count--;
    }

    /// <summary>The place of a key in the table: where it is, or the free one where it would go.</summary>
    private int Slot(MessageKey key)
    {
        int mask = table.Length - 1;
        int slot = (int)key.High & mask;
        while (table[slot] is int at and not 0 && !ring[at - 1].Key.Equals(key))
            slot = (slot + 1) & mask;
        return slot;
    }

    // What stands behind the gap moves into it unless it would stand before its own place then (Knuth, 6.4, algorithm R): no tombstones.
    private void RemoveSlot(int gap)
    {
        int mask = table.Length - 1;
        for (int slot = (gap + 1) & mask; table[slot] != 0; slot = (slot + 1) & mask)
        {
            int wanted = (int)ring[table[slot] - 1].Key.High & mask;
            if (((slot - wanted) & mask) < ((slot - gap) & mask))
                continue;
            table[gap] = table[slot];
            gap = slot;
        }
        table[gap] = 0;
    }

    private void Resize(int size)
    {
        var larger = new Entry[size];
        for (int i = 0; i < Count; i++)
            larger[i] = ring[(head + i) & (ring.Length - 1)];
        ring = larger;
        head = 0;
        table = new int[size * 2];
        for (int i = 0; i < Count; i++)
            table[Slot(ring[i].Key)] = i + 1;
    }

    private static int RoundUp(int count) => (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count);

    private struct Entry(MessageKey key, Instant at)
    {
        public readonly MessageKey Key = key;
        public readonly Instant At = at;
        public bool Rejected;
    }
}
