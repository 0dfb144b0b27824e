using System.Collections.Concurrent;
using Drap.Simulator.Hunting;
using Drap.Simulator.Scenarios;
using Drap.Simulator.Worlds;
using Xunit;

namespace Drap.Simulator.Tests.Hunting;

/// <summary>The search for faults: it finds those that are planted, makes them small, and finds no other (issue 5, 5 and 6).</summary>
public sealed class HuntTests
{
    private static readonly bool All = Environment.GetEnvironmentVariable("DRAP_TEST_ALL") == "1";

    /// <summary>At least fifty workers, two thousand tasks, and three kinds of fault.</summary>
    private static readonly DrawSize large = new((50, 60), 2_000, (3, 6));

    private static readonly string[] plantedNames = [.. PlantedFaults.All.Select(p => p.Name)];

    public static TheoryData<string> Planted => [.. plantedNames];

    /// <summary>A hunt runs several hundred of these in a minute; each fault is found in the first few dozens.</summary>
    [Theory]
    [MemberData(nameof(Planted))]
    public void A_planted_fault_is_found_soon(string name)
    {
        (string _, Func<PlantedFault> make, string rules) = PlantedFaults.All.Single(p => p.Name == name);
        var hunt = new Hunt(DrawSize.Hunt, make);
        Find? find = null;
        for (ulong seed = 1; find is null && seed <= 200; seed++)
            find = hunt.Try(seed, () => true);
        Assert.NotNull(find);
        Assert.True(rules.Split(' ').Contains(find.Violation.Rule), $"seed {find.Scenario.Seed} broke {find.Violation.Rule}, not {rules}: {find.Violation.Message}; without: {new Hunt(DrawSize.Hunt).Try(find.Scenario, () => true)?.Violation.Message}");
    }

    /// <summary>Fewer parts, the same rule; and its file runs to the same event with the same hash.</summary>
    [Fact]
    public void What_was_found_is_made_smaller_and_its_file_shows_the_same()
    {
        var hunt = new Hunt(DrawSize.Hunt, PlantedFaults.All.Single(p => p.Name == "gang starts in part").Make);
        Find? find = null;
        for (ulong seed = 1; find is null; seed++)
            find = hunt.Try(seed, () => true);
        Find small = hunt.Shrink(find, () => true);
        Assert.Equal(find.Violation.Rule, small.Violation.Rule);
        Assert.Empty(small.Scenario.Faults);
        WorkSpec gang = Assert.Single(small.Scenario.Work, w => w.Gang > 0);
        Assert.InRange(gang.Gang, 2, 3);
        Assert.All(small.Scenario.Work, w => Assert.InRange(w.TasksMax ?? int.MaxValue, 1, 4));
        string text = ScenarioText.Write(small.Scenario, "found\nhere");
        Assert.StartsWith("# found\n# here\n", text, StringComparison.Ordinal);
        ScenarioFileResult read = ScenarioFile.Read(text, "found.yaml");
        Assert.Empty(read.Errors);
        Find? again = hunt.Try(read.Scenario!, () => true);
        Assert.Equal((small.Violation.Event, small.Violation.Hash, small.Violation.Message), (again?.Violation.Event, again?.Violation.Hash, again?.Violation.Message));
    }

    [Fact]
    public void A_scenario_that_is_drawn_and_written_reads_as_the_same()
    {
        for (ulong seed = 1; seed <= 50; seed++)
        {
            string text = ScenarioText.Write(ScenarioDraw.Draw(seed, large));
            ScenarioFileResult read = ScenarioFile.Read(text, "drawn.yaml");
            Assert.Empty(read.Errors);
            Assert.Equal(text, ScenarioText.Write(read.Scenario!));
        }
    }

    [Fact]
    public void Small_scenarios_in_which_nothing_is_planted_break_nothing() => RunAll(DrawSize.Hunt, 1, All ? 5_000 : 100);

    [Fact]
    public void Large_scenarios_in_which_nothing_is_planted_break_nothing() => RunAll(large, 100_000, All ? 1_000 : 24);

    [Fact]
    public void The_last_things_before_an_event_are_told()
    {
        ScenarioSpec scenario = ScenarioDraw.Draw(3, DrawSize.Hunt);
        var world = new World(scenario, name => name) { Trace = new WorldTrace(20), StopAt = 500 };
        world.Run(_ => true);
        Assert.Equal(500, world.Simulation.Happened);
        Assert.Equal(20, world.Trace.Lines.Count);
        Assert.All(world.Trace.Lines, line => Assert.InRange(long.Parse(line[..9], System.Globalization.CultureInfo.InvariantCulture), 400, 500));
    }

    private static void RunAll(DrawSize size, ulong first, int count)
    {
        var failures = new ConcurrentBag<string>();
        // Each is a world of its own: both cores have some.
        Parallel.For(0, count, new ParallelOptions { MaxDegreeOfParallelism = 2 }, i =>
        {
            ulong seed = first + (ulong)i;
            ScenarioSpec scenario = ScenarioDraw.Draw(seed, size);
            var hunt = new Hunt(size);
            if (hunt.Try(scenario, () => true) is { } find)
                failures.Add($"seed {seed}, event {find.Violation.Event}: {find.Violation.Message}\n{find.Violation.InnerException?.StackTrace}");
            else
                Assert.True(hunt.Tasks >= size.Tasks, $"seed {seed}: only {hunt.Tasks} tasks");
            Assert.True(scenario.Workers.Sum(w => w.Count) >= size.Workers.Least && scenario.Faults.Select(f => f.Kind).Distinct().Count() >= size.Faults.Least, $"seed {seed}");
        });
        Assert.True(failures.IsEmpty, $"{failures.Count} scenarios failed\n{string.Join("\n\n", failures.Take(10))}");
    }
}
