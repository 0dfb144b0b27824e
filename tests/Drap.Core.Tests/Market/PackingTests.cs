using Drap.Cli.Bench.Packing;
using Drap.Core.Market.Packing;
using FsCheck.Fluent;
using FsCheck;
using Xunit;

namespace Drap.Core.Tests.Market;

public class PackingTests
{
    private static readonly PackingStrategy[] Strategies = Enum.GetValues<PackingStrategy>();

    private readonly Packer packer = new();

    [Fact]
    public void The_sources_example_takes_B_C_and_D_for_20()
    {
        var problem = new PackingProblem();
        problem.Reset([4, 32, 128]);
        problem.TryAdd([2, 16, 64], 10, 1, 0);
        problem.TryAdd([1, 8, 32], 5, 1, 1);
        problem.TryAdd([2, 8, 32], 8, 1, 2);
        problem.TryAdd([1, 16, 64], 7, 1, 3);
        Assert.Equal([0, 1, 1, 1], packer.Pack(problem, PackingStrategy.Hybrid).ToArray());
        Assert.Equal(20, packer.Value);
    }

    [Fact]
    public void Processor_work_does_not_strand_a_gpu()
    {
        // Eight cores, two GPUs. Eight one-core tasks pay more per core than a GPU task does, but a GPU without a core earns nothing.
        var problem = new PackingProblem();
        problem.Reset([8, 2]);
        problem.TryAdd([1, 0], 30, 8, 0);
        problem.TryAdd([2, 1], 100, 2, 1);
        foreach (PackingStrategy strategy in (PackingStrategy[])[PackingStrategy.Density, PackingStrategy.Hybrid])
            Assert.Equal([4, 2], packer.Pack(problem, strategy).ToArray());
    }

    [Fact]
    public void Every_strategy_keeps_below_the_exhaustive_optimum_and_hybrid_reaches_it()
    {
        var sums = new double[Strategies.Length];
        const int instances = 4000;
        int exact = 0;
        for (ulong seed = 1; seed <= instances; seed++)
        {
            PackingProblem problem = SmallPackings.Make(new Prng(seed));
            long optimum = SmallPackings.Optimum(problem);
            foreach (PackingStrategy strategy in Strategies)
            {
                ReadOnlySpan<int> taken = packer.Pack(problem, strategy);
                Assert.True(problem.Fits(taken), $"seed {seed}, {strategy}: overpacked");
                Assert.True(packer.Value <= optimum, $"seed {seed}, {strategy}: {packer.Value} above the optimum of {optimum}");
                Assert.True(IsMaximal(problem, taken.ToArray()), $"seed {seed}, {strategy}: one more would fit");
                exact += strategy == PackingStrategy.Hybrid && packer.Value == optimum ? 1 : 0;
                sums[(int)strategy] += optimum == 0 ? 1 : (double)packer.Value / optimum;
            }
        }
        foreach (PackingStrategy strategy in Strategies)
            TestContext.Current.TestOutputHelper?.WriteLine($"{strategy}: {sums[(int)strategy] / instances:p2} of the optimum");
        // Windows as small as these are searched to the end.
        Assert.Equal(instances, exact);
        Assert.True(sums[(int)PackingStrategy.Density] / instances >= 0.90);
        Assert.True(sums[(int)PackingStrategy.Profit] / instances >= 0.85);
        Assert.True(sums[(int)PackingStrategy.BestFit] / instances >= 0.60);
    }

    [Theory]
    [InlineData(1000, 8, 6)]
    [InlineData(340, 8, 20)]
    [InlineData(200, 3, 20)]
    public void Hybrid_reaches_97_percent_of_the_linear_bound_where_fifty_items_fit(int items, int dimensions, int instances)
    {
        foreach (string family in PackingFamilies.All)
        {
            double sum = 0;
            int counted = 0;
            for (int k = 0; k < instances; k++)
            {
                PackingProblem problem = PackingFamilies.Make(family, items, dimensions, new Prng((ulong)(items + k)));
                ReadOnlySpan<int> taken = packer.Pack(problem, PackingStrategy.Hybrid);
                Assert.True(problem.Fits(taken));
                if (Sum(taken) < 50)
                    continue;
                double ratio = (double)packer.Value / LinearBound.Of(problem);
                Assert.InRange(ratio, 0.5, 1.000001);
                sum += ratio;
                counted++;
            }
            TestContext.Current.TestOutputHelper?.WriteLine($"{family}, {items} × {dimensions}: {sum / Math.Max(counted, 1):p2} of {counted}");
            Assert.True(counted == 0 || sum / counted >= 0.97, $"{family}, {items} × {dimensions}: {sum / counted:p2}");
        }
    }

