using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>What one task needs, as people write it.</summary>
public sealed record ResourcesSpec
{
    /// <summary>Cores: <c>2</c>, <c>0.5</c>. Default 1.</summary>
    public Cores Cpu { get; init; } = new(1000);

    /// <summary>Memory: <c>512MiB</c>. Default: none is set aside and none is enforced.</summary>
    public ByteSize Memory { get; init; }

    /// <summary>Disk for the work folder: <c>10GB</c>. Default: none is set aside.</summary>
    public ByteSize Disk { get; init; }

    /// <summary>Network bandwidth, in Mbit/s. Default 0.</summary>
    public long Network { get; init; }

    /// <summary>GPU devices. A bare number is the count. Default: none.</summary>
    public GpuSpec? Gpu { get; init; }

    /// <summary>Countable resources by the name that their owner gave them: <c>{matlab: 1}</c>.</summary>
    public ImmutableSortedDictionary<string, long> Named { get; init; } = JobJson.EmptyMap<long>();

    /// <summary>The bundle as the market sees it.</summary>
    public ResourceRequest ToRequest() => new()
    {
        MilliCpus = Cpu.Milli,
        MemoryBytes = Memory.Bytes,
        DiskBytes = Disk.Bytes,
        NetworkMbps = Network,
        Gpu = Gpu is not { Count: > 0 } ? null : new GpuRequest
        {
            Count = Gpu.Count,
            Share = (int)(Gpu.Fraction.Milli * GpuRequest.WholeShare / 1000),
            Type = Gpu.Type,
            MemoryBytes = Gpu.Memory.Bytes,
        },
        Named = [.. Named.Where(n => n.Value > 0).Select(n => new NamedAmount(n.Key, n.Value))],
    };
}

/// <summary>GPU devices that a task needs.</summary>
[ScalarForm("count")]
public sealed record GpuSpec
{
    /// <summary>How many. Default 1.</summary>
    public int Count { get; init; } = 1;

    /// <summary>A word of the model's name, whatever the case: <c>A100</c>. Default: any.</summary>
    public string? Type { get; init; }

    /// <summary>Memory that each must have. Default: any.</summary>
    public ByteSize Memory { get; init; }

    /// <summary>The share of one device that is enough, from 0.001 to 1; only with a count of 1. Default 1.</summary>
    public Cores Fraction { get; init; } = new(1000);
}
