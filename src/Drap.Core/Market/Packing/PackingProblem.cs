namespace Drap.Core.Market.Packing;

/// <summary>
/// Free capacity and the tasks that could have it, as vectors. One problem is filled again for each window, so that packing allocates
/// nothing once it has seen its largest window. Not thread-safe.
/// </summary>
public sealed class PackingProblem
{
    /// <summary>Dimensions at most: four plain ones, devices in all and by model, what is kept back, and named ones.</summary>
    public const int DimensionsMax = 24;

    /// <summary>Task groups at most: 1 024 standing ones and as many of a window, doubled. At the limit <see cref="TryAdd"/> refuses.</summary>
    public const int ItemsMax = 4096;

    /// <summary>Copies of one item at most; more are cut to this.</summary>
    public const int CountMax = 1 << 20;

    private readonly long[] capacity = new long[DimensionsMax];
    private long[] needs = new long[64 * DimensionsMax];
    private long[] values = new long[64];
    private int[] counts = new int[64];
    private ulong[] orders = new ulong[64];

    /// <summary>Dimensions in use.</summary>
    public int Dimensions { get; private set; }

    /// <summary>Items added.</summary>
    public int Items { get; private set; }

    /// <summary>What there is, by dimension; never negative.</summary>
    public ReadOnlySpan<long> Capacity => capacity.AsSpan(0, Dimensions);

    /// <summary>Begins anew with what is free; a negative amount counts as none.</summary>
    public void Reset(ReadOnlySpan<long> free)
    {
        Invariant.Check(free.Length is > 0 and <= DimensionsMax);
        Dimensions = free.Length;
        Items = 0;
        for (int d = 0; d < free.Length; d++)
            capacity[d] = Math.Max(free[d], 0);
    }

    /// <summary>Adds a task group; false, and nothing done, when there are too many.</summary>
    /// <param name="need">What each copy needs, by dimension; none is negative.</param>
    /// <param name="value">What each copy is worth, in micro-credits per hour; one below zero is never taken.</param>
    /// <param name="count">Copies that may be taken.</param>
    /// <param name="order">Decides between equals: hash(worker, task) as a number, so that workers do not all choose the same.</param>
    public bool TryAdd(ReadOnlySpan<long> need, long value, int count, ulong order)
    {
        Invariant.Check(need.Length == Dimensions);
        if (Items >= ItemsMax)
            return false;
        Grow();
        Span<long> row = needs.AsSpan(Items * Dimensions, Dimensions);
        need.CopyTo(row);
        foreach (long amount in row)
            Invariant.Check(amount >= 0);
        values[Items] = value;
        counts[Items] = Math.Clamp(count, 0, CountMax);
        orders[Items] = order;
        Items++;
        return true;
    }

    /// <summary>What one copy of an item needs.</summary>
    public ReadOnlySpan<long> Need(int item) => needs.AsSpan(item * Dimensions, Dimensions);

    /// <summary>What one copy of an item is worth.</summary>
    public long Value(int item) => values[item];

    /// <summary>Copies of an item that may be taken.</summary>
    public int Count(int item) => counts[item];

    /// <summary>An item's order between equals.</summary>
    public ulong Order(int item) => orders[item];

    /// <summary>Whether this many copies of each item fit together: the check that packing makes of itself, without its own arithmetic.</summary>
    public bool Fits(ReadOnlySpan<int> taken)
    {
        for (int d = 0; d < Dimensions; d++)
        {
            Int128 used = 0;
            for (int i = 0; i < Items; i++)
                used += (Int128)needs[i * Dimensions + d] * taken[i];
            if (used > capacity[d])
                return false;
        }
        for (int i = 0; i < Items; i++)
            if (taken[i] < 0 || taken[i] > counts[i])
                return false;
        return true;
    }

    private void Grow()
    {
        if ((Items + 1) * Dimensions > needs.Length)
            Array.Resize(ref needs, needs.Length * 2);
        if (Items < values.Length)
            return;
        Array.Resize(ref values, values.Length * 2);
        Array.Resize(ref counts, counts.Length * 2);
        Array.Resize(ref orders, orders.Length * 2);
    }
}
