using System.Collections.Immutable;
using Drap.Core.Transfer;
using Xunit;

namespace Drap.Core.Tests.Transfer;

/// <summary>How what is lacking of files is shared out among their holders.</summary>
public sealed class LeafPlanTests
{
    [Fact]
    public void A_holder_owes_two_runs_at_most_and_others_take_what_follows()
    {
        var plan = new LeafPlan();
        plan.Add(20, leaf => leaf is 3);
        Assert.Equal((19, false), (plan.Left, plan.IsComplete));
        Assert.Equal([new LeafRun(0, 0, 3), new LeafRun(0, 4, 8)], Take(plan, 1));
        Assert.Equal([new LeafRun(0, 12, 8)], Take(plan, 2));
        Assert.Empty(Take(plan, 3));
        for (int i = 0; i < 3; i++)
            plan.Came(1);
        // Room for one more, and nothing left to take.
        Assert.Empty(Take(plan, 1));
        Assert.Equal(16, plan.Left);
    }

    [Fact]
    public void What_a_lost_holder_owed_is_taken_by_another_and_what_it_brought_is_not()
    {
        var plan = new LeafPlan();
        plan.Add(16, _ => false);
        Assert.Equal(2, Take(plan, 1).Length);
        for (int i = 0; i < 5; i++)
            plan.Came(1);
        plan.Lost(1);
        Assert.Equal([new LeafRun(0, 5, 3), new LeafRun(0, 8, 8)], Take(plan, 2));
        for (int i = 0; i < 11; i++)
            plan.Came(2);
        Assert.True(plan.IsComplete);
        Assert.Equal([0], plan.Whole());
    }

    [Fact]
    public void What_is_whole_from_the_beginning_needs_nobody()
    {
        var plan = new LeafPlan();
        plan.Add(2, _ => true);
        plan.Add(1, _ => false);
        Assert.Equal([0], plan.Whole());
        Assert.Equal([new LeafRun(1, 0, 1)], Take(plan, 1));
    }

    /// <summary>Holders of different speed come, break off and come again; each leaf comes once but for those that were owed when one broke off.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public void Whatever_holders_do_each_leaf_comes_once(ulong seed)
    {
        var random = new Prng(seed);
        var plan = new LeafPlan();
        var here = new HashSet<(int File, int Leaf)>();
        int total = 0;
        for (int file = 0; file < 6; file++)
        {
            int leaves = 1 + random.Below(60), own = file;
            total += leaves;
            plan.Add(leaves, leaf => random.Below(4) == 0 && here.Add((own, leaf)));
        }
        int lost = 0;
        for (int steps = 0; !plan.IsComplete; steps++)
        {
            Assert.True(steps < 100_000, $"seed {seed} does not end");
            int holder = random.Below(4);
            _ = plan.TryTake(holder, out _);
            if (random.Below(20) == 0)
            {
                plan.Lost(holder);
                lost++;
            }
            else if (plan.TryOwed(holder, out int file, out int leaf))
            {
                Assert.True(here.Add((file, leaf)), $"seed {seed}: leaf {leaf} of file {file} came twice");
                plan.Came(holder);
            }
            Assert.Equal(total - here.Count, plan.Left);
        }
        Assert.True(lost > 0);
        Assert.Equal(Enumerable.Range(0, 6), plan.Whole());
    }

    private static ImmutableArray<LeafRun> Take(LeafPlan plan, int holder)
    {
        var runs = ImmutableArray.CreateBuilder<LeafRun>();
        while (plan.TryTake(holder, out LeafRun run))
            runs.Add(run);
        return runs.ToImmutable();
    }
}
