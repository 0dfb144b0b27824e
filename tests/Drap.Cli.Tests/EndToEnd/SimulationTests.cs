using Drap.Simulator.Hunting;
using Drap.Simulator.Scenarios;
using Drap.Simulator.Worlds;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary><c>drap sim</c> as processes of their own.</summary>
public sealed class SimulationTests
{
    /// <summary>With faults of all kinds that the draw has, and nothing in common but the file.</summary>
    [Fact]
    public async Task The_same_scenario_has_the_same_hash_in_two_processes_and_in_this_one()
    {
        await using var drap = new DrapProgram();
        ScenarioSpec scenario = ScenarioDraw.Draw(14, DrawSize.Hunt);
        drap.File("drawn.yaml", ScenarioText.Write(scenario));
        ScenarioResult here = new World(scenario, name => name).Run(_ => true);
        DrapProgram.Ended[] runs = await Task.WhenAll(drap.RunAsync("sim", "drawn.yaml", "-o", "json"), drap.RunAsync("sim", "drawn.yaml", "-o", "json"));
        foreach (DrapProgram.Ended run in runs)
        {
            Assert.True(run.Code == 0, run.Err);
            Assert.Equal(here.Hash, run.Document.GetProperty("hash").GetString());
            Assert.Equal(here.Events, run.Document.GetProperty("events").GetInt64());
        }
    }

    [Fact]
    public async Task The_neighbourhood_of_an_event_is_shown()
    {
        await using var drap = new DrapProgram();
        drap.File("drawn.yaml", ScenarioText.Write(ScenarioDraw.Draw(14, DrawSize.Hunt)));
        DrapProgram.Ended run = await drap.RunAsync("sim", "drawn.yaml", "--stop-at", "300", "--trace", "5");
        Assert.True(run.Code == 0, run.Err);
        string[] lines = [.. run.Err.Split('\n').Where(l => l.Contains(" s  ", StringComparison.Ordinal))];
        Assert.Equal(5, lines.Length);
        Assert.All(lines, line => Assert.InRange(int.Parse(line[..9], System.Globalization.CultureInfo.InvariantCulture), 200, 300));
    }
}
