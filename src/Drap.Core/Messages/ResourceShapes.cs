using System.Collections.Immutable;
using Drap.Core.Cbor;

namespace Drap.Core.Messages;

internal readonly struct ResourceRequestShape : IShape<ResourceRequest>
{
    public static ResourceRequest Blank { get; } = new();

    public static ResourceRequest Walk<TFields>(scoped ref TFields f, ResourceRequest m)
        where TFields : IFields, allows ref struct
    {
        long milliCpus = f.LongOr(1, nameof(m.MilliCpus), m.MilliCpus, 1000, 0, ResourceRequest.AmountMax);
        long memory = f.LongOr(2, nameof(m.MemoryBytes), m.MemoryBytes, 0, 0, ResourceRequest.AmountMax);
        long disk = f.LongOr(3, nameof(m.DiskBytes), m.DiskBytes, 0, 0, ResourceRequest.AmountMax);
        long network = f.LongOr(4, nameof(m.NetworkMbps), m.NetworkMbps, 0, 0, ResourceRequest.AmountMax);
        GpuRequest? gpu = f.RecordOrNull<GpuRequest, GpuRequestShape>(5, nameof(m.Gpu), m.Gpu);
        var named = f.List<NamedAmount, NamedAmountShape>(6, nameof(m.Named), m.Named, ResourceRequest.NamedMax);
        f.Check(NamedAmountShape.AreOrdered(named), nameof(m.Named), NamedAmountShape.Rule);
        return !f.Reads ? m : new ResourceRequest
        {
            MilliCpus = milliCpus, MemoryBytes = memory, DiskBytes = disk, NetworkMbps = network, Gpu = gpu, Named = named,
        };
    }
}

internal readonly struct GpuRequestShape : IShape<GpuRequest>
{
    private const int CountMax = 1024;

    public static GpuRequest Blank { get; } = new();

    public static GpuRequest Walk<TFields>(scoped ref TFields f, GpuRequest m)
        where TFields : IFields, allows ref struct
    {
        int count = f.IntOr(1, nameof(m.Count), m.Count, 1, 1, CountMax);
        int share = f.IntOr(2, nameof(m.Share), m.Share, GpuRequest.WholeShare, 1, GpuRequest.WholeShare);
        string? type = f.TextOrNull(3, nameof(m.Type), m.Type, CborLimits.NameBytes);
        long memory = f.LongOr(4, nameof(m.MemoryBytes), m.MemoryBytes, 0, 0, ResourceRequest.AmountMax);
        f.Check(share == GpuRequest.WholeShare || count == 1, nameof(m.Share), "10000 when count is more than 1");
        return !f.Reads ? m : new GpuRequest { Count = count, Share = share, Type = type, MemoryBytes = memory };
    }
}

internal readonly struct NamedAmountShape : IShape<NamedAmount>
{
    public const string Rule = "ordered by name, each name once";

    public static NamedAmount Blank => new("", 0);

    public static NamedAmount Walk<TFields>(scoped ref TFields f, NamedAmount m)
        where TFields : IFields, allows ref struct
    {
        string name = f.Text(1, nameof(m.Name), m.Name, CborLimits.NameBytes);
        long amount = f.Long(2, nameof(m.Amount), m.Amount, 0, ResourceRequest.AmountMax);
        return !f.Reads ? m : new NamedAmount(name, amount);
    }

    public static bool AreOrdered(ImmutableArray<NamedAmount> named)
    {
        ReadOnlySpan<NamedAmount> span = named.AsSpan();
        for (int i = 1; i < span.Length; i++)
            if (string.CompareOrdinal(span[i - 1].Name, span[i].Name) >= 0)
                return false;
        return true;
    }
}

internal readonly struct NodeResourcesShape : IShape<NodeResources>
{
    private const int GpusMax = 1024;
    private const int NamedMax = 256;

    public static NodeResources Blank { get; } = new();

    public static NodeResources Walk<TFields>(scoped ref TFields f, NodeResources m)
        where TFields : IFields, allows ref struct
    {
        long milliCpus = f.LongOr(1, nameof(m.MilliCpus), m.MilliCpus, 0, 0, ResourceRequest.AmountMax);
        long memory = f.LongOr(2, nameof(m.MemoryBytes), m.MemoryBytes, 0, 0, ResourceRequest.AmountMax);
        long disk = f.LongOr(3, nameof(m.DiskBytes), m.DiskBytes, 0, 0, ResourceRequest.AmountMax);
        long network = f.LongOr(4, nameof(m.NetworkMbps), m.NetworkMbps, 0, 0, ResourceRequest.AmountMax);
        var gpus = f.List<GpuDevice, GpuDeviceShape>(5, nameof(m.Gpus), m.Gpus, GpusMax);
        f.Check(GpuDeviceShape.AreOrdered(gpus), nameof(m.Gpus), GpuDeviceShape.Rule);
        var named = f.List<NamedAmount, NamedAmountShape>(6, nameof(m.Named), m.Named, NamedMax);
        f.Check(NamedAmountShape.AreOrdered(named), nameof(m.Named), NamedAmountShape.Rule);
        return !f.Reads ? m : new NodeResources
        {
            MilliCpus = milliCpus, MemoryBytes = memory, DiskBytes = disk, NetworkMbps = network, Gpus = gpus, Named = named,
        };
    }
}

