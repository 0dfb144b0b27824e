using System.Collections.Immutable;

namespace Drap.Node.Overlay;

/// <summary>The topics that a node watches, and who it was told hears them: it is told again only when that changes.</summary>
internal sealed class AudienceBook(IOverlayEvents events, Func<string, IEnumerable<PeerId>> hearers)
{
    /// <summary>Topics that may be watched: as many as a router knows. Watching more is the caller's mistake.</summary>
    private const int TopicsMax = 4096;

    private readonly Lock gate = new();
    private readonly Dictionary<string, ImmutableArray<PeerId>> told = new(StringComparer.Ordinal);

    /// <summary>The topics that are watched.</summary>
    public ImmutableArray<string> Topics
    {
        get
        {
            lock (gate)
                return [.. told.Keys];
        }
    }

    /// <summary>Watches a topic, and tells who hears it; false if it is watched already.</summary>
    public bool Watch(string topic)
    {
        // Told under the lock, so that a later audience never comes before an earlier one.
        lock (gate)
        {
            if (told.ContainsKey(topic))
                return false;
            Invariant.Check(told.Count < TopicsMax);
            Tell(topic, [.. hearers(topic).Order()]);
            return true;
        }
    }

    /// <summary>Looks who hears a topic now.</summary>
    public void Look(string topic)
    {
        lock (gate)
        {
            if (!told.TryGetValue(topic, out ImmutableArray<PeerId> before))
                return;
            ImmutableArray<PeerId> now = [.. hearers(topic).Order()];
            if (!now.AsSpan().SequenceEqual(before.AsSpan()))
                Tell(topic, now);
        }
    }

    /// <summary>Looks who hears any topic now.</summary>
    public void LookAtAll()
    {
        foreach (string topic in Topics)
            Look(topic);
    }

    public bool IsWatched(string topic)
    {
        lock (gate)
            return told.ContainsKey(topic);
    }

    private void Tell(string topic, ImmutableArray<PeerId> members)
    {
        told[topic] = members;
        events.Audience(topic, members);
    }
}
