using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Drap.Core.Market;

/// <summary>
/// The topics on which ads are published: <c>/drap/1.0.0/tasks/{class}/{region}/{shard}</c>. The class follows from the request, the
/// shard is a prefix of the worker's Kademlia key, so that about <see cref="AudienceAim"/> workers hear an ad however large the swarm is
/// (design 5, audience).
/// </summary>
public static class Topics
{
    /// <summary>Workers that one ad should reach: five willing answers among them, for most tasks.</summary>
    public const int AudienceAim = 32;

    /// <summary>The deepest level: 65 536 shards, enough for two million workers.</summary>
    public const int LevelMax = 16;

    private const long HighMemoryPerCore = 8L << 30;

    /// <summary>The class of a request: <c>gpu</c>; <c>highmem</c> above 8 GiB a core; else <c>cpu</c>.</summary>
    public static string ClassOf(ResourceRequest request) =>
        request.Gpu is not null ? "gpu"
        : (Int128)request.MemoryBytes * 1000 > (Int128)HighMemoryPerCore * Math.Max(request.MilliCpus, 1) ? "highmem" : "cpu";

    /// <summary>The classes that a node could serve: tasks of few cores and much memory fit on any.</summary>
    public static ImmutableArray<string> ClassesOf(NodeResources resources) =>
        resources.Gpus.IsEmpty ? ["cpu", "highmem"] : ["cpu", "gpu", "highmem"];

    /// <summary>The level at which a swarm of <paramref name="workers"/> has about <see cref="AudienceAim"/> of them in each shard: 0, 2, 4 … 16.</summary>
    public static int LevelFor(int workers)
    {
        int level = 0;
        while (level < LevelMax && workers >> (level + 2) >= AudienceAim)
            level += 2;
        return level;
    }

    /// <summary>How many shards of its level a worker hears, by its size in compute units (a core, or a quarter of a GPU): 1, 4, 16 or 64.</summary>
    public static int LeavesFor(long computeUnits) => computeUnits switch
    {
        <= 10 => 1,
        <= 50 => 4,
        <= 200 => 16,
        _ => 64,
    };

    /// <summary>The shard of a peer at a level: <c>all</c> at level 0, else the first bits of sha2-256 of its id as <c>LEVEL-BITS</c>.</summary>
    public static string ShardOf(PeerId peer, int level)
    {
        if (level == 0)
            return "all";
        Span<byte> key = stackalloc byte[32];
        SHA256.HashData(peer.Bytes, key);
        return ShardAt(((key[0] << 8) | key[1]) >> (LevelMax - level), level);
    }

    /// <summary>The shard with these bits.</summary>
    public static string ShardAt(int bits, int level) =>
        level == 0 ? "all" : string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{level}-{Convert.ToString(bits, 2).PadLeft(level, '0')}");

    /// <summary>The name of a topic.</summary>
    public static string Name(string taskClass, string region, string shard) => $"/drap/1.0.0/tasks/{taskClass}/{region}/{shard}";

    /// <summary>The class (0), the region (1) or the shard (2) of a topic's name; empty of anything else.</summary>
    public static string PartOf(string topic, int part)
    {
        string[] parts = topic.Split('/');
        return parts.Length == 7 ? parts[4 + part] : "";
    }

    /// <summary>Where a request is advertised in a region whose workers all hear level 0.</summary>
    public static string ForTask(ResourceRequest request, string region) => Name(ClassOf(request), region, "all");

    /// <summary>What a worker of a region hears at level 0, in order.</summary>
    public static ImmutableArray<string> ForWorker(NodeResources resources, string region) =>
        [.. ClassesOf(resources).Select(c => Name(c, region, "all"))];
}