    [Fact]
    public void The_choice_does_not_depend_on_the_order_in_which_items_were_added()
    {
        for (ulong seed = 1; seed <= 200; seed++)
        {
            var random = new Prng(seed);
            PackingProblem problem = PackingFamilies.Make(PackingFamilies.All[(int)(seed % 6)], 60, 4, random);
            int[] permutation = [.. Enumerable.Range(0, problem.Items)];
            random.Shuffle<int>(permutation);
            var shuffled = new PackingProblem();
            shuffled.Reset(problem.Capacity);
            foreach (int i in permutation)
                shuffled.TryAdd(problem.Need(i), problem.Value(i), problem.Count(i), problem.Order(i));
            foreach (PackingStrategy strategy in Strategies)
            {
                int[] taken = packer.Pack(problem, strategy).ToArray();
                int[] again = packer.Pack(shuffled, strategy).ToArray();
                for (int i = 0; i < permutation.Length; i++)
                    Assert.True(taken[permutation[i]] == again[i], $"seed {seed}, {strategy}, item {permutation[i]}");
            }
        }
    }

    [Fact]
    public void Nothing_overpacks_whatever_the_amounts()
    {
        Gen<long> amount = Gen.OneOf(Gen.Constant(0L), Gen.Choose(0, 10).Select(x => (long)x),
            Gen.Choose(0, 53).Select(x => 1L << x), Gen.Choose(0, int.MaxValue).Select(x => x * (1L << 22)));
        Gen<long> value = Gen.OneOf(Gen.Constant(-1L), Gen.Constant(0L), Gen.Choose(1, 100).Select(x => (long)x),
            Gen.Constant(Price.LimitMax.MicroPerHour));
        Gen<(long[] Need, long Value, int Count)> item =
            from need in amount.ArrayOf(3)
            from worth in value
            from count in Gen.Elements(0, 1, 2, 7, PackingProblem.CountMax)
            select (need, worth, count);
        Gen<(long[] Capacity, (long[] Need, long Value, int Count)[] Items)> instance =
            from capacity in amount.ArrayOf(3)
            from items in item.ArrayOf()
            select (capacity, items);
        Prop.ForAll(instance.ToArbitrary(), given =>
        {
            var problem = new PackingProblem();
            problem.Reset(given.Capacity);
            foreach (var (need, worth, count) in given.Items)
                problem.TryAdd(need, worth, count, 0);
            return Strategies.All(strategy => problem.Fits(packer.Pack(problem, strategy)));
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(2000));
    }

    [Fact]
    public void Work_for_nothing_is_taken_when_nothing_else_wants_the_place()
    {
        var problem = new PackingProblem();
        problem.Reset([10]);
        problem.TryAdd([1], 0, 100, 0);
        problem.TryAdd([4], 5, 1, 1);
        problem.TryAdd([1], -1, 100, 2);
        foreach (PackingStrategy strategy in (PackingStrategy[])[PackingStrategy.Hybrid, PackingStrategy.Profit])
            Assert.Equal([6, 1, 0], packer.Pack(problem, strategy).ToArray());
    }

    [Fact]
    public void A_full_problem_refuses_more_items()
    {
        var problem = new PackingProblem();
        problem.Reset([1]);
        for (int i = 0; i < PackingProblem.ItemsMax; i++)
            Assert.True(problem.TryAdd([1], 1, 1, (ulong)i));
        Assert.False(problem.TryAdd([1], 1, 1, 0));
        Assert.Equal(1, Sum(packer.Pack(problem, PackingStrategy.Hybrid)));
    }

    private static bool IsMaximal(PackingProblem problem, int[] taken)
    {
        long[] free = problem.Capacity.ToArray();
        for (int i = 0; i < problem.Items; i++)
            Add(problem, i, free, -taken[i]);
        return !Enumerable.Range(0, problem.Items).Any(i => taken[i] < problem.Count(i) && Fits(problem, i, free));
    }

    private static bool Fits(PackingProblem problem, int item, long[] free)
    {
        for (int d = 0; d < free.Length; d++)
            if (problem.Need(item)[d] > free[d])
                return false;
        return true;
    }

    private static void Add(PackingProblem problem, int item, long[] free, int copies)
    {
        for (int d = 0; d < free.Length; d++)
            free[d] += problem.Need(item)[d] * copies;
    }

    private static int Sum(ReadOnlySpan<int> taken)
    {
        int sum = 0;
        foreach (int copies in taken)
            sum += copies;
        return sum;
    }
}
