using System.Collections.Immutable;

namespace Drap.Core;

/// <summary>What a task asks for: the bundle that is priced and packed as one. All amounts are integers; none is negative.</summary>
public sealed record ResourceRequest
{
    /// <summary>The largest amount in any dimension: 2^53, so that 1 000 of them add up without overflow.</summary>
    public const long AmountMax = 1L << 53;

    /// <summary>The most named resources in one bundle: more would be an attribute list, not a bundle.</summary>
    public const int NamedMax = 16;

    /// <summary>Processor time, in thousandths of a core.</summary>
    public long MilliCpus { get; init; } = 1000;

    /// <summary>Memory, in bytes; 0 asks for none to be set aside and none to be enforced.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Disk for the work folder, in bytes; 0 asks for none to be set aside.</summary>
    public long DiskBytes { get; init; }

    /// <summary>Network bandwidth, in Mbit/s.</summary>
    public long NetworkMbps { get; init; }

    /// <summary>The devices; null asks for none.</summary>
    public GpuRequest? Gpu { get; init; }

    /// <summary>Named countable resources (licences, instruments), ordered by name; units are the owner's.</summary>
    public ImmutableArray<NamedAmount> Named { get; init; } = [];

    /// <inheritdoc/>
    public bool Equals(ResourceRequest? other) =>
        other is not null && MilliCpus == other.MilliCpus && MemoryBytes == other.MemoryBytes && DiskBytes == other.DiskBytes
        && NetworkMbps == other.NetworkMbps && Gpu == other.Gpu && Named.AsSpan().SequenceEqual(other.Named.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(MilliCpus, MemoryBytes, DiskBytes, NetworkMbps, Gpu, Named.Length);
}

/// <summary>An amount of a resource that only its name describes.</summary>
/// <param name="Name">As the owner declared it.</param>
/// <param name="Amount">Whole units.</param>
public readonly record struct NamedAmount(string Name, long Amount);

/// <summary>GPU devices that a task asks for: whole ones, or a part of one.</summary>
public sealed record GpuRequest
{
    /// <summary>Parts of a device: a share is counted in ten-thousandths.</summary>
    public const int WholeShare = 10_000;

    /// <summary>How many devices; 1 when <see cref="Share"/> is less than a whole.</summary>
    public int Count { get; init; } = 1;

    /// <summary>The share of each, in ten-thousandths; <see cref="WholeShare"/> unless a fraction was asked for.</summary>
    public int Share { get; init; } = WholeShare;

    /// <summary>A word that the device's model name must contain, whatever the case (<c>A100</c>); null takes any.</summary>
    public string? Type { get; init; }

    /// <summary>Memory that each device must have, in bytes.</summary>
    public long MemoryBytes { get; init; }
}
