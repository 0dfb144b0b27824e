namespace Drap.Core.Market.Packing;

/// <summary>
/// What each dimension is worth among these tasks: Lagrange multipliers of the relaxed problem, found by a fixed number of subgradient
/// steps (Held and Karp, with Polyak's step length) in integers. They make scarce dimensions dear, so that work which wants only processors
/// is not taken for those last processors without which a GPU stands idle; and they bound every selection from above.
/// </summary>
internal sealed class DualPrices
{
    // After this many the bound is within a few permille of the linear program's; more steps buy less than the search that follows.
    private const int Steps = 80;

    // Without a better bound for so long the step length is halved.
    private const int Patience = 4;

    private const long Whole = 1L << PackingTable.WeightBits;

    // A relaxed selection may use a dimension many times over; beyond this multiple it says no more.
    private const long UsageMax = 64 * Whole;

    // No dimension is worth more than everything together.
    private const long PriceMax = 1L << 38;

    private readonly long[] prices = new long[PackingProblem.DimensionsMax];
    private readonly long[] best = new long[PackingProblem.DimensionsMax];
    private readonly long[] slack = new long[PackingProblem.DimensionsMax];

    /// <summary>By dimension: what the whole of it is worth, in scaled value.</summary>
    public ReadOnlySpan<long> Prices => best;

    /// <summary>By item: its value less what it uses at these prices; rounded up.</summary>
    public long[] Reduced = [];

    /// <summary>No selection is worth more.</summary>
    public long Bound { get; private set; }

    /// <summary>Finds the prices; <paramref name="known"/> is the value of some selection.</summary>
    public void Solve(PackingTable table, long known)
    {
        if (Reduced.Length < table.Items)
            Reduced = new long[table.Sources.Length];
        Start(table, known);
        Bound = long.MaxValue;
        long theta = 256;
        int stale = 0;
        for (int step = 0; step < Steps; step++)
        {
            long bound = Relax(table);
            if (bound < Bound)
            {
                Bound = bound;
                prices.CopyTo(best, 0);
                stale = 0;
            }
            else if (++stale >= Patience)
            {
                theta = Math.Max(theta / 2, 1);
                stale = 0;
            }
            if (!Move(table.Dimensions, Math.Max(bound - known, 1), theta))
                break;
        }
        best.CopyTo(prices, 0);
        Relax(table);
    }

    /// <summary>What one copy of an item uses at these prices.</summary>
    public long CostOf(PackingTable table, int item) => Cost(table.Weights.AsSpan(item * table.Dimensions, table.Dimensions), best);

    /// <summary>At first each dimension is worth its share of the overdemand.</summary>
    private void Start(PackingTable table, long known)
    {
        Int128 all = 0;
        Span<Int128> demand = stackalloc Int128[PackingProblem.DimensionsMax];
        for (int i = 0; i < table.Items; i++)
            for (int d = 0; d < table.Dimensions; d++)
                demand[d] += (Int128)table.Weights[i * table.Dimensions + d] * table.Counts[i];
        for (int d = 0; d < table.Dimensions; d++)
            all += demand[d];
        Array.Clear(prices);
        for (int d = 0; d < table.Dimensions; d++)
            prices[d] = all == 0 ? 0 : (long)(demand[d] * known / all);
    }

    /// <summary>Takes at the present prices everything that pays for itself: its value bounds every selection, its use says what is too cheap.</summary>
    private long Relax(PackingTable table)
    {
        int dimensions = table.Dimensions;
        Span<long> usage = slack.AsSpan(0, dimensions);
        usage.Clear();
        ReadOnlySpan<long> price = prices.AsSpan(0, dimensions);
        long bound = 0;
        for (int d = 0; d < dimensions; d++)
            bound += price[d];
        for (int i = 0; i < table.Items; i++)
        {
            ReadOnlySpan<long> weights = table.Weights.AsSpan(i * dimensions, dimensions);
            long reduced = table.Values[i] - Cost(weights, price);
            Reduced[i] = reduced;
            if (reduced <= 0)
                continue;
            int count = table.Counts[i];
            bound += reduced * count;
            for (int d = 0; d < usage.Length; d++)
                usage[d] += weights[d] * count;
        }
        for (int d = 0; d < dimensions; d++)
            slack[d] = Whole - Math.Min(usage[d], UsageMax);
        return bound;
    }

    /// <summary>Makes what is overused dearer and what is left over cheaper, by (gap / |slack|²) × slack; false when the prices no longer move.</summary>
    private bool Move(int dimensions, long gap, long theta)
    {
        long norm = 0;
        for (int d = 0; d < dimensions; d++)
            if (slack[d] < 0 || prices[d] > 0)
                norm += slack[d] * slack[d];
        if (norm == 0)
            return false;
        bool moved = false;
        for (int d = 0; d < dimensions; d++)
        {
            Int128 step = (Int128)gap * theta * slack[d] * Whole / norm / 256;
            long next = (long)Int128.Clamp(prices[d] - step, 0, PriceMax);
            moved |= next != prices[d];
            prices[d] = next;
        }
        return moved;
    }

    private static long Cost(ReadOnlySpan<long> weights, ReadOnlySpan<long> price)
    {
        long cost = 0;
        for (int d = 0; d < weights.Length; d++)
            cost += weights[d] * price[d];
        return cost >> PackingTable.WeightBits;
    }
}
