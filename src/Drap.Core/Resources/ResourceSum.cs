namespace Drap.Core;

/// <summary>Bundles added up, for rules about shares of a worker; whether a bundle fits is never decided by it.</summary>
internal struct ResourceSum
{
    private Int128 cpus, memory, disk, network, shares;

    public void Add(ResourceRequest request, long count)
    {
        cpus += (Int128)request.MilliCpus * count;
        memory += (Int128)request.MemoryBytes * count;
        disk += (Int128)request.DiskBytes * count;
        network += (Int128)request.NetworkMbps * count;
        if (request.Gpu is { } gpu)
            shares += (Int128)gpu.Count * gpu.Share * count;
    }

    public void Add(in ResourceSum other)
    {
        cpus += other.cpus;
        memory += other.memory;
        disk += other.disk;
        network += other.network;
        shares += other.shares;
    }

    public readonly bool IsNothing => cpus == 0 && memory == 0 && disk == 0 && network == 0 && shares == 0;

    /// <summary>Whether no dimension is beyond what <paramref name="free"/> has.</summary>
    public readonly bool IsWithin(ResourcePool free)
    {
        long freeShares = 0;
        foreach (int share in free.FreeDeviceShares)
            freeShares += share;
        return cpus <= free.FreeMilliCpus && memory <= free.FreeMemoryBytes && disk <= free.FreeDiskBytes
            && network <= free.FreeNetworkMbps && shares <= freeShares;
    }

    /// <summary>How many more of <paramref name="request"/>, up to <paramref name="count"/>, leave the sum within so many thousandths of a worker's whole.</summary>
    public readonly int RoomFor(ResourceRequest request, NodeResources total, int permille, int count)
    {
        Int128 room = count;
        Limit(request.MilliCpus, (Int128)total.MilliCpus * permille / 1000 - cpus);
        Limit(request.MemoryBytes, (Int128)total.MemoryBytes * permille / 1000 - memory);
        Limit(request.DiskBytes, (Int128)total.DiskBytes * permille / 1000 - disk);
        Limit(request.NetworkMbps, (Int128)total.NetworkMbps * permille / 1000 - network);
        if (request.Gpu is { } gpu)
            Limit((long)gpu.Count * gpu.Share, (Int128)total.Gpus.Length * GpuRequest.WholeShare * permille / 1000 - shares);
        return (int)room;

        void Limit(long need, Int128 left)
        {
            if (need > 0)
                room = Int128.Min(room, left <= 0 ? 0 : left / need);
        }
    }
}
