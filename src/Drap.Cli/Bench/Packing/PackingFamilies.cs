using Drap.Core.Market.Packing;

namespace Drap.Cli.Bench.Packing;

/// <summary>Random packing problems of several kinds; the tests of the packer link this file, so that both speak of the same ones.</summary>
internal static class PackingFamilies
{
    public static readonly string[] All = ["uncorrelated", "weakly correlated", "strongly correlated", "tight", "cpu and gpu", "groups"];

    /// <summary>A problem of <paramref name="items"/> items; in all but small ones at least 50 fit.</summary>
    public static PackingProblem Make(string family, int items, int dimensions, Prng random)
    {
        var problem = new PackingProblem();
        long[][] needs = [.. Enumerable.Range(0, items).Select(_ => Need(family, dimensions, random))];
        int[] counts = [.. needs.Select(_ => family == "groups" ? 1 + random.Below(8) : 1)];
        long[] capacity = new long[dimensions];
        for (int d = 0; d < dimensions; d++)
        {
            long all = needs.Select((need, i) => need[d] * counts[i]).Sum();
            long most = needs.Max(need => need[d]);
            // Tight: a ninth of the demand fits; otherwise a quarter to three quarters, differing by dimension.
            capacity[d] = Math.Max(family == "tight" ? all / 9 : all * random.Between(250, 750) / 1000, most);
        }
        problem.Reset(capacity);
        for (int i = 0; i < items; i++)
            Invariant.Check(problem.TryAdd(needs[i], Value(family, needs[i], random), counts[i], random.NextUInt64()));
        return problem;
    }

    private static long[] Need(string family, int dimensions, Prng random)
    {
        long[] need = new long[dimensions];
        bool wantsGpu = family == "cpu and gpu" && random.Chance(1, 4);
        for (int d = 0; d < dimensions; d++)
        {
            need[d] = random.Between(1, 1000);
            if (family == "cpu and gpu" && d == dimensions - 1)
                need[d] = wantsGpu ? 1 + random.Below(4) : 0;
            else if (family == "groups" && random.Chance(1, 3))
                need[d] = 0;
        }
        return need;
    }

    private static long Value(string family, long[] need, Prng random)
    {
        long mean = need.Sum() / need.Length;
        return family switch
        {
            "weakly correlated" => mean + random.Between(0, 500),
            "strongly correlated" or "tight" => mean + 100,
            "cpu and gpu" => need[^1] > 0 ? 2000 + random.Between(0, 1000) : random.Between(100, 600),
            _ => random.Between(1, 1000),
        };
    }
}
