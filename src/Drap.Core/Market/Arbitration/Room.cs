using Drap.Core.Market.Pricing;

namespace Drap.Core.Market.Arbitration;

/// <summary>How often a bundle fits.</summary>
internal static class Room
{
    /// <summary>How many bundles fit into <paramref name="free"/> beside what is kept back, up to <paramref name="most"/>.</summary>
    public static int For(ResourcePool free, ResourceRequest request, in Kept kept, int most)
    {
        long room = Math.Max(most, 0);
        Limit(request.MilliCpus, free.FreeMilliCpus - kept.MilliCpus);
        Limit(request.MemoryBytes, free.FreeMemoryBytes - kept.MemoryBytes);
        Limit(request.DiskBytes, free.FreeDiskBytes);
        Limit(request.NetworkMbps, free.FreeNetworkMbps);
        foreach (NamedAmount amount in request.Named)
            Limit(amount.Amount, FreeOf(free, amount.Name));
        if (request.Gpu is not { } gpu || room == 0)
            return (int)room;
        long shares = 0;
        foreach (int share in free.FreeDeviceShares)
            shares += share;
        Limit((long)gpu.Count * gpu.Share, shares - kept.GpuShares);
        return CountOnCopy(free, request, (int)room);

        void Limit(long need, long available)
        {
            if (need > 0)
                room = Math.Min(room, Math.Max(available, 0) / need);
        }
    }

    /// <summary>Devices have identity: what the sums allow is tried.</summary>
    private static int CountOnCopy(ResourcePool free, ResourceRequest request, int most)
    {
        ResourcePool copy = free.Copy();
        int count = 0;
        while (count < most && copy.TryTake(request) is not null)
            count++;
        return count;
    }

    private static long FreeOf(ResourcePool free, string name)
    {
        for (int i = 0; i < free.Total.Named.Length; i++)
            if (free.Total.Named[i].Name == name)
                return free.FreeNamed[i];
        return 0;
    }
}
