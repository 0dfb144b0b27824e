using System.Collections.Immutable;

namespace Drap.Core.Market.Allocation;

/// <summary>
/// Where an ad goes: to a shard that has about as many workers as are to answer, a wider one each time that it was in vain, at last to everyone
/// (design 5, audience). Not thread-safe.
/// </summary>
internal sealed class Reach(Prng prng)
{
    private readonly SortedDictionary<string, int> sizes = new(StringComparer.Ordinal);

    /// <summary>So many workers are thought to be in a region, or in the whole swarm.</summary>
    public void SetSize(string region, int workers) => sizes[region] = Math.Max(workers, 0);

    /// <summary>Whether anything was said of a region.</summary>
    public bool Knows(string region) => sizes.ContainsKey(region);

    /// <summary>Most answers that are called for: more than any swarm has workers.</summary>
    private const long CallsMax = 1L << 40;

    /// <summary>How far a group has climbed whose ads were in vain so often: a rung each time.</summary>
    public int StepsOf(TopicLine line, int widened) => Knows(line.Region) ? widened : 0;

    /// <summary>
    /// Places that are called for: each time that it was in vain twice as many; where the audience grows fourfold with each rung, eight times as many,
    /// so that a greater part of it is called.
    /// </summary>
    public long CallsOf(TopicLine line, int pending, int widened) =>
        Math.Min((long)pending << Math.Min(Knows(line.Region) ? 3 * widened : widened, 40), CallsMax);

    /// <summary>Where an ad goes, and who is expected to hear it.</summary>
    /// <param name="line">What it belongs to.</param>
    /// <param name="wanted">Places that it calls for.</param>
    /// <param name="steps">How far it has climbed.</param>
    public Audible For(TopicLine line, long wanted, int steps)
    {
        if (!sizes.TryGetValue(line.Region, out int here))
            return new Audible(line.Topic, line.Members.Length, line.Members, IsWidest: true);
        int everywhere = sizes.GetValueOrDefault(Audience.GlobalRegion);
        int level = Topics.LevelFor(here);
        // Many tasks need more hearers than one: a shard that cannot answer for all of them is not begun with.
        while (level > 0 && here >> level < Math.Min(wanted, here) * AdBook.AnswersPermille / 1000)
            level -= 2;
        level -= 2 * steps;
        if (here == 0 || (level < 0 && everywhere > here))
            return new Audible(Topics.Name(line.Class, Audience.GlobalRegion, Topics.ShardAt(0, 0)), everywhere, [], IsWidest: true);
        level = Math.Max(level, 0);
        if (level == 0)
            return new Audible(line.Topic, line.Members.IsEmpty ? here : line.Members.Length, line.Members, IsWidest: everywhere <= here);
        return new Audible(Topics.Name(line.Class, line.Region, Topics.ShardAt(prng.Below(1 << level), level)), here >> level, [], IsWidest: false);
    }
}

/// <summary>Who hears an ad.</summary>
/// <param name="Topic">Where it goes.</param>
/// <param name="Count">How many are thought to hear it.</param>
/// <param name="Members">Who they are, where each is known; else empty.</param>
/// <param name="IsWidest">Whether there is no wider audience.</param>
internal readonly record struct Audible(string Topic, int Count, ImmutableArray<PeerId> Members, bool IsWidest);
