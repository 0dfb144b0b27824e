using System.Collections.Immutable;

namespace Drap.Core;

/// <summary>The free resources of one worker: bundles are taken out of it and given back, whole. Not thread-safe.</summary>
public sealed class ResourcePool
{
    private readonly int[] deviceShares;
    private readonly long[] named;

    /// <summary>A pool in which all of <paramref name="total"/> is free.</summary>
    public ResourcePool(NodeResources total)
    {
        Total = total;
        FreeMilliCpus = total.MilliCpus;
        FreeMemoryBytes = total.MemoryBytes;
        FreeDiskBytes = total.DiskBytes;
        FreeNetworkMbps = total.NetworkMbps;
        deviceShares = new int[total.Gpus.Length];
        Array.Fill(deviceShares, GpuRequest.WholeShare);
        named = [.. total.Named.Select(n => n.Amount)];
    }

    private ResourcePool(ResourcePool other)
    {
        Total = other.Total;
        FreeMilliCpus = other.FreeMilliCpus;
        FreeMemoryBytes = other.FreeMemoryBytes;
        FreeDiskBytes = other.FreeDiskBytes;
        FreeNetworkMbps = other.FreeNetworkMbps;
        deviceShares = [.. other.deviceShares];
        named = [.. other.named];
    }

    /// <summary>What the pool holds when nothing is taken.</summary>
    public NodeResources Total { get; }

    /// <summary>Free processor time, in thousandths of a core.</summary>
    public long FreeMilliCpus { get; private set; }

    /// <summary>Free memory, in bytes.</summary>
    public long FreeMemoryBytes { get; private set; }

    /// <summary>Free disk, in bytes.</summary>
    public long FreeDiskBytes { get; private set; }

    /// <summary>Free bandwidth, in Mbit/s.</summary>
    public long FreeNetworkMbps { get; private set; }

    /// <summary>Free share of each device, in ten-thousandths, in the order of <see cref="NodeResources.Gpus"/>.</summary>
    public ReadOnlySpan<int> FreeDeviceShares => deviceShares;

    /// <summary>Free amount of each named resource, in the order of <see cref="NodeResources.Named"/>.</summary>
    public ReadOnlySpan<long> FreeNamed => named;

    /// <summary>A copy, to try a packing on.</summary>
    public ResourcePool Copy() => new(this);

    /// <summary>Whether <paramref name="request"/> fits into what is free now.</summary>
    public bool Fits(ResourceRequest request)
    {
        if (request.MilliCpus > FreeMilliCpus || request.MemoryBytes > FreeMemoryBytes || request.DiskBytes > FreeDiskBytes
            || request.NetworkMbps > FreeNetworkMbps)
            return false;
        foreach (NamedAmount amount in request.Named)
            if (amount.Amount > FreeOf(amount.Name))
                return false;
        return request.Gpu is null || CountDevices(request.Gpu, request.Gpu.Share) >= request.Gpu.Count;
    }

    /// <summary>Each dimension in which <paramref name="request"/> does not fit, in a fixed order; empty if it fits.</summary>
    public ImmutableArray<Shortage> Shortages(ResourceRequest request)
    {
        var shortages = ImmutableArray.CreateBuilder<Shortage>();
        Compare("cpu", request.MilliCpus, FreeMilliCpus);
        Compare("memory", request.MemoryBytes, FreeMemoryBytes);
        Compare("disk", request.DiskBytes, FreeDiskBytes);
        Compare("network", request.NetworkMbps, FreeNetworkMbps);
        if (request.Gpu is { } gpu && CountDevices(gpu, gpu.Share) < gpu.Count)
        {
            // Name the first of the three that fails alone: a wrong model cannot be waited for, a busy device can.
            int ofType = CountDevices(gpu with { MemoryBytes = 0 }, 0);
            int ofMemory = CountDevices(gpu, 0);
            if (ofType < gpu.Count && CountDevices(gpu with { Type = null, MemoryBytes = 0 }, 0) >= gpu.Count)
                shortages.Add(new Shortage("gpu.type", gpu.Count, ofType));
            else if (ofMemory < gpu.Count && ofType >= gpu.Count)
                shortages.Add(new Shortage("gpu.memory", gpu.MemoryBytes, LargestDevice(gpu)));
            else
                shortages.Add(new Shortage("gpu", gpu.Count, CountDevices(gpu, gpu.Share)));
        }
        foreach (NamedAmount amount in request.Named)
            Compare(amount.Name, amount.Amount, FreeOf(amount.Name));
        return shortages.ToImmutable();

        void Compare(string dimension, long needed, long available)
        {
            if (needed > available)
                shortages.Add(new Shortage(dimension, needed, available));
        }
    }

