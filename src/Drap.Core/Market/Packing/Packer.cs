namespace Drap.Core.Market.Packing;

/// <summary>
/// Chooses how many copies of each task group a worker takes, for the most value, never more than there is. The same problem gives
/// the same choice whatever the order in which its items were added; work is bounded by steps, never by a clock. It keeps its arrays
/// from call to call. Not thread-safe.
/// </summary>
public sealed class Packer
{
    private readonly PackingTable table = new();
    private readonly DualPrices prices = new();
    private readonly ItemOrder order = new();
    private readonly ItemOrder density = new();
    private readonly BestFit bestFit = new();
    private readonly Exchange exchange = new();
    private readonly CoreSearch core = new();
    private readonly Selection best = new();
    private readonly Selection trial = new();
    private int[] taken = [];

    /// <summary>The value of the last choice, in micro-credits per hour.</summary>
    public Int128 Value { get; private set; }

    /// <summary>Copies to take, by item of the problem; valid until the next call.</summary>
    public ReadOnlySpan<int> Pack(PackingProblem problem, PackingStrategy strategy)
    {
        table.Build(problem);
        best.Clear(table);
        switch (strategy)
        {
            case PackingStrategy.Profit:
                best.Fill(order.ByValue(table));
                break;
            case PackingStrategy.BestFit:
                bestFit.Fill(table, best);
                break;
            case PackingStrategy.Density:
                best.Fill(Density());
                break;
            case PackingStrategy.Hybrid:
                PackHybrid();
                break;
            default:
                Invariant.Fail($"packing strategy {strategy}");
                break;
        }
        return Report(problem);
    }

    /// <summary>Items by value per cost at the dual prices.</summary>
    private ReadOnlySpan<int> Density()
    {
        trial.Clear(table);
        trial.Fill(density.ByEvenDensity(table));
        prices.Solve(table, trial.Value);
        return density.ByDensity(table, prices);
    }

    private void PackHybrid()
    {
        best.Fill(Density());
        KeepBetter();
        trial.Clear(table);
        trial.Fill(order.ByValue(table));
        KeepBetter();
        exchange.Improve(table, best, density.Items);
        if (core.Improve(table, prices, best))
            return;
        best.Fill(density.Items);
        exchange.Improve(table, best, density.Items);
    }

    private void KeepBetter()
    {
        if (trial.Value > best.Value)
            best.CopyFrom(trial);
    }

    private ReadOnlySpan<int> Report(PackingProblem problem)
    {
        if (taken.Length < problem.Items)
            Array.Resize(ref taken, Math.Max(problem.Items, taken.Length * 2));
        Span<int> result = taken.AsSpan(0, problem.Items);
        result.Clear();
        Value = 0;
        for (int i = 0; i < table.Items; i++)
        {
            int source = table.Sources[i];
            result[source] = best.Taken[i];
            Value += (Int128)problem.Value(source) * best.Taken[i];
        }
        Invariant.Check(problem.Fits(result));
        return result;
    }
}
