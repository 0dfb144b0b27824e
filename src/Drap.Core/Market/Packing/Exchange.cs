namespace Drap.Core.Market.Packing;

/// <summary>
/// Improves a selection by exchanges near the edge between taken and left: one for one, one for two, two for one. Every exchange raises
/// the value, and the number of looks is bounded, so it ends.
/// </summary>
internal sealed class Exchange
{
    // Items on each side of the edge. Beyond it an exchange hardly pays: the dual prices speak clearly there. 40 × 40 × 40 / 2 looks of
    // a few nanoseconds are a quarter of a millisecond.
    private const int Window = 40;

    private const int RoundsMax = 12;

    private readonly int[] taken = new int[Window];
    private readonly int[] left = new int[Window];
    private int takenCount, leftCount;

    public void Improve(PackingTable table, Selection selection, ReadOnlySpan<int> byDensity)
    {
        for (int round = 0; round < RoundsMax; round++)
        {
            long before = selection.Value;
            Collect(table, selection, byDensity);
            for (int i = 0; i < leftCount; i++)
                Bring(table, selection, left[i]);
            selection.Fill(byDensity);
            if (selection.Value == before)
                return;
        }
    }

    /// <summary>The worst that are taken and the best that are left.</summary>
    private void Collect(PackingTable table, Selection selection, ReadOnlySpan<int> byDensity)
    {
        takenCount = leftCount = 0;
        for (int k = byDensity.Length - 1; k >= 0 && takenCount < Window; k--)
            if (selection.Taken[byDensity[k]] > 0)
                taken[takenCount++] = byDensity[k];
        for (int k = 0; k < byDensity.Length && leftCount < Window; k++)
            if (selection.Taken[byDensity[k]] < table.Counts[byDensity[k]])
                left[leftCount++] = byDensity[k];
    }

    /// <summary>Tries to bring one item in, alone or with a second one, for one or two that go.</summary>
    private void Bring(PackingTable table, Selection selection, int coming)
    {
        if (selection.Taken[coming] == table.Counts[coming])
            return;
        if (selection.FitsOne(coming))
        {
            selection.Take(coming, 1);
            return;
        }
        for (int a = 0; a < takenCount; a++)
        {
            int going = taken[a];
            if (going == coming || selection.Taken[going] == 0)
                continue;
            selection.Take(going, -1);
            if (ForOne(table, selection, going, coming) || ForTwo(table, selection, a, coming))
                return;
            selection.Take(going, 1);
        }
    }

    /// <summary>With one gone: the coming one, and perhaps a second one with it.</summary>
    private bool ForOne(PackingTable table, Selection selection, int going, int coming)
    {
        if (!selection.FitsOne(coming))
            return false;
        selection.Take(coming, 1);
        long missing = table.Values[going] - table.Values[coming];
        if (missing < 0)
            return true;
        for (int b = 0; b < leftCount; b++)
        {
            int second = left[b];
            if (second == going || table.Values[second] <= missing || !selection.FitsOne(second))
                continue;
            selection.Take(second, 1);
            return true;
        }
        selection.Take(coming, -1);
        return false;
    }

    /// <summary>With one gone: one more goes for the coming one.</summary>
    private bool ForTwo(PackingTable table, Selection selection, int first, int coming)
    {
        long surplus = table.Values[coming] - table.Values[taken[first]];
        if (surplus <= 0)
            return false;
        for (int b = first; b < takenCount; b++)
        {
            int going = taken[b];
            if (going == coming || selection.Taken[going] == 0 || table.Values[going] >= surplus)
                continue;
            selection.Take(going, -1);
            if (selection.FitsOne(coming))
            {
                selection.Take(coming, 1);
                return true;
            }
            selection.Take(going, 1);
        }
        return false;
    }
}
