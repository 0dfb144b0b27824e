using Drap.Simulator.Scenarios;
using Drap.Simulator.Worlds;
using Xunit;

namespace Drap.Simulator.Tests.Scenarios;

public sealed class WorldTests
{
    [Fact]
    public void The_same_seed_gives_the_same_hash_and_another_one_another()
    {
        ScenarioResult first = Run(1), second = Run(1), other = Run(2);
        Assert.Equal(first.Hash, second.Hash);
        Assert.Equal(first.Events, second.Events);
        Assert.NotEqual(first.Hash, other.Hash);
        Assert.Equal((0, 0), (first.Lost, other.Lost));
        Assert.Equal(first.Tasks, first.Succeeded);

        static ScenarioResult Run(int seed) => Example.Run("small-lab", "duration=3m", "warm_up=0s", $"seed={seed}");
    }

    [Fact]
    public void A_place_that_is_free_is_found_at_once()
    {
        ScenarioResult result = Example.Run("small-lab", "duration=10m", "checks=false");
        Assert.True(result.PlacementMs.P50 < 20, $"{result.PlacementMs}");
        Assert.InRange(result.Utilisation.Cpu, 0.3, 0.7);
    }

    /// <summary>Each ready scenario, at a size that a test has time for: nothing is lost, nothing fails that should not.</summary>
    [Theory]
    [InlineData("partition", "duration=4m", "warm_up=30s", "faults[0].at=1m", "faults[0].for=90s", "workers[0].count=6", "workers[1].count=6", "workers[2].count=4")]
    [InlineData("flash-crowd", "duration=3m", "workers[0].count=6", "work[1].every=2m", "schedulers[1].count=4", "work[1].rate=0.03", "checks=false")]
    [InlineData("churn", "duration=4m", "workers[0].count=8", "workers[0].churn.up=3m", "workers[1].count=2", "faults[0].at=1m", "faults[1].at=2m", "warm_up=30s")]
    [InlineData("greedy", "duration=3m", "workers[0].count=5", "warm_up=30s", "work[1].tasks=40", "checks=false")]
    [InlineData("gpu-scarcity", "duration=3m", "workers[0].count=6", "workers[1].count=2", "warm_up=30s", "checks=false")]
    public void A_ready_scenario_loses_nothing(string example, params string[] sets)
    {
        ScenarioResult result = Example.Run(example, sets);
        Assert.True(result.Tasks > 50, $"only {result.Tasks} tasks");
        Assert.Equal((0, 0, result.Tasks), (result.Lost, result.Failed, result.Succeeded));
    }

    [Fact]
    public void Gangs_and_tasks_that_run_once_at_a_time_all_end_while_workers_die()
    {
        ScenarioResult result = Example.Run("exclusive-gangs", "duration=3m", "workers[0].count=12", "faults[0].at=1m", "faults[0].for=1m", "faults[1].at=2m");
        Assert.Equal((0, result.Tasks), (result.Lost, result.Succeeded + result.Failed));
    }

    [Fact]
    public void Devices_are_not_stranded_by_work_that_needs_none()
    {
        ScenarioResult result = Example.Run("gpu-scarcity", "duration=8m", "workers[0].count=10", "workers[1].count=2", "warm_up=2m", "checks=false");
        Assert.True(result.Utilisation.Gpu > 0.45, $"{result.Utilisation}");
    }

    [Fact]
    public void Who_wants_everything_does_not_keep_the_others_waiting_alone()
    {
        ScenarioResult result = Example.Run("greedy", "duration=6m", "workers[0].count=8", "warm_up=1m", "checks=false");
        double modest = result.Parties.Where(p => p.Name != "greedy").Average(p => p.WaitMs), greedy = result.Parties.Single(p => p.Name == "greedy").WaitMs;
        Assert.True(modest < greedy, $"modest {modest} ms, greedy {greedy} ms");
    }
}

/// <summary>Runs the scenarios of the examples at a size that tests have time for.</summary>
internal static class Example
{
    public static ScenarioResult Run(string example, params string[] sets)
    {
        string file = Repository.Path($"examples/sim/{example}.yaml");
        return RunText(File.ReadAllText(file), file, sets);
    }

    public static ScenarioResult RunText(string text, string file, params string[] sets)
    {
        ScenarioFileResult read = ScenarioFile.Read(text, file, sets);
        Assert.Empty(read.Errors);
        return new World(read.Scenario!, name => File.ReadAllText(Path.Combine(Path.GetDirectoryName(file)!, name))).Run(_ => true);
    }
}
