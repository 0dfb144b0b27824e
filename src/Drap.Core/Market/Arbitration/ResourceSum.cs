namespace Drap.Core.Market.Arbitration;

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

    /// <summary>How many more of <paramref name="request"/> leave the sum within <paramref name="part"/> of a worker's whole.</summary>
    public readonly int RoomFor(ResourceRequest request, NodeResources total, int part, int count)
    {
        Int128 room = count;
        Limit(request.MilliCpus, total.MilliCpus / part - cpus);
        Limit(request.MemoryBytes, total.MemoryBytes / part - memory);
        Limit(request.DiskBytes, total.DiskBytes / part - disk);
        Limit(request.NetworkMbps, total.NetworkMbps / part - network);
        if (request.Gpu is { } gpu)
            Limit((long)gpu.Count * gpu.Share, (Int128)total.Gpus.Length * GpuRequest.WholeShare / part - shares);
        return (int)room;

        void Limit(long need, Int128 left)
        {
            if (need > 0)
                room = Int128.Min(room, left <= 0 ? 0 : left / need);
        }
    }
}