    /// <summary>Takes the bundle out; null, and nothing taken, if it does not fit.</summary>
    public Grant? TryTake(ResourceRequest request)
    {
        if (!Fits(request))
            return null;
        Add(request, -1);
        if (request.Gpu is not { } gpu)
            return new Grant(request, []);
        var devices = ImmutableArray.CreateBuilder<int>(gpu.Count);
        // Best fit: the device with the least that still suffices, so that whole ones stay whole for those who need them.
        while (devices.Count < gpu.Count)
        {
            int best = -1;
            for (int i = 0; i < deviceShares.Length; i++)
                if (deviceShares[i] >= gpu.Share && Suits(Total.Gpus[i], gpu) && !devices.Contains(Total.Gpus[i].Index)
                    && (best < 0 || deviceShares[i] < deviceShares[best]))
                    best = i;
            deviceShares[best] -= gpu.Share;
            devices.Add(Total.Gpus[best].Index);
        }
        devices.Sort();
        return new Grant(request, devices.DrainToImmutable());
    }

    /// <summary>Takes out a bundle that was granted by a pool of another size, with the same devices; false, and nothing taken, if it does not fit.</summary>
    public bool TryRetake(Grant grant)
    {
        foreach (int device in grant.Devices)
            if (FreeShareOf(device) < grant.Request.Gpu!.Share)
                return false;
        if (!Fits(grant.Request with { Gpu = null }))
            return false;
        Add(grant.Request, -1);
        foreach (int device in grant.Devices)
            for (int i = 0; i < deviceShares.Length; i++)
                if (Total.Gpus[i].Index == device)
                    deviceShares[i] -= grant.Request.Gpu!.Share;
        return true;
    }

    /// <summary>Gives a grant back, once.</summary>
    public void Give(Grant grant)
    {
        Add(grant.Request, 1);
        foreach (int device in grant.Devices)
            for (int i = 0; i < deviceShares.Length; i++)
                if (Total.Gpus[i].Index == device)
                    deviceShares[i] += grant.Request.Gpu!.Share;
        CheckInvariants();
    }

    /// <summary>Nothing is negative, and nothing is more than there is.</summary>
    public void CheckInvariants()
    {
        Invariant.Check(FreeMilliCpus >= 0 && FreeMilliCpus <= Total.MilliCpus);
        Invariant.Check(FreeMemoryBytes >= 0 && FreeMemoryBytes <= Total.MemoryBytes);
        Invariant.Check(FreeDiskBytes >= 0 && FreeDiskBytes <= Total.DiskBytes);
        Invariant.Check(FreeNetworkMbps >= 0 && FreeNetworkMbps <= Total.NetworkMbps);
        foreach (int share in deviceShares)
            Invariant.Check(share is >= 0 and <= GpuRequest.WholeShare);
        for (int i = 0; i < named.Length; i++)
            Invariant.Check(named[i] >= 0 && named[i] <= Total.Named[i].Amount);
    }

    private void Add(ResourceRequest request, int sign)
    {
        FreeMilliCpus += sign * request.MilliCpus;
        FreeMemoryBytes += sign * request.MemoryBytes;
        FreeDiskBytes += sign * request.DiskBytes;
        FreeNetworkMbps += sign * request.NetworkMbps;
        foreach (NamedAmount amount in request.Named)
            for (int i = 0; i < named.Length; i++)
                if (Total.Named[i].Name == amount.Name)
                    named[i] += sign * amount.Amount;
    }

    private long FreeOf(string name)
    {
        for (int i = 0; i < named.Length; i++)
            if (Total.Named[i].Name == name)
                return named[i];
        return 0;
    }

    private int FreeShareOf(int device)
    {
        for (int i = 0; i < deviceShares.Length; i++)
            if (Total.Gpus[i].Index == device)
                return deviceShares[i];
        return -1;
    }

    private int CountDevices(GpuRequest gpu, int share)
    {
        int count = 0;
        for (int i = 0; i < deviceShares.Length; i++)
            if (deviceShares[i] >= share && Suits(Total.Gpus[i], gpu))
                count++;
        return count;
    }

    private long LargestDevice(GpuRequest gpu)
    {
        long largest = 0;
        foreach (GpuDevice device in Total.Gpus)
            if (Suits(device, gpu with { MemoryBytes = 0 }))
                largest = Math.Max(largest, device.MemoryBytes);
        return largest;
    }

    private static bool Suits(GpuDevice device, GpuRequest gpu) =>
        device.MemoryBytes >= gpu.MemoryBytes
        && (gpu.Type is null || device.Model.Contains(gpu.Type, StringComparison.OrdinalIgnoreCase));
}
