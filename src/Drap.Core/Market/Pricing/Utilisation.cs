namespace Drap.Core.Market.Pricing;

/// <summary>
/// The utilisation that prices a bundle: that of the scarcest dimension which the bundle touches, before and after it, in millionths.
/// Scarcest is the one that is fullest afterwards; of equals the first of cpu, memory, disk, network, gpu and the named ones in order.
/// </summary>
/// <param name="Dimension">Its name; empty for a bundle that needs nothing.</param>
/// <param name="Before">In use before the bundle.</param>
/// <param name="After">In use with it; <see cref="UtilisationCurve.Full"/> at most.</param>
public readonly record struct Utilisation(string Dimension, int Before, int After)
{
    /// <summary>What <paramref name="parts"/> together do to a worker with <paramref name="free"/> free.</summary>
    public static Utilisation Of(ResourcePool free, ReadOnlySpan<BundlePart> parts)
    {
        NodeResources total = free.Total;
        var scarcest = new Utilisation("", 0, 0);
        Int128 cpus = 0, memory = 0, disk = 0, network = 0, gpu = 0;
        foreach (ref readonly BundlePart part in parts)
        {
            cpus += (Int128)part.Request.MilliCpus * part.Count;
            memory += (Int128)part.Request.MemoryBytes * part.Count;
            disk += (Int128)part.Request.DiskBytes * part.Count;
            network += (Int128)part.Request.NetworkMbps * part.Count;
            if (part.Request.Gpu is { } devices)
                gpu += (Int128)devices.Count * devices.Share * part.Count;
        }
        long freeShares = 0;
        foreach (int share in free.FreeDeviceShares)
            freeShares += share;
        Consider("cpu", cpus, free.FreeMilliCpus, total.MilliCpus);
        Consider("memory", memory, free.FreeMemoryBytes, total.MemoryBytes);
        Consider("disk", disk, free.FreeDiskBytes, total.DiskBytes);
        Consider("network", network, free.FreeNetworkMbps, total.NetworkMbps);
        Consider("gpu", gpu, freeShares, (long)total.Gpus.Length * GpuRequest.WholeShare);
        for (int i = 0; i < total.Named.Length; i++)
            Consider(total.Named[i].Name, NeedOf(parts, total.Named[i].Name), free.FreeNamed[i], total.Named[i].Amount);
        return scarcest;

        void Consider(string dimension, Int128 need, long available, long all)
        {
            if (need <= 0 || all <= 0)
                return;
            int after = Millionths(all - available + need, all);
            if (scarcest.Dimension.Length == 0 || after > scarcest.After)
                scarcest = new Utilisation(dimension, Millionths(all - available, all), after);
        }
    }

    private static Int128 NeedOf(ReadOnlySpan<BundlePart> parts, string name)
    {
        Int128 need = 0;
        foreach (ref readonly BundlePart part in parts)
            foreach (NamedAmount amount in part.Request.Named)
                if (amount.Name == name)
                    need += (Int128)amount.Amount * part.Count;
        return need;
    }

    private static int Millionths(Int128 used, long all) => (int)Int128.Clamp(used * UtilisationCurve.Full / all, 0, UtilisationCurve.Full);
}

/// <summary>Like tasks in a bundle.</summary>
/// <param name="Request">What each needs.</param>
/// <param name="Count">How many.</param>
public readonly record struct BundlePart(ResourceRequest Request, int Count);
