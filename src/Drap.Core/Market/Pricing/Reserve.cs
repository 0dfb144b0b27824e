namespace Drap.Core.Market.Pricing;

/// <summary>
/// What a worker keeps back. Two things are held: a share of everything for tasks whose bid is well above the ask, and for each free
/// GPU the cores and the memory without which nobody could use it, from tasks that want no GPU.
/// </summary>
public sealed record Reserve
{
    /// <summary>The share of processors, memory and devices kept for high-value tasks, in permille. Default 0: nothing.</summary>
    public int SharePermille { get; init; }

    /// <summary>From which bid on a task is of high value, in permille of the ask. Default 1500.</summary>
    public int HighValuePermille { get; init; } = 1500;

    /// <summary>Processor time kept for each free device, in thousandths of a core. Default one core.</summary>
    public long MilliCpusPerGpu { get; init; } = 1000;

    /// <summary>Memory kept for each free device, in bytes. Default 1 GiB.</summary>
    public long MemoryBytesPerGpu { get; init; } = 1L << 30;

    /// <summary>Whether a task that bids <paramref name="bid"/> where the worker asks <paramref name="ask"/> may use the share.</summary>
    public bool IsHighValue(Price bid, Price ask) => bid >= ask.Times(HighValuePermille, 1000);

    /// <summary>
    /// How much of what is free now a task may not touch. What is kept for devices is never more than half of the worker, so that a
    /// small machine with many devices still does other work.
    /// </summary>
    public Kept KeptFrom(ResourcePool free, bool highValue, bool wantsGpu)
    {
        NodeResources total = free.Total;
        long share = highValue ? 0 : SharePermille;
        long cpus = Part(total.MilliCpus, share);
        long memory = Part(total.MemoryBytes, share);
        long gpu = Part((long)total.Gpus.Length * GpuRequest.WholeShare, share);
        if (!wantsGpu)
        {
            long devices = 0;
            foreach (int deviceShare in free.FreeDeviceShares)
                devices += deviceShare > 0 ? 1 : 0;
            cpus = Math.Max(cpus, PerDevice(MilliCpusPerGpu, devices, total.MilliCpus));
            memory = Math.Max(memory, PerDevice(MemoryBytesPerGpu, devices, total.MemoryBytes));
        }
        return new Kept(cpus, memory, gpu);
    }

    /// <summary>
    /// Whether a bundle may be taken now: it fits, and leaves the free devices what is kept for them. Whether it may use the share that is kept
    /// for those who pay well was settled when it was offered.
    /// </summary>
    public bool Lets(ResourcePool free, ResourceRequest request)
    {
        if (!free.Fits(request))
            return false;
        if (request.Gpu is not null)
            return true;
        Kept kept = KeptFrom(free, highValue: true, wantsGpu: false);
        return (request.MilliCpus == 0 || request.MilliCpus <= free.FreeMilliCpus - kept.MilliCpus)
            && (request.MemoryBytes == 0 || request.MemoryBytes <= free.FreeMemoryBytes - kept.MemoryBytes);
    }

    /// <summary>Bundles of a task with devices that what is kept for devices has processors and memory for.</summary>
    public int KeptPlaces(ResourcePool free, ResourceRequest request)
    {
        Kept kept = KeptFrom(free, highValue: true, wantsGpu: false);
        long places = int.MaxValue;
        if (request.MilliCpus > 0)
            places = Math.Min(places, kept.MilliCpus / request.MilliCpus);
        if (request.MemoryBytes > 0)
            places = Math.Min(places, kept.MemoryBytes / request.MemoryBytes);
        return (int)places;
    }

    private static long Part(long total, long permille) => (long)((Int128)total * permille / 1000);

    private static long PerDevice(long amount, long devices, long total) => (long)Int128.Min((Int128)amount * devices, total / 2);
}

/// <summary>Amounts that a task may not touch.</summary>
/// <param name="MilliCpus">Processor time, in thousandths of a core.</param>
/// <param name="MemoryBytes">Memory, in bytes.</param>
/// <param name="GpuShares">Device shares, in ten-thousandths.</param>
public readonly record struct Kept(long MilliCpus, long MemoryBytes, long GpuShares);
