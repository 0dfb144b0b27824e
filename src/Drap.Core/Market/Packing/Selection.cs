namespace Drap.Core.Market.Packing;

/// <summary>How many copies of each item of a table are taken, and what is left.</summary>
internal sealed class Selection
{
    private PackingTable table = null!;

    /// <summary>Copies taken, by item.</summary>
    public int[] Taken = [];

    /// <summary>What is left, by dimension; never negative.</summary>
    public readonly long[] Free = new long[PackingProblem.DimensionsMax];

    /// <summary>The scaled value of what is taken.</summary>
    public long Value;

    /// <summary>Takes nothing.</summary>
    public void Clear(PackingTable of)
    {
        table = of;
        if (Taken.Length < of.Sources.Length)
            Taken = new int[of.Sources.Length];
        Taken.AsSpan(0, of.Items).Clear();
        of.Capacity.AsSpan(0, of.Dimensions).CopyTo(Free);
        Value = 0;
    }

    public void CopyFrom(Selection other)
    {
        Clear(other.table);
        other.Taken.AsSpan(0, table.Items).CopyTo(Taken);
        other.Free.CopyTo(Free, 0);
        Value = other.Value;
    }

    /// <summary>Whether one more copy of an item may be taken.</summary>
    public bool FitsOne(int item)
    {
        if (Taken[item] >= table.Counts[item])
            return false;
        int row = item * table.Dimensions;
        for (int d = 0; d < table.Dimensions; d++)
            if (table.Needs[row + d] > Free[d])
                return false;
        return true;
    }

    /// <summary>How many more copies of an item may be taken: 0 if it is used up or does not fit.</summary>
    public int Room(int item)
    {
        int room = table.Counts[item] - Taken[item];
        if (room == 0)
            return 0;
        int row = item * table.Dimensions;
        for (int d = 0; d < table.Dimensions; d++)
        {
            long need = table.Needs[row + d];
            if (need > Free[d])
                return 0;
            if (room > 1 && need > 0 && (Int128)need * room > Free[d])
                room = (int)(Free[d] / need);
        }
        return room;
    }

    /// <summary>Takes copies, or with a negative number gives them back; the caller has seen that they fit.</summary>
    public void Take(int item, int copies)
    {
        Taken[item] += copies;
        Value += table.Values[item] * copies;
        int row = item * table.Dimensions;
        for (int d = 0; d < table.Dimensions; d++)
            Free[d] -= table.Needs[row + d] * copies;
    }

    /// <summary>Takes of each item in turn as much as fits.</summary>
    public void Fill(ReadOnlySpan<int> order)
    {
        foreach (int item in order)
        {
            int room = Room(item);
            if (room > 0)
                Take(item, room);
        }
    }
}
