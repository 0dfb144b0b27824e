using System.Collections.Immutable;

namespace Drap.Core.Market.Pricing;

/// <summary>An owner's base prices per unit and hour, before any factor. None is negative, and none is above <see cref="Price.LimitMax"/>.</summary>
public sealed record PriceTable
{
    /// <summary>Prices for the common units as rented machines usually stand to each other, so that a swarm has sensible prices before its owners think of them.</summary>
    public static readonly PriceTable Default = new();

    /// <summary>One core. Default 0.04 credits per hour.</summary>
    public Price Core { get; init; } = new(40_000);

    /// <summary>One GiB of memory. Default 0.005 credits per hour.</summary>
    public Price MemoryGiB { get; init; } = new(5_000);

    /// <summary>One GiB of disk. Default 0.0001 credits per hour.</summary>
    public Price DiskGiB { get; init; } = new(100);

    /// <summary>One Mbit/s. Default 0.00001 credits per hour.</summary>
    public Price NetworkMbps { get; init; } = new(10);

    /// <summary>A whole device of a model that no entry of <see cref="Gpus"/> names. Default 1 credit per hour.</summary>
    public Price Gpu { get; init; } = new(1_000_000);

    /// <summary>Devices by model; the first entry whose word the model name contains holds.</summary>
    public ImmutableArray<GpuPrice> Gpus { get; init; } = [];

    /// <summary>Named resources; one that stands here twice costs what the first says, one that does not stand here is free.</summary>
    public ImmutableArray<NamedPrice> Named { get; init; } = [];

    /// <summary>
    /// What one task's bundle costs per hour at base prices on <paramref name="node"/>, each part rounded up. Devices are priced as the
    /// cheapest ones of the node that suit the request: a buyer who did not ask for the better model does not pay for it.
    /// </summary>
    public Price BaseOf(ResourceRequest request, NodeResources node)
    {
        const long gib = 1L << 30;
        Int128 total = Part(Core, request.MilliCpus, 1000) + Part(MemoryGiB, request.MemoryBytes, gib)
            + Part(DiskGiB, request.DiskBytes, gib) + Part(NetworkMbps, request.NetworkMbps, 1);
        foreach (NamedAmount amount in request.Named)
            total += Part(PriceOf(amount.Name), amount.Amount, 1);
        if (request.Gpu is { } gpu)
            total += GpuPart(gpu, node);
        return new Price((long)Int128.Min(total, Price.LimitMax.MicroPerHour));
    }

    /// <summary>The base price of one whole device of a model.</summary>
    public Price GpuOf(string model)
    {
        foreach (GpuPrice entry in Gpus)
            if (model.Contains(entry.Model, StringComparison.OrdinalIgnoreCase))
                return entry.Price;
        return Gpu;
    }

    private Int128 GpuPart(GpuRequest gpu, NodeResources node)
    {
        var prices = new List<Price>(node.Gpus.Length);
        foreach (GpuDevice device in node.Gpus)
            if (device.MemoryBytes >= gpu.MemoryBytes
                && (gpu.Type is null || device.Model.Contains(gpu.Type, StringComparison.OrdinalIgnoreCase)))
                prices.Add(GpuOf(device.Model));
        prices.Sort();
        Int128 total = 0;
        for (int i = 0; i < gpu.Count; i++)
            total += Part(i < prices.Count ? prices[i] : GpuOf(gpu.Type ?? ""), gpu.Share, GpuRequest.WholeShare);
        return total;
    }

    private Price PriceOf(string name)
    {
        foreach (NamedPrice entry in Named)
            if (entry.Name == name)
                return entry.Price;
        return Price.Zero;
    }

    private static Int128 Part(Price unit, long amount, long unitsPerPrice) =>
        ((Int128)unit.MicroPerHour * amount + unitsPerPrice - 1) / unitsPerPrice;
}

/// <summary>The price of a whole device.</summary>
/// <param name="Model">A word that the model name contains, whatever the case: <c>A100</c>.</param>
/// <param name="Price">Per device and hour.</param>
public readonly record struct GpuPrice(string Model, Price Price);

/// <summary>The price of a named resource.</summary>
/// <param name="Name">As the owner declared it.</param>
/// <param name="Price">Per unit and hour.</param>
public readonly record struct NamedPrice(string Name, Price Price);
