using Drap.Core.Market.Pricing;

namespace Drap.Core.Market.Packing;

/// <summary>
/// Turns a worker's free resources and tasks' bundles into vectors. Besides the plain dimensions there are devices by model, and what
/// the reserve keeps back: a task that may not touch it also uses a second, smaller processor, memory or device dimension. A vector
/// knows no devices, so what fits as a vector may still not fit the devices: <see cref="WorkerPacker"/> checks that on a copy of the pool.
/// </summary>
public sealed class ResourceVectorizer
{
    private const int Cpu = 0, Memory = 1, Disk = 2, Network = 3, Gpu = 4;
    private const int CommonCpu = 5, CommonMemory = 6, CommonGpu = 7;
    private const int PlainCpu = 8, PlainMemory = 9;
    private const int FirstModel = 10;

    // Further models are packed by the sum of all devices alone, further names by the check on the pool.
    private const int ModelsMax = 3;
    private const int NamesMax = PackingProblem.DimensionsMax - FirstModel - ModelsMax;

    private readonly long[] free = new long[PackingProblem.DimensionsMax];
    private readonly List<string> models = [];
    private NodeResources total = new();
    private int firstName, names;

    /// <summary>Dimensions in use.</summary>
    public int Dimensions => firstName + names;

    /// <summary>What is free, by dimension.</summary>
    public ReadOnlySpan<long> Free => free.AsSpan(0, Dimensions);

    /// <summary>Takes the worker's state.</summary>
    public void Reset(ResourcePool pool, Reserve reserve)
    {
        total = pool.Total;
        free[Cpu] = pool.FreeMilliCpus;
        free[Memory] = pool.FreeMemoryBytes;
        free[Disk] = pool.FreeDiskBytes;
        free[Network] = pool.FreeNetworkMbps;
        free[Gpu] = Sum(pool.FreeDeviceShares);
        Kept common = reserve.KeptFrom(pool, highValue: false, wantsGpu: true);
        Kept plain = reserve.KeptFrom(pool, highValue: true, wantsGpu: false);
        free[CommonCpu] = free[Cpu] - common.MilliCpus;
        free[CommonMemory] = free[Memory] - common.MemoryBytes;
        free[CommonGpu] = free[Gpu] - common.GpuShares;
        free[PlainCpu] = free[Cpu] - plain.MilliCpus;
        free[PlainMemory] = free[Memory] - plain.MemoryBytes;
        ResetModels(pool);
        firstName = FirstModel + models.Count;
        names = Math.Min(total.Named.Length, NamesMax);
        for (int i = 0; i < names; i++)
            free[firstName + i] = pool.FreeNamed[i];
    }

    /// <summary>Writes what one copy of a bundle needs; false if it asks for a named resource that the worker does not have.</summary>
    public bool TryNeed(ResourceRequest request, bool isHighValue, Span<long> need)
    {
        need.Clear();
        need[Cpu] = request.MilliCpus;
        need[Memory] = request.MemoryBytes;
        need[Disk] = request.DiskBytes;
        need[Network] = request.NetworkMbps;
        if (request.Gpu is { } gpu)
            NeedDevices(gpu, need);
        else
            (need[PlainCpu], need[PlainMemory]) = (need[Cpu], need[Memory]);
        if (!isHighValue)
            (need[CommonCpu], need[CommonMemory], need[CommonGpu]) = (need[Cpu], need[Memory], need[Gpu]);
        foreach (NamedAmount amount in request.Named)
        {
            int index = IndexOf(amount.Name);
            if (index < 0 && amount.Amount > 0)
                return false;
            if (index >= 0 && index < names)
                need[firstName + index] += amount.Amount;
        }
        return true;
    }

    private void ResetModels(ResourcePool pool)
    {
        models.Clear();
        foreach (GpuDevice device in total.Gpus)
            if (models.Count < ModelsMax && !models.Contains(device.Model))
                models.Add(device.Model);
        free.AsSpan(FirstModel, models.Count).Clear();
        for (int i = 0; i < total.Gpus.Length; i++)
        {
            int model = models.IndexOf(total.Gpus[i].Model);
            if (model >= 0)
                free[FirstModel + model] += pool.FreeDeviceShares[i];
        }
    }

    /// <summary>A request that only one model suits uses that model's dimension too.</summary>
    private void NeedDevices(GpuRequest gpu, Span<long> need)
    {
        long shares = (long)gpu.Count * gpu.Share;
        need[Gpu] = shares;
        string? only = null;
        foreach (GpuDevice device in total.Gpus)
        {
            if (device.MemoryBytes < gpu.MemoryBytes
                || (gpu.Type is not null && !device.Model.Contains(gpu.Type, StringComparison.OrdinalIgnoreCase)))
                continue;
            if (only is not null && only != device.Model)
                return;
            only = device.Model;
        }
        int model = only is null ? -1 : models.IndexOf(only);
        if (model >= 0)
            need[FirstModel + model] = shares;
    }

    private int IndexOf(string name)
    {
        for (int i = 0; i < total.Named.Length; i++)
            if (total.Named[i].Name == name)
                return i;
        return -1;
    }

    private static long Sum(ReadOnlySpan<int> shares)
    {
        long sum = 0;
        foreach (int share in shares)
            sum += share;
        return sum;
    }
}
