using Drap.Core.Market.Packing;

namespace Drap.Cli.Bench.Packing;

/// <summary>Packing problems so small that every choice can be tried.</summary>
internal static class SmallPackings
{
    /// <summary>One to nine groups of one or three copies in one to four dimensions; half of them are worth what they take.</summary>
    public static PackingProblem Make(Prng random)
    {
        int dimensions = 1 + random.Below(4);
        var problem = new PackingProblem();
        problem.Reset([.. Enumerable.Range(0, dimensions).Select(_ => random.Between(5, 40))]);
        int items = 1 + random.Below(9);
        bool isCorrelated = random.Chance(1, 2);
        for (int i = 0; i < items; i++)
        {
            long[] need = [.. Enumerable.Range(0, dimensions).Select(_ => random.Chance(1, 5) ? 0 : random.Between(1, 20))];
            problem.TryAdd(need, isCorrelated ? need.Sum() + 3 : random.Between(1, 50), random.Chance(1, 4) ? 3 : 1, random.NextUInt64());
        }
        return problem;
    }

    /// <summary>What the best of all choices is worth.</summary>
    public static long Optimum(PackingProblem problem)
    {
        long[] free = problem.Capacity.ToArray();
        return Best(0);

        long Best(int item)
        {
            if (item == problem.Items)
                return 0;
            long best = Best(item + 1);
            int copies = 0;
            while (copies < problem.Count(item) && Fits(item))
            {
                Add(item, -1);
                copies++;
                best = Math.Max(best, copies * problem.Value(item) + Best(item + 1));
            }
            Add(item, copies);
            return best;
        }

        bool Fits(int item)
        {
            for (int d = 0; d < free.Length; d++)
                if (problem.Need(item)[d] > free[d])
                    return false;
            return true;
        }

        void Add(int item, int copies)
        {
            for (int d = 0; d < free.Length; d++)
                free[d] += problem.Need(item)[d] * copies;
        }
    }
}
