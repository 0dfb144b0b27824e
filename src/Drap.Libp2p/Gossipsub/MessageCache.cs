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
    private readonly List<GossipMessage>?[] windows = new List<GossipMessage>?[options.HistoryLength];
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
        current = (current + 1) % windows.Length;
        if (windows[current] is not { Count: > 0 } oldest)
            return;
        for (int i = evicted; i < oldest.Count; i++)
            Forget(oldest[i]);
        evicted = 0;
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
                if (ReferenceEquals(window[i].TopicState, topic))
                    into.Add(window[i]);
        }
    }

    private void Evict()
    {
        int at = Oldest();
        List<GossipMessage> window = windows[at]!;
        Forget(window[evicted++]);
        if (evicted < window.Count)
            return;
        evicted = 0;
        windows[at] = at == current ? windows[at] : null;
        if (at == current)
            window.Clear();
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
