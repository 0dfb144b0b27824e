namespace Drap.Core.Market.Packing;

/// <summary>
/// A bounded branch and bound. At the dual prices every item has a side, taken or left, and each copy on the other side lowers the bound
/// by its reduced value; where that falls to what is known, the branch ends. Items for which the prices speak clearly are decided first;
/// the few in doubt, the core, are searched. Small problems end with the optimum, large ones after a fixed number of nodes with the best found.
/// </summary>
internal sealed class CoreSearch
{
    // Nodes of some 50 ns each: a millisecond.
    private const int NodesMax = 12_000;

    // Items in doubt that are branched on; 2^48 combinations are more than the nodes reach, and the recursion stays shallow.
    private const int CoreMax = 48;

    private readonly ItemOrder order = new();
    private readonly Selection current = new();
    private int[] core = [];
    private PackingTable table = null!;
    private DualPrices prices = null!;
    private Selection best = null!;
    private int nodes;

    /// <summary>Replaces <paramref name="found"/> by a better selection if the search finds one; true if it ended with certainty.</summary>
    public bool Improve(PackingTable of, DualPrices at, Selection found)
    {
        (table, prices, best, nodes) = (of, at, found, 0);
        ReadOnlySpan<int> byClarity = order.ByClarity(of, at);
        if (core.Length < of.Items)
            core = new int[of.Sources.Length];
        byClarity.CopyTo(core);
        current.Clear(of);
        long bound = at.Bound;
        int clear = Math.Max(0, of.Items - CoreMax);
        bool certain = true;
        for (int k = 0; k < clear; k++)
        {
            int item = core[k];
            long reduced = at.Reduced[item];
            int room = reduced > 0 ? current.Room(item) : 0;
            if (room > 0)
                current.Take(item, room);
            // The other ways for this item are not looked at; that is certain where there are none, or none that could be better.
            certain &= (reduced > 0 && room == 0) || bound - Math.Abs(reduced) <= best.Value;
            bound -= reduced > 0 ? reduced * (of.Counts[item] - room) : 0;
        }
        Visit(clear, bound);
        return certain && nodes < NodesMax;
    }

    private void Visit(int depth, long bound)
    {
        if (bound <= best.Value || nodes >= NodesMax)
            return;
        nodes++;
        if (depth == table.Items)
        {
            if (current.Value > best.Value)
                best.CopyFrom(current);
            return;
        }
        int item = core[depth];
        int room = current.Room(item);
        long reduced = prices.Reduced[item];
        if (reduced > 0)
        {
            bound -= reduced * (table.Counts[item] - room);
            if (room > 0)
                current.Take(item, room);
            for (int copies = room; ; copies--, bound -= reduced)
            {
                if (bound > best.Value)
                    Visit(depth + 1, bound);
                if (copies == 0)
                    return;
                if (bound <= best.Value || nodes >= NodesMax)
                {
                    current.Take(item, -copies);
                    return;
                }
                current.Take(item, -1);
            }
        }
        for (int copies = 0; ; copies++, bound += reduced)
        {
            if (bound > best.Value)
                Visit(depth + 1, bound);
            if (copies == room || bound <= best.Value || nodes >= NodesMax)
            {
                if (copies > 0)
                    current.Take(item, -copies);
                return;
            }
            current.Take(item, 1);
        }
    }
}
