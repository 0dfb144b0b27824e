using System.CommandLine;
using System.Diagnostics;
using Drap.Cli.Output;
using Drap.Cli.Simulations;
using Drap.Simulator.Checks;
using Drap.Simulator.Reports;
using Drap.Simulator.Scenarios;
using Drap.Simulator.Worlds;

namespace Drap.Cli.Commands;

/// <summary><c>drap sim</c>: lets a scenario happen in virtual time.</summary>
internal static class SimCommand
{
    /// <summary>So often a person hears how far it is, where nothing can be drawn.</summary>
    private static readonly TimeSpan sayEvery = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan drawEvery = TimeSpan.FromMilliseconds(200);

    public static Command Make(Common common)
    {
        var file = new Argument<string>("SCENARIO") { Description = "A scenario file (docs/simulator.md)" };
        var seed = new Option<long?>("--seed") { Description = "What all chance follows from [default: the scenario's]", HelpName = "N" };
        var workers = new Option<int?>("--workers") { Description = "Scale the swarm to so many workers, with its schedulers and its work", HelpName = "N" };
        var set = new Option<string[]>("--set") { Description = "Set a field of the scenario, as network.loss=1%; may be given again", HelpName = "FIELD=VALUE", DefaultValueFactory = _ => [] };
        var report = new Option<string?>("--report") { Description = "Write one HTML file with tables and plots", HelpName = "FILE.html" };
        var stopAt = new Option<long?>("--stop-at") { Description = "Stop after this event, and say how the swarm stands", HelpName = "EVENT" };
        var trace = new Option<int>("--trace") { Description = "Show the last things that happened, so many", HelpName = "LINES", DefaultValueFactory = _ => 0 };
        return common.Command(
            "sim", "Run a scenario in virtual time: the machines of real nodes, over a network and disks that are not",
            ["drap sim examples/sim/small-lab.yaml --report lab.html", "drap sim examples/sim/swarm-10k.yaml --workers 1000 -o json", "drap sim examples/sim/partition.yaml --set network.loss=1% --seed 7"],
            call => Task.FromResult(Run(call, call.Get(file)!, call.Get(seed), call.Get(workers), call.Get(set)!, call.Get(report), call.Get(stopAt), call.Get(trace))),
            file, seed, workers, set, report, stopAt, trace,
            SimHuntCommand.Make(common));
    }

    private static int Run(Invocation call, string file, long? seed, int? workers, string[] sets, string? report, long? stopAt, int trace)
    {
        if (stopAt is <= 0)
            throw new CliException(ExitCode.Usage, $"--stop-at: found {stopAt}; allowed: the number of an event, from 1");
        if (trace is < 0 or > WorldTrace.LinesMax)
            throw new CliException(ExitCode.Usage, $"--trace: found {trace}; allowed: 0 to {WorldTrace.LinesMax}");
        if (seed is { } given)
            sets = [.. sets, $"seed={given}"];
        ScenarioSpec scenario = ScenarioReading.Read(file, sets, workers, call.Context.CurrentFolder);
        World world = Make(scenario, ScenarioReading.Beside(file, call.Context.CurrentFolder));
        world.StopAt = stopAt ?? long.MaxValue;
        world.Trace = trace > 0 ? new WorldTrace(trace) : null;
        ScenarioResult result;
        try
        {
            result = Simulate(call, world);
        }
        catch (ViolationException e)
        {
            Tell(call, world);
            throw new CliException(
                ExitCode.Error, $"seed {scenario.Seed}, event {e.Event}, {e.At.TotalSeconds:0.000} s after the start: {e.Message}\n  hash {e.Hash}",
                trace > 0 ? "" : "this must never happen; --trace 50 shows how it came to that");
        }
        Tell(call, world);
        if (world.Simulation.Happened >= stopAt)
        {
            call.Screen.Say(world.Standing());
            return ExitCode.Ok;
        }
        if (report is not null)
            Save(Path.GetFullPath(report, call.Context.CurrentFolder), ScenarioReport.ToHtml(result), report);
        call.Screen.Write(result, SimJson.Default.ScenarioResult, output => SimTables.Write(output, result), () => [result.Hash]);
        if (result.Lost > 0)
            throw new CliException(ExitCode.Error, $"{result.Lost} tasks have no accepted end {Words.Of(TimeSpan.FromSeconds(result.VirtualS))} after the start; seed {result.Seed}");
        return ExitCode.Ok;
    }

    private static void Save(string path, string html, string asNamed)
    {
        try
        {
            File.WriteAllText(path, html);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CliException(ExitCode.Error, $"{asNamed}: the report cannot be written: {e.Message}");
        }
    }

    private static World Make(ScenarioSpec scenario, Func<string, string> readTrace)
    {
        try
        {
            return new World(scenario, readTrace);
        }
        catch (ArgumentException e)
        {
            throw new CliException(ExitCode.Usage, e.Message);
        }
    }

    private static void Tell(Invocation call, World world)
    {
        foreach (string line in world.Trace?.Lines ?? [])
            call.Screen.Say(line);
    }

    private static ScenarioResult Simulate(Invocation call, World world)
    {
        ScenarioSpec scenario = world.Scenario;
        TimeProvider time = call.Context.Time;
        long start = time.GetTimestamp(), said = start;
        Screen screen = call.Screen;
        if (!screen.Live)
            screen.Say($"{scenario.Name}: {world.Scenario.Workers.Sum(w => w.Count)} workers, seed {scenario.Seed}");
        ScenarioResult result = world.Run(progress =>
        {
            call.Cancel.ThrowIfCancellationRequested();
            if (time.GetElapsedTime(said) >= (screen.Live ? drawEvery : sayEvery))
            {
                said = time.GetTimestamp();
                string line = $"{Words.Of(progress.Virtual)} of virtual time, {progress.Ended} of {progress.Submitted} tasks ended, {progress.Running} run, {progress.Waiting} wait";
                if (screen.Live)
                    screen.Talk.Write($"\r\u001b[K{line}");
                else
                    screen.Say(line);
            }
            return true;
        });
        if (screen.Live)
            screen.Talk.Write("\r\u001b[K");
        using var self = Process.GetCurrentProcess();
        return result with { WallS = Math.Round(time.GetElapsedTime(start).TotalSeconds, 2), MemoryMib = self.PeakWorkingSet64 >> 20 };
    }
}
