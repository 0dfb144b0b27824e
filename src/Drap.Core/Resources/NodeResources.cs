using System.Collections.Immutable;

namespace Drap.Core;

/// <summary>What a worker owns and lets be used.</summary>
public sealed record NodeResources
{
    /// <summary>Processor time, in thousandths of a core.</summary>
    public long MilliCpus { get; init; }

    /// <summary>Memory, in bytes.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Disk for work folders, in bytes.</summary>
    public long DiskBytes { get; init; }

    /// <summary>Network bandwidth, in Mbit/s.</summary>
    public long NetworkMbps { get; init; }

    /// <summary>Devices, in the order of their indices.</summary>
    public ImmutableArray<GpuDevice> Gpus { get; init; } = [];

    /// <summary>Named countable resources, ordered by name.</summary>
    public ImmutableArray<NamedAmount> Named { get; init; } = [];

    /// <summary>
    /// So many bundles fit an empty node at most; 0 if not even one does. Where bundles share devices unevenly it may be more than really fit:
    /// it is for telling what cannot be, not for packing.
    /// </summary>
    public int CopiesMax(ResourceRequest request)
    {
        var empty = new ResourcePool(this);
        if (!empty.Fits(request))
            return 0;
        long copies = int.MaxValue;
        Bound(MilliCpus, request.MilliCpus);
        Bound(MemoryBytes, request.MemoryBytes);
        Bound(DiskBytes, request.DiskBytes);
        Bound(NetworkMbps, request.NetworkMbps);
        foreach (NamedAmount wanted in request.Named)
            foreach (NamedAmount owned in Named)
                if (owned.Name == wanted.Name)
                    Bound(owned.Amount, wanted.Amount);
        if (request.Gpu is { } gpu)
            Bound((long)Gpus.Length * (GpuRequest.WholeShare / gpu.Share), gpu.Count);
        return (int)copies;

        void Bound(long owned, long wanted)
        {
            if (wanted > 0)
                copies = Math.Min(copies, owned / wanted);
        }
    }

    /// <inheritdoc/>
    public bool Equals(NodeResources? other) =>
        other is not null && MilliCpus == other.MilliCpus && MemoryBytes == other.MemoryBytes && DiskBytes == other.DiskBytes
        && NetworkMbps == other.NetworkMbps && Gpus.AsSpan().SequenceEqual(other.Gpus.AsSpan())
        && Named.AsSpan().SequenceEqual(other.Named.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(MilliCpus, MemoryBytes, DiskBytes, NetworkMbps, Gpus.Length, Named.Length);
}

/// <summary>One GPU.</summary>
/// <param name="Index">The index that the task sees in <c>CUDA_VISIBLE_DEVICES</c>.</param>
/// <param name="Model">The vendor's name of it.</param>
/// <param name="MemoryBytes">Its memory, in bytes.</param>
public sealed record GpuDevice(int Index, string Model, long MemoryBytes);

/// <summary>Where a node stands and what it is, for constraints.</summary>
public sealed record NodeTraits
{
    /// <summary>Free words that a job may ask for or avoid, ordered: <c>ssd</c>, <c>rack=7</c>.</summary>
    public ImmutableArray<string> Labels { get; init; } = [];

    /// <summary>The region; <c>local</c> on a machine on its own.</summary>
    public string Region { get; init; } = "local";

    /// <summary>A place within the region; empty if unsaid.</summary>
    public string Zone { get; init; } = "";

    /// <summary>The processor's architecture as uname has it: <c>x86_64</c>, <c>aarch64</c>.</summary>
    public string Architecture { get; init; } = "";

    /// <summary>The processor's model name; empty if unknown.</summary>
    public string CpuModel { get; init; } = "";

    /// <summary>Drivers that the node runs, ordered: <c>process</c>, <c>dotnet</c>.</summary>
    public ImmutableArray<string> Drivers { get; init; } = [];

    /// <summary>Names of the handlers that its <c>dotnet</c> driver has, ordered.</summary>
    public ImmutableArray<string> Handlers { get; init; } = [];
}
