using System.Collections.Immutable;

namespace Drap.Core.Market;

/// <summary>Which topics an ad goes to, and which a worker hears, so that an ad reaches about 32 workers whatever the size of the swarm.</summary>
public static class Audience
{
    /// <summary>The region that everyone hears: the last rung of a climb.</summary>
    public const string GlobalRegion = "global";

    /// <summary>
    /// Where an ad goes, narrowest first: the shard of the right level, then each time one that is four times as wide, then all of the job's
    /// other regions, in their order, then everyone.
    /// </summary>
    /// <param name="taskClass">See <see cref="Topics.ClassOf"/>.</param>
    /// <param name="regions">The job's regions, the nearest first; at least one.</param>
    /// <param name="workers">How many workers the nearest region is thought to have.</param>
    /// <param name="bits">A number below 2^16 whose first bits choose the shard: a new one for each ad spreads the load.</param>
    public static ImmutableArray<string> Climb(string taskClass, ImmutableArray<string> regions, int workers, int bits)
    {
        var rungs = ImmutableArray.CreateBuilder<string>();
        for (int level = Topics.LevelFor(workers); level >= 0; level -= 2)
            rungs.Add(Topics.Name(taskClass, regions[0], Topics.ShardAt((bits & 0xffff) >> (Topics.LevelMax - level), level)));
        for (int i = 1; i < regions.Length; i++)
            rungs.Add(Topics.Name(taskClass, regions[i], Topics.ShardAt(0, 0)));
        rungs.Add(Topics.Name(taskClass, GlobalRegion, Topics.ShardAt(0, 0)));
        return rungs.ToImmutable();
    }

    /// <summary>
    /// What a worker hears, ordered: of each class that it could serve its own shard at each level up to one finer than the right one (the
    /// wide ones carry only what climbed), more shards of the two finest the larger it is, and <c>global/all</c>. A full worker hears only
    /// its own shards.
    /// </summary>
    public static ImmutableArray<string> Heard(PeerId self, NodeResources node, string region, int workers, bool isFull)
    {
        int right = Topics.LevelFor(workers);
        // A swarm that has no shards yet has nothing finer to hear.
        int finest = right == 0 ? 0 : Math.Min(right + 2, Topics.LevelMax);
        int leaves = isFull ? 1 : Topics.LeavesFor(ComputeUnits(node));
        int own = OwnBits(self);
        var heard = new SortedSet<string>(StringComparer.Ordinal);
        foreach (string taskClass in Topics.ClassesOf(node))
        {
            for (int level = 0; level <= finest; level += 2)
            {
                int shards = 1 << level;
                int count = level >= right ? Math.Min(leaves, shards) : 1;
                for (int i = 0; i < count; i++)
                    heard.Add(Topics.Name(taskClass, region, Topics.ShardAt(((own >> (Topics.LevelMax - level)) + i) & (shards - 1), level)));
            }
            heard.Add(Topics.Name(taskClass, GlobalRegion, Topics.ShardAt(0, 0)));
        }
        return [.. heard];
    }

    /// <summary>A worker's size: a unit for each core, four for each device.</summary>
    public static long ComputeUnits(NodeResources node) => node.MilliCpus / 1000 + node.Gpus.Length * 4L;

    /// <summary>The first sixteen bits of a peer's key.</summary>
    private static int OwnBits(PeerId peer)
    {
        string shard = Topics.ShardOf(peer, Topics.LevelMax);
        return Convert.ToInt32(shard[(shard.IndexOf('-', StringComparison.Ordinal) + 1)..], 2);
    }
}
