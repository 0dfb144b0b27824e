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

        static ScenarioResult Run(int seed) => Worlds.Run("small-lab", "duration=5m", "warm_up=0s", $"seed={seed}");
    }

    [Fact]
    public void A_place_that_is_free_is_found_at_once()
    {
        ScenarioResult result = Worlds.Run("small-lab", "duration=10m");
        Assert.True(result.PlacementMs.P50 < 20, $"{result.PlacementMs}");
        Assert.InRange(result.Utilisation.Cpu, 0.3, 0.7);
    }
}

/// <summary>Runs the scenarios of the examples at a size that tests have time for.</summary>
internal static class Worlds
{
    public static ScenarioResult Run(string example, params string[] sets)
    {
        string file = Repository.Path($"examples/sim/{example}.yaml");
        ScenarioFileResult read = ScenarioFile.Read(File.ReadAllText(file), file, sets);
        Assert.Empty(read.Errors);
        return new World(read.Scenario!, name => File.ReadAllText(Path.Combine(Path.GetDirectoryName(file)!, name))).Run(_ => true);
    }
}
