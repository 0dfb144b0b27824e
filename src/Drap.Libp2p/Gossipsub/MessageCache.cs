namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// The messages of the last heartbeats (the specification's <c>mcache</c>), by window, and those under way to it: whose check or verdict is awaited. So one
/// look-up says all that is known of a message beyond that it was seen.
/// </summary>
internal sealed class MessageCache(GossipOptions options)
{
    // A window that was large once and is small now gives its memory back.
    private const int KeptCapacity = 256;

    private readonly Dictionary<MessageKey, GossipMessage> byKey = [];
    private readonly List<GossipMessage?>?[] windows = new List<GossipMessage?>?[options.HistoryLength];
    private int current;
    private int evicted;

    /// <summary>Messages in the windows.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of their frames.</summary>
    public long Bytes { get; private set; }

    public bool IsEmpty => byKey.Count == 0 && Count == 0;

    public GossipMessage? Find(MessageKey key) => byKey.GetValueOrDefault(key);

    /// <summary>Takes note of a message whose check or verdict is awaited, in front of its rivals.</summary>
    public void Await(GossipMessage message)
    {
        message.Rival = byKey.GetValueOrDefault(message.Key);
        byKey[message.Key] = message;
    }

    /// <summary>Forgets such a message, and leaves its rivals.</summary>
    public void Release(GossipMessage message)
    {
        if (!byKey.TryGetValue(message.Key, out GossipMessage? first))
            return;
        if (!ReferenceEquals(first, message))
        {
            for (GossipMessage at = first; at.Rival is not null; at = at.Rival)
            {
                if (!ReferenceEquals(at.Rival, message))
                    continue;
                at.Rival = message.Rival;
                break;
            }
        }
        else if (message.Rival is null)
        {
            byKey.Remove(message.Key);
        }
        else
        {
            byKey[message.Key] = message.Rival;
        }
        message.Rival = null;
    }

    /// <summary>Puts an accepted message into the newest window; beyond the limits the oldest goes.</summary>
    public void Put(GossipMessage message)
    {
        byKey[message.Key] = message;
        (windows[current] ??= []).Add(message);
        Count++;
        Bytes += message.Content.Frame.Length;
        while ((Count > options.Limits.CacheMessagesMax || Bytes > options.Limits.CacheBytesMax) && Count > 1)
            Evict();
    }

    /// <summary>Begins a new window and forgets the oldest.</summary>
    public void Shift()
    {
        if (byKey.Capacity > 4 * KeptCapacity && byKey.Count < byKey.Capacity / 8)
            byKey.TrimExcess();
        current = (current + 1) % windows.Length;
        if (windows[current] is not { } oldest)
            return;
        if (oldest.Count > 0)
        {
            for (int i = evicted; i < oldest.Count; i++)
                Forget(oldest[i]!);
            evicted = 0;
        }
        if (oldest.Capacity > KeptCapacity)
            windows[current] = null;
        else
            oldest.Clear();
    }

    /// <summary>Gives the messages of a topic that gossip tells of, newest window first.</summary>
    public void Gossip(TopicState topic, List<GossipMessage> into)
    {
        for (int age = 0; age < options.HistoryGossip; age++)
        {
            int at = (current - age + windows.Length) % windows.Length;
            if (windows[at] is not { } window)
                continue;
            for (int i = at == Oldest() ? evicted : 0; i < window.Count; i++)
                if (ReferenceEquals(window[i]!.TopicState, topic))
                    into.Add(window[i]!);
        }
    }

    private void Evict()
    {
        List<GossipMessage?> window = windows[Oldest()]!;
        Forget(window[evicted]!);
        window[evicted++] = null;
        // Those that are gone are taken out of the list now and then, so that each costs a constant share of moving the rest.
        if (evicted < window.Count && (evicted < KeptCapacity || evicted < window.Count / 2))
            return;
        window.RemoveRange(0, evicted);
        evicted = 0;
    }

    /// <summary>The oldest window with anything in it. Only of it the first ones may be gone.</summary>
    private int Oldest()
    {
        for (int age = windows.Length - 1; age > 0; age--)
        {
            int at = (current - age + windows.Length) % windows.Length;
            if (windows[at] is { Count: > 0 })
                return at;
        }
        return current;
    }

    private void Forget(GossipMessage message)
    {
        Count--;
        Bytes -= message.Content.Frame.Length;
        if (byKey.GetValueOrDefault(message.Key) is { } held && ReferenceEquals(held, message))
            byKey.Remove(message.Key);
    }
}
