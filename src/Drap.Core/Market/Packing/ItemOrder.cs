namespace Drap.Core.Market.Packing;

/// <summary>Sorts a table's items by a number, highest first; of equals the earlier item, whose order key is lower.</summary>
internal sealed class ItemOrder
{
    // The number and the item share one 64-bit key, so that no two keys are equal: 12 bits name 4 096 items, 52 remain.
    private const int ItemBits = 12;
    private const long KeyMax = (1L << (64 - ItemBits - 1)) - 1;

    private ulong[] keys = [];
    private int[] items = [];
    private int count;

    public ReadOnlySpan<int> Items => items.AsSpan(0, count);

    /// <summary>Highest value first.</summary>
    public ReadOnlySpan<int> ByValue(PackingTable table)
    {
        Begin(table);
        for (int i = 0; i < table.Items; i++)
            Set(i, table.Values[i]);
        return Sorted();
    }

    /// <summary>Highest value per cost at the dual prices first.</summary>
    public ReadOnlySpan<int> ByDensity(PackingTable table, DualPrices prices)
    {
        Begin(table);
        for (int i = 0; i < table.Items; i++)
            Set(i, (table.Values[i] << PackingTable.WeightBits) / (prices.CostOf(table, i) + 1));
        return Sorted();
    }

    /// <summary>Highest value per sum of parts of the capacity first, where each dimension counts the same.</summary>
    public ReadOnlySpan<int> ByEvenDensity(PackingTable table)
    {
        Begin(table);
        for (int i = 0; i < table.Items; i++)
        {
            long sum = 1;
            foreach (long weight in table.Weights.AsSpan(i * table.Dimensions, table.Dimensions))
                sum += weight;
            Set(i, (table.Values[i] << PackingTable.WeightBits) / sum);
        }
        return Sorted();
    }

    /// <summary>Those first for which the dual prices speak most clearly, for or against.</summary>
    public ReadOnlySpan<int> ByClarity(PackingTable table, DualPrices prices)
    {
        Begin(table);
        for (int i = 0; i < table.Items; i++)
            Set(i, Math.Abs(prices.Reduced[i]));
        return Sorted();
    }

    private void Begin(PackingTable table)
    {
        if (keys.Length < table.Items)
        {
            keys = new ulong[table.Sources.Length];
            items = new int[table.Sources.Length];
        }
        count = table.Items;
    }

    private void Set(int item, long number) => keys[item] = (ulong)(KeyMax - Math.Min(number, KeyMax)) << ItemBits | (uint)item;

    private ReadOnlySpan<int> Sorted()
    {
        keys.AsSpan(0, count).Sort();
        for (int i = 0; i < count; i++)
            items[i] = (int)(keys[i] & ((1 << ItemBits) - 1));
        return Items;
    }
}
