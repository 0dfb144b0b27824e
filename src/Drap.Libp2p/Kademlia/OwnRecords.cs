namespace Drap.Libp2p.Kademlia;

/// <summary>What this node itself put or provides, and when each is to be said again. Not thread-safe.</summary>
internal sealed class OwnRecords
{
    /// <summary>Contents that a node provides. Renewing one asks about 60 peers: at 22 h that is 13 requests a second.</summary>
    public const int ProvidedMax = 16 * 1024;

    /// <summary>Values that a node puts, of at most 64 KiB each.</summary>
    public const int ValuesMax = 1024;

    private readonly Dictionary<KadKey, Own> own = [];
    private readonly SortedSet<(Instant At, KadKey Key)> due = [];
    private int values;

    /// <summary>When the next is to be said again.</summary>
    public Instant NextDeadline => due.Count > 0 ? due.Min.At : Instant.Never;

    /// <summary>Remembers a content; false if there are too many.</summary>
    public bool TryProvide(byte[] content) => TryAdd(new Own(content, null));

    /// <summary>Remembers a value; false if there are too many.</summary>
    public bool TryPut(byte[] key, byte[] value) => TryAdd(new Own(key, value));

    /// <summary>Says a content or a value no more.</summary>
    public void Remove(byte[] key, bool isValue)
    {
        KadKey at = Place(key, isValue);
        if (!own.Remove(at, out Own? known))
            return;
        due.Remove((known.DueAt, at));
        values -= isValue ? 1 : 0;
    }

    public bool IsProvided(byte[] content) => own.ContainsKey(Place(content, isValue: false));

    public byte[]? Value(byte[] key) => own.GetValueOrDefault(Place(key, isValue: true))?.Value;

    /// <summary>Sets when it is said again; nothing if it is not said at all any more.</summary>
    public void Schedule(byte[] key, bool isValue, Instant at)
    {
        KadKey place = Place(key, isValue);
        if (!own.TryGetValue(place, out Own? known))
            return;
        due.Remove((known.DueAt, place));
        known.DueAt = at;
        due.Add((at, place));
    }

    /// <summary>So many keep a content or a value of ours now.</summary>
    public void SetKept(byte[] key, bool isValue, int by)
    {
        if (own.TryGetValue(Place(key, isValue), out Own? known))
            known.IsKept = by > 0;
    }

    /// <summary>What nobody keeps is to be said at once.</summary>
    public void HurryUnkept(Instant now)
    {
        foreach ((KadKey place, Own record) in own)
        {
            if (record.IsKept)
                continue;
            due.Remove((record.DueAt, place));
            record.DueAt = now;
            due.Add((now, place));
        }
    }

    /// <summary>Takes one that is due; it has to be scheduled again.</summary>
    public bool TryTakeDue(Instant now, out byte[] key, out bool isValue)
    {
        key = [];
        isValue = false;
        if (NextDeadline > now)
            return false;
        (_, KadKey place) = due.Min;
        due.Remove(due.Min);
        key = own[place].Key;
        isValue = own[place].Value is not null;
        return true;
    }

    private bool TryAdd(Own record)
    {
        bool isValue = record.Value is not null;
        KadKey place = Place(record.Key, isValue);
        if (own.TryGetValue(place, out Own? known))
        {
            known.Value = record.Value;
            return true;
        }
        if (isValue ? values >= ValuesMax : own.Count - values >= ProvidedMax)
            return false;
        own.Add(place, record);
        values += isValue ? 1 : 0;
        return true;
    }

    // A content and a value of the same name are different things.
    private static KadKey Place(byte[] key, bool isValue) => KadKey.Of([(byte)(isValue ? 1 : 0), .. key]);

    private sealed class Own(byte[] key, byte[]? value)
    {
        public byte[] Key { get; } = key;

        public byte[]? Value { get; set; } = value;

        public Instant DueAt { get; set; }

        /// <summary>Whether somebody took it when it was said last.</summary>
        public bool IsKept { get; set; }
    }
}