internal readonly struct GpuDeviceShape : IShape<GpuDevice>
{
    public const string Rule = "ordered by index, each index once";

    private const int IndexMax = 65_535;

    public static GpuDevice Blank { get; } = new(0, "", 0);

    public static GpuDevice Walk<TFields>(scoped ref TFields f, GpuDevice m)
        where TFields : IFields, allows ref struct
    {
        int index = f.Int(1, nameof(m.Index), m.Index, 0, IndexMax);
        string model = f.TextOrEmpty(2, nameof(m.Model), m.Model, CborLimits.NameBytes);
        long memory = f.Long(3, nameof(m.MemoryBytes), m.MemoryBytes, 0, ResourceRequest.AmountMax);
        return !f.Reads ? m : new GpuDevice(index, model, memory);
    }

    public static bool AreOrdered(ImmutableArray<GpuDevice> devices)
    {
        ReadOnlySpan<GpuDevice> span = devices.AsSpan();
        for (int i = 1; i < span.Length; i++)
            if (span[i - 1].Index >= span[i].Index)
                return false;
        return true;
    }
}

internal readonly struct NodeTraitsShape : IShape<NodeTraits>
{
    private const int LabelsMax = 256;
    private const int DriversMax = 32;
    private const int HandlersMax = 1024;

    public static NodeTraits Blank { get; } = new();

    public static NodeTraits Walk<TFields>(scoped ref TFields f, NodeTraits m)
        where TFields : IFields, allows ref struct
    {
        var labels = Words.Walk(ref f, 1, nameof(m.Labels), m.Labels, LabelsMax);
        string region = f.TextOrEmpty(2, nameof(m.Region), m.Region, CborLimits.NameBytes);
        string zone = f.TextOrEmpty(3, nameof(m.Zone), m.Zone, CborLimits.NameBytes);
        string architecture = f.TextOrEmpty(4, nameof(m.Architecture), m.Architecture, CborLimits.NameBytes);
        string cpuModel = f.TextOrEmpty(5, nameof(m.CpuModel), m.CpuModel, CborLimits.NameBytes);
        var drivers = Words.Walk(ref f, 6, nameof(m.Drivers), m.Drivers, DriversMax);
        var handlers = Words.Walk(ref f, 7, nameof(m.Handlers), m.Handlers, HandlersMax);
        return !f.Reads ? m : new NodeTraits
        {
            Labels = labels, Region = region, Zone = zone, Architecture = architecture, CpuModel = cpuModel,
            Drivers = drivers, Handlers = handlers,
        };
    }
}

internal readonly struct ShortageShape : IShape<Shortage>
{
    public static Shortage Blank => new("", 0, 0);

    public static Shortage Walk<TFields>(scoped ref TFields f, Shortage m)
        where TFields : IFields, allows ref struct
    {
        string dimension = f.Text(1, nameof(m.Dimension), m.Dimension, CborLimits.NameBytes);
        long needed = f.LongOr(2, nameof(m.Needed), m.Needed, 0, 0, ResourceRequest.AmountMax);
        long available = f.LongOr(3, nameof(m.Available), m.Available, 0, 0, ResourceRequest.AmountMax);
        return !f.Reads ? m : new Shortage(dimension, needed, available);
    }
}

/// <summary>A list of names that its record says to be ordered.</summary>
internal static class Words
{
    public static ImmutableArray<string> Walk<TFields>(scoped ref TFields f, int key, string name, ImmutableArray<string> value, int countMax)
        where TFields : IFields, allows ref struct
    {
        ImmutableArray<string> words = f.Texts(key, name, value, countMax, CborLimits.NameBytes);
        f.Check(AreOrdered(words), name, "ordered by UTF-16 code units");
        return words;
    }

    private static bool AreOrdered(ImmutableArray<string> words)
    {
        ReadOnlySpan<string> span = words.AsSpan();
        for (int i = 1; i < span.Length; i++)
            if (string.CompareOrdinal(span[i - 1], span[i]) > 0)
                return false;
        return true;
    }
}

/// <summary>Lists in which each task group is named once, so that a receiver can index by it.</summary>
internal static class GroupsOnce
{
    public const string Rule = "one entry a group";

    public static bool Holds<T>(ImmutableArray<T> entries, Func<T, int> group)
    {
        ReadOnlySpan<T> span = entries.AsSpan();
        bool ascending = true;
        for (int i = 1; i < span.Length && ascending; i++)
            ascending = group(span[i - 1]) < group(span[i]);
        if (ascending)
            return true;
        // At most 256 entries, so a sorted copy is cheap enough for the few that are out of order.
        int[] groups = new int[span.Length];
        for (int i = 0; i < groups.Length; i++)
            groups[i] = group(span[i]);
        Array.Sort(groups);
        for (int i = 1; i < groups.Length; i++)
            if (groups[i - 1] == groups[i])
                return false;
        return true;
    }
}
