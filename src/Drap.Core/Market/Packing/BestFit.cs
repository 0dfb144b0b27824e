namespace Drap.Core.Market.Packing;

/// <summary>Takes again and again the item after which the least is left, so that no dimension is used up while the others lie idle.</summary>
internal sealed class BestFit
{
    // Looks at an item, of some 15 ns each: about three milliseconds. What is then still open is taken by its order key.
    private const int LooksMax = 200_000;

    private int[] open = [];

    public void Fill(PackingTable table, Selection selection)
    {
        if (open.Length < table.Items)
            open = new int[table.Sources.Length];
        int count = 0;
        for (int i = 0; i < table.Items; i++)
            open[count++] = i;
        Span<long> free = stackalloc long[PackingProblem.DimensionsMax];
        int looks = 0;
        while (looks < LooksMax)
        {
            looks += count;
            for (int d = 0; d < table.Dimensions; d++)
                free[d] = FreePart(selection.Free[d], table.Capacity[d]);
            int best = Best(table, selection, free[..table.Dimensions], ref count);
            if (best < 0)
                return;
            // Of many copies a quarter at a time: the choice is looked at again before they change what is scarce, in few rounds.
            selection.Take(best, Math.Max(1, selection.Room(best) / 4));
        }
        selection.Fill(open.AsSpan(0, count));
    }

    /// <summary>The item that fits best; items that no longer fit are dropped on the way, since what is free only shrinks.</summary>
    private int Best(PackingTable table, Selection selection, ReadOnlySpan<long> free, ref int count)
    {
        int best = -1;
        long bestScore = 0;
        int kept = 0;
        for (int k = 0; k < count; k++)
        {
            int item = open[k];
            if (!selection.FitsOne(item))
                continue;
            open[kept++] = item;
            // The square of what is left, summed over dimensions, falls by weight × (2 free − weight).
            long score = 0;
            int row = item * table.Dimensions;
            for (int d = 0; d < free.Length; d++)
                score += table.Weights[row + d] * (2 * free[d] - table.Weights[row + d]);
            if (best < 0 || score > bestScore || (score == bestScore && table.Values[item] > table.Values[best]))
                (best, bestScore) = (item, score);
        }
        count = kept;
        return best;
    }

    private static long FreePart(long free, long capacity) =>
        (long)(((Int128)free << PackingTable.WeightBits) / Math.Max(capacity, 1));
}
