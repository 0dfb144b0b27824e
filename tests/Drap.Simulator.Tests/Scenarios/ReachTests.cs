using System.Globalization;
using System.Security.Cryptography;
using Drap.Simulator.Worlds;
using Xunit;

namespace Drap.Simulator.Tests.Scenarios;

/// <summary>Every task that can run finds a worker, however large the swarm is and wherever its scheduler stands (issue 5, 2).</summary>
public sealed class ReachTests
{
    [Theory]
    [InlineData(3)]
    [InlineData(30)]
    [InlineData(300)]
    [InlineData(3000)]
    public void Every_task_finds_a_worker(int workers)
    {
        ScenarioResult result = Run(workers, """
              - {name: fresh, region: here, from: 20s}
            """, """
              - {name: usual, schedulers: [old], rate: 0.5, tasks: 2, duration: 2s}
              - {name: late, schedulers: [fresh], rate: 0.5, from: 20s, duration: 2s}
              - {name: rare, schedulers: [fresh], rate: 0.2, from: 20s, duration: 2s, resources: {named: {licence: 1}}}
            """);
        Assert.Equal((0, 0), (result.Lost, result.Failed));
        Assert.True(result.Succeeded > 30, $"{result.Succeeded} tasks");
        // A task that only one worker can run has to climb, a rung a second.
        Assert.True(result.WaitMs.P50 < 250, $"{result.WaitMs}");
        Assert.True(result.WaitMs.Max < 20_000, $"{result.WaitMs}");
    }

    [Theory]
    [InlineData(3)]
    [InlineData(300)]
    public void A_scheduler_in_a_region_without_workers_is_heard_elsewhere(int workers)
    {
        ScenarioResult result = Run(workers, "  - {name: alone, region: nowhere}", "  - {name: work, schedulers: [alone], rate: 1, tasks: 2, duration: 2s}");
        Assert.Equal((0, 0), (result.Lost, result.Failed));
        Assert.True(result.WaitMs.P99 < 4_000, $"{result.WaitMs}");
    }

    [Fact]
    public void A_task_that_must_run_in_another_region_is_advertised_there()
    {
        ScenarioResult result = Run(300, "  - {name: far, region: there}", "  - {name: work, schedulers: [far], rate: 1, duration: 2s, constraints: {region: here}}");
        Assert.Equal((0, 0), (result.Lost, result.Failed));
        Assert.True(result.WaitMs.P99 < 4_000, $"{result.WaitMs}");
    }

    /// <summary>
    /// The source's rule, simulated: a worker hears the shards that a hash of its id, one for each leaf, picks among 256; a task goes to the one that a
    /// hash of its own picks. In small swarms nearly no task is heard.
    /// </summary>
    [Theory]
    [InlineData(3, 0.00, 0.05)]
    [InlineData(30, 0.05, 0.20)]
    [InlineData(300, 0.55, 0.80)]
    [InlineData(3000, 0.99, 1.00)]
    public void Two_hundred_and_fifty_six_shards_are_too_many_for_small_swarms(int workers, double least, double most)
    {
        const int shards = 256, tasks = 5_000;
        var heard = new HashSet<int>();
        for (int i = 0; i < workers; i++)
            heard.Add(ShardOf(string.Create(CultureInfo.InvariantCulture, $"worker {i}")));
        int reached = Enumerable.Range(0, tasks).Count(i => heard.Contains(ShardOf(string.Create(CultureInfo.InvariantCulture, $"task {i}"))));
        Assert.InRange((double)reached / tasks, least, most);

        static int ShardOf(string name) => SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(name))[0] % shards;
    }

    private static ScenarioResult Run(int workers, string schedulers, string work) => Example.RunText($$$"""
        duration: 40s
        checks: false
        workers:
          - {name: w, count: {{{workers - 1}}}, region: here, cpu: 4}
          - {name: rare, region: there, cpu: 4, named: {licence: 2}}
        schedulers:
          - {name: old, region: here}
        {{{schedulers}}}
        network: {near: 5ms, far: 60ms}
        work:
        {{{work}}}
        """, "reach.yaml");
}
