namespace Drap.Core.Execution;

/// <summary>
/// What a worker has free: a pool that may shrink while bundles are out. What was taken stays with its taker; if it does not fit the new
/// size it is owed, and whatever is given back pays such debts first, so that nothing is promised twice. Not thread-safe.
/// </summary>
public sealed class Capacity
{
    private readonly List<Grant> owed = [];
    private ResourcePool empty;

    /// <summary>A capacity of which all is free.</summary>
    public Capacity(NodeResources total)
    {
        Free = new ResourcePool(total);
        empty = new ResourcePool(total);
    }

    /// <summary>What is free now. To be read and copied only.</summary>
    public ResourcePool Free { get; private set; }

    /// <summary>What would be free if nothing were taken: what a bundle must fit to be ever run here.</summary>
    public ResourcePool Empty => empty;

    /// <summary>Bundles that are out although the node has shrunk below them.</summary>
    public int Owed => owed.Count;

    /// <summary>Takes a bundle; null if it does not fit.</summary>
    public Grant? TryTake(ResourceRequest request) => Free.TryTake(request);

    /// <summary>Gives a bundle back, once.</summary>
    public void Give(Grant grant)
    {
        if (owed.Count == 0)
        {
            Free.Give(grant);
            return;
        }
        int index = owed.FindIndex(g => ReferenceEquals(g, grant));
        if (index >= 0)
            owed.RemoveAt(index);
        else
            Free.Give(grant);
        owed.RemoveAll(Free.TryRetake);
    }

    /// <summary>The node has other resources now; <paramref name="taken"/> is every bundle that is out, those first that must be honoured first.</summary>
    public void Resize(NodeResources total, IEnumerable<Grant> taken)
    {
        Free = new ResourcePool(total);
        empty = new ResourcePool(total);
        owed.Clear();
        foreach (Grant grant in taken)
            if (!Free.TryRetake(grant))
                owed.Add(grant);
    }

    /// <summary>What is free and what is out make up the whole.</summary>
    public void CheckInvariants(IEnumerable<Grant> taken)
    {
        Free.CheckInvariants();
        ResourcePool sum = Free.Copy();
        foreach (Grant grant in taken)
            if (!owed.Exists(g => ReferenceEquals(g, grant)))
                sum.Give(grant);
        Invariant.Check(sum.FreeMilliCpus == empty.FreeMilliCpus && sum.FreeMemoryBytes == empty.FreeMemoryBytes);
        Invariant.Check(sum.FreeDiskBytes == empty.FreeDiskBytes && sum.FreeNetworkMbps == empty.FreeNetworkMbps);
        Invariant.Check(sum.FreeDeviceShares.SequenceEqual(empty.FreeDeviceShares) && sum.FreeNamed.SequenceEqual(empty.FreeNamed));
    }
}
