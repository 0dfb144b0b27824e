using Drap.Core.Market.Pricing;

namespace Drap.Core.Market.Packing;

/// <summary>A task group that a worker could take.</summary>
/// <param name="Request">What each copy needs.</param>
/// <param name="Value">What each copy is worth, in micro-credits per hour: its price less what it costs the owner; never taken below zero.</param>
/// <param name="Count">Copies that may be taken.</param>
/// <param name="Order">Decides between equals: hash(worker, task) as a number.</param>
/// <param name="IsHighValue">Whether it may use the share that the reserve keeps for tasks that pay well.</param>
public readonly record struct PackingItem(ResourceRequest Request, long Value, int Count, ulong Order, bool IsHighValue);

/// <summary>
/// Packs task groups onto a worker: chooses them as vectors, then takes each copy from a copy of the pool, where devices have identity,
/// and drops what does not fit there. If something was dropped, what is left goes to the others, dearest first. Not thread-safe.
/// </summary>
public sealed class WorkerPacker
{
    /// <summary>Copies taken in one call: more tasks than a worker starts in a window. At the limit the rest stays for the next.</summary>
    public const int CopiesMax = 65_536;

    private readonly ResourceVectorizer vectors = new();
    private readonly PackingProblem problem = new();
    private readonly Packer packer = new();
    private readonly long[] rest = new long[PackingProblem.DimensionsMax];
    private int[] taken = [];
    private int[] indices = [];
    private int[] order = [];
    private long[] shares = [];
    private readonly List<int> sequence = [];

    /// <summary>
    /// The items of the last call, one entry for each copy, in the order in which they were taken: taken from the pool in this order they
    /// all fit. In another order a part of a device could be cut from the one that a whole was found in. Valid until the next call.
    /// </summary>
    public IReadOnlyList<int> Sequence => sequence;

    /// <summary>
    /// Copies of each item to take, all of which fit into <paramref name="free"/> together with what <paramref name="reserve"/> keeps back;
    /// valid until the next call. Items beyond <see cref="PackingProblem.ItemsMax"/> are not looked at.
    /// </summary>
    public ReadOnlySpan<int> Pack(ResourcePool free, Reserve reserve, ReadOnlySpan<PackingItem> items, PackingStrategy strategy)
    {
        if (taken.Length < items.Length)
            Allocate(items.Length * 2);
        Span<int> result = taken.AsSpan(0, items.Length);
        result.Clear();
        vectors.Reset(free, reserve);
        Fill(items);
        ReadOnlySpan<int> chosen = packer.Pack(problem, strategy);
        vectors.Free.CopyTo(rest);
        ResourcePool copy = free.Copy();
        sequence.Clear();
        bool dropped = false;
        // Devices first, and of those the largest shares: a whole device must be found before parts are cut from it.
        foreach (int p in Turns(byShare: true))
        {
            int got = Take(copy, items[indices[p]].Request, p, chosen[p]);
            result[indices[p]] = got;
            dropped |= got < chosen[p];
        }
        if (!dropped)
            return result;
        foreach (int p in Turns(byShare: false))
        {
            ref readonly PackingItem item = ref items[indices[p]];
            if (item.Value < 0)
                continue;
            result[indices[p]] += Take(copy, item.Request, p, item.Count - result[indices[p]]);
        }
        return result;
    }

    private void Allocate(int items)
    {
        taken = new int[items];
        indices = new int[items];
        order = new int[items];
        shares = new long[items];
    }

    /// <summary>Makes the problem; what asks for something that the worker does not have stays out.</summary>
    private void Fill(ReadOnlySpan<PackingItem> items)
    {
        problem.Reset(vectors.Free);
        Span<long> need = stackalloc long[PackingProblem.DimensionsMax];
        need = need[..vectors.Dimensions];
        for (int i = 0; i < items.Length; i++)
        {
            ref readonly PackingItem item = ref items[i];
            if (!vectors.TryNeed(item.Request, item.IsHighValue, need))
                continue;
            (indices[problem.Items], shares[problem.Items]) = (i, ShareOf(item.Request));
            if (!problem.TryAdd(need, item.Value, item.Count, item.Order))
                return;
        }
    }

    /// <summary>Takes up to so many copies out of the pool and the vector, and says how many it got.</summary>
    private int Take(ResourcePool pool, ResourceRequest request, int index, int copies)
    {
        ReadOnlySpan<long> need = problem.Need(index);
        int got = 0;
        while (got < copies && sequence.Count < CopiesMax)
        {
            for (int d = 0; d < need.Length; d++)
                if (need[d] > 0 && need[d] > rest[d])
                    return got;
            if (pool.TryTake(request) is null)
                return got;
            for (int d = 0; d < need.Length; d++)
                rest[d] -= need[d];
            sequence.Add(indices[index]);
            got++;
        }
        return got;
    }

    /// <summary>The problem's items in the order in which they take from the pool.</summary>
    private Span<int> Turns(bool byShare)
    {
        Span<int> turns = order.AsSpan(0, problem.Items);
        for (int p = 0; p < turns.Length; p++)
            turns[p] = p;
        turns.Sort(new Turn(problem, byShare ? shares : null));
        return turns;
    }

    private static long ShareOf(ResourceRequest request) =>
        request.Gpu is { } gpu ? gpu.Share * 1024L + Math.Min(gpu.Count, 1023) : 0;

    private readonly struct Turn(PackingProblem problem, long[]? shares) : IComparer<int>
    {
        public int Compare(int a, int b)
        {
            int by = shares is null ? problem.Value(b).CompareTo(problem.Value(a)) : shares[b].CompareTo(shares[a]);
            if (by == 0)
                by = problem.Order(a).CompareTo(problem.Order(b));
            return by != 0 ? by : a.CompareTo(b);
        }
    }
}
