using System.Text;
using System.Text.Unicode;

namespace Drap.Libp2p.Gossipsub;

/// <summary>The topics that we or our peers have to do with, found by the bytes of their names as they come, without making a string of them.</summary>
internal sealed class TopicTable
{
    private readonly Dictionary<byte[], TopicState> byName;
    private readonly Dictionary<byte[], TopicState>.AlternateLookup<ReadOnlySpan<byte>> lookup;
    private readonly List<TopicState> ours = [];
    private readonly GossipOptions options;

    public TopicTable(GossipOptions options, SipHash hash)
    {
        this.options = options;
        byName = new Dictionary<byte[], TopicState>(new NameComparer(hash));
        lookup = byName.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    /// <summary>Those that we hear or publish to, in no order that means anything, but the same in each run.</summary>
    public IReadOnlyList<TopicState> Ours => ours;

    public int Count => byName.Count;

    public TopicState? Find(ReadOnlySpan<byte> name) => lookup.TryGetValue(name, out TopicState? topic) ? topic : null;

    public TopicState? Find(string name)
    {
        int length = Encoding.UTF8.GetByteCount(name);
        if (length > options.Limits.TopicBytesMax)
            return null;
        Span<byte> utf8 = length <= 256 ? stackalloc byte[length] : new byte[length];
        Encoding.UTF8.GetBytes(name, utf8);
        return Find(utf8);
    }

    /// <summary>The topic of that name, made if it is new; null if no topic can have the name.</summary>
    public TopicState? FindOrAdd(ReadOnlySpan<byte> name)
    {
        if (lookup.TryGetValue(name, out TopicState? topic))
            return topic;
        if (name.IsEmpty || name.Length > options.Limits.TopicBytesMax || !Utf8.IsValid(name))
            return null;
        byte[] utf8 = name.ToArray();
        TopicScoreOptions? score = options.Score.Topics.IsEmpty ? options.Score.DefaultTopic : options.Score.Of(Encoding.UTF8.GetString(utf8));
        topic = new TopicState(utf8, score);
        byName.Add(utf8, topic);
        return topic;
    }

    public TopicState? FindOrAdd(string name) => FindOrAdd(Encoding.UTF8.GetBytes(name));

    /// <summary>A topic that is ours or may become ours; null if no topic can have the name, or there are too many.</summary>
    public TopicState? OursOrNew(string name)
    {
        TopicState? topic = Find(name);
        return topic is { IsOurs: true } ? topic : ours.Count < options.Limits.TopicsMax ? topic ?? FindOrAdd(name) : null;
    }

    /// <summary>Takes note of a change in <see cref="TopicState.IsOurs"/>.</summary>
    public void Changed(TopicState topic)
    {
        int at = ours.IndexOf(topic);
        if (topic.IsOurs && at < 0)
        {
            ours.Add(topic);
        }
        else if (!topic.IsOurs && at >= 0)
        {
            ours[at] = ours[^1];
            ours.RemoveAt(ours.Count - 1);
        }
        Release(topic);
    }

    /// <summary>Forgets a topic with which nobody has to do any more.</summary>
    public void Release(TopicState topic)
    {
        if (!topic.IsOurs && topic.Links == 0)
            byName.Remove(topic.Utf8Array);
    }

    /// <summary>Gives back memory after there were many more topics than there are.</summary>
    public void Trim()
    {
        if (byName.Capacity > 256 && byName.Count < byName.Capacity / 8)
            byName.TrimExcess();
    }

    private sealed class NameComparer(SipHash hash) : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(byte[] obj) => (int)hash.Of(obj).Low;

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate) => (int)hash.Of(alternate).Low;

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
    }
}
