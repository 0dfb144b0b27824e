using System.Diagnostics;
using System.Globalization;
using Drap.Cli.Output;
using Drap.Core.Market.Packing;

namespace Drap.Cli.Bench.Packing;

/// <summary>Packs random problems with each strategy, beside the best that is possible: how docs/market.md comes by its figures.</summary>
internal static class PackingBench
{
    private const int Large = 1000, Dimensions = 8;

    /// <summary>So many groups of the tight family that some fifty tasks fit.</summary>
    private const int Few = 330;

    /// <summary>Small problems for each large one: they are a thousandfold quicker, and their shares differ more.</summary>
    private const int SmallFactor = 67;

    private static readonly PackingStrategy[] strategies = [PackingStrategy.Hybrid, PackingStrategy.Density, PackingStrategy.Profit, PackingStrategy.BestFit];

    public static int Run(Screen screen, int instances, CancellationToken cancel)
    {
        var rows = new List<PackingRow>();
        // Compiled code from the first figure on.
        Measure("warm up", "linear", 3, k => PackingFamilies.Make("groups", 100, Dimensions, new Prng((ulong)k)), LinearBound.Of, cancel);
        foreach (string family in PackingFamilies.All)
            Family(family, family, Large);
        Family("tight, few", "tight", Few);
        int small = instances * SmallFactor;
        screen.Say($"packing: {small} small problems, against the exhaustive optimum");
        rows.AddRange(Measure("small", "optimum", small, k => SmallPackings.Make(new Prng((ulong)(1 + k))), p => SmallPackings.Optimum(p), cancel));
        screen.Write(new PackingFigures { Rows = rows }, FiguresJson.Default.PackingFigures, output => Print(output, rows), () => []);
        return ExitCode.Ok;

        void Family(string name, string family, int groups)
        {
            screen.Say($"packing: {name}, {instances} problems of {groups} groups in {Dimensions} dimensions, against the linear program's optimum");
            rows.AddRange(Measure(name, "linear", instances, k => PackingFamilies.Make(family, groups, Dimensions, new Prng((ulong)(groups + k))), LinearBound.Of, cancel));
        }
    }

    /// <summary>A row for each strategy.</summary>
    /// <param name="family">What the problems are called.</param>
    /// <param name="bound">What the bound is called.</param>
    /// <param name="instances">How many problems.</param>
    /// <param name="make">The problem with this number, always the same.</param>
    /// <param name="best">What no choice is worth more than.</param>
    /// <param name="cancel">Ends it between two problems.</param>
    internal static IEnumerable<PackingRow> Measure(
        string family, string bound, int instances, Func<int, PackingProblem> make, Func<PackingProblem, double> best, CancellationToken cancel)
    {
        var packer = new Packer();
        var sums = strategies.ToDictionary(s => s, _ => new Sum());
        long groups = 0, dimensions = 0;
        for (int k = 0; k < instances; k++)
        {
            cancel.ThrowIfCancellationRequested();
            PackingProblem problem = make(k);
            double most = best(problem);
            groups += problem.Items;
            dimensions += problem.Dimensions;
            foreach (PackingStrategy strategy in strategies)
            {
                long start = Stopwatch.GetTimestamp();
                ReadOnlySpan<int> taken = packer.Pack(problem, strategy);
                double ms = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
                Invariant.Check(problem.Fits(taken));
                sums[strategy].Add(most == 0 ? 1 : (double)packer.Value / most, taken, ms);
            }
        }
        return [.. strategies.Select(s => sums[s].Row(family, bound, (double)groups / instances, (double)dimensions / instances, s))];
    }

    private static void Print(TextWriter output, List<PackingRow> rows)
    {
        var table = new TextTable("family", ">groups", ">problems", "bound", "strategy", ">fit", ">% of bound", ">least", ">reached", ">ms", ">most ms");
        foreach (PackingRow row in rows)
            table.Row(
                row.Family, Number(row.Groups, "0"), Words.Of(row.Instances), row.Bound, row.Strategy, Number(row.Fit, "0"), Number(row.MeanPercent, "0.00"),
                Number(row.LeastPercent, "0.00"), Words.Of(row.Exact), Number(row.MsMean, "0.000"), Number(row.MsMost, "0.000"));
        table.Write(output);
    }

    private static string Number(double value, string format) => value.ToString(format, CultureInfo.InvariantCulture);

    /// <summary>One strategy's figures as they come.</summary>
    private sealed class Sum
    {
        private int count, exact;
        private long fit;
        private double share, least = double.MaxValue, ms, most;

        public void Add(double reached, ReadOnlySpan<int> taken, double time)
        {
            count++;
            share += reached;
            least = Math.Min(least, reached);
            exact += reached >= 1 ? 1 : 0;
            foreach (int copies in taken)
                fit += copies;
            ms += time;
            most = Math.Max(most, time);
        }

        public PackingRow Row(string family, string bound, double groups, double dimensions, PackingStrategy strategy) => new(
            family, bound, Math.Round(groups, 1), Math.Round(dimensions, 1), count, NameOf(strategy), Math.Round((double)fit / count, 1), Math.Round(share / count * 100, 2),
            Math.Round(least * 100, 2), exact, Math.Round(ms / count, 3), Math.Round(most, 3));

        private static string NameOf(PackingStrategy strategy) => strategy == PackingStrategy.BestFit ? "best-fit" : strategy.ToString().ToLowerInvariant();
    }
}
