using System.CommandLine;
using System.Globalization;
using Drap.Cli.Output;
using Drap.Simulator.Hunting;
using Drap.Simulator.Scenarios;

namespace Drap.Cli.Commands;

/// <summary><c>drap sim hunt</c>: looks for faults of the machines in scenarios that nobody thought of.</summary>
internal static class SimHuntCommand
{
    /// <summary>So long a find is made smaller, beyond the time of the hunt.</summary>
    private static readonly TimeSpan shrinkTime = TimeSpan.FromMinutes(2);

    private static readonly TimeSpan sayEvery = TimeSpan.FromSeconds(10);

    public static Command Make(Common common)
    {
        var minutes = new Option<int>("--minutes") { Description = "How long to look [default: 10]", HelpName = "M", DefaultValueFactory = _ => 10 };
        var seed = new Option<long>("--seed") { Description = "The first scenario's seed; each next has the next [default: 1]", HelpName = "N", DefaultValueFactory = _ => 1 };
        var folder = new Option<string>("--out") { Description = "Where a scenario that fails is written [default: here]", HelpName = "FOLDER", DefaultValueFactory = _ => "." };
        return common.Command(
            "hunt", "Run random scenarios under every check, until one fails; make that one small, and write it as a scenario file",
            ["drap sim hunt --minutes 10", "drap sim hunt --minutes 60 --seed 100000 --out found"],
            call => Task.FromResult(Run(call, call.Get(minutes), call.Get(seed), call.Get(folder)!)), minutes, seed, folder);
    }

    private static int Run(Invocation call, int minutes, long firstSeed, string folder)
    {
        if (minutes is < 1 or > 100_000)
            throw new CliException(ExitCode.Usage, $"--minutes: found {minutes}; allowed: 1 to 100000");
        if (firstSeed < 0)
            throw new CliException(ExitCode.Usage, $"--seed: found {firstSeed}; allowed: a number that is not negative");
        TimeProvider time = call.Context.Time;
        long start = time.GetTimestamp(), said = start;
        var hunt = new Hunt(DrawSize.Hunt);
        TimeSpan limit = TimeSpan.FromMinutes(minutes);
        long seed = firstSeed;
        for (; time.GetElapsedTime(start) < limit; seed++)
        {
            if (hunt.Try((ulong)seed, () => GoesOn(limit)) is { } find)
                throw Found(call, find, hunt, folder, () => GoesOn(time.GetElapsedTime(start) + shrinkTime), seed);
            if (time.GetElapsedTime(said) < sayEvery)
                continue;
            said = time.GetTimestamp();
            call.Screen.Say($"{seed - firstSeed + 1} scenarios, {hunt.Tasks} tasks, {hunt.Events} events in {Words.Of(time.GetElapsedTime(start))}; nothing found");
        }
        call.Screen.Write(
            new HuntResult(firstSeed, seed - 1, hunt.Tasks, hunt.Events, Math.Round(time.GetElapsedTime(start).TotalSeconds, 1)), Simulations.SimJson.Default.HuntResult,
            output => output.WriteLine($"nothing found in {seed - firstSeed} scenarios (seeds {firstSeed} to {seed - 1}), {hunt.Tasks} tasks, {hunt.Events} events, {Words.Of(time.GetElapsedTime(start))}"),
            () => [(seed - firstSeed).ToString(CultureInfo.InvariantCulture)]);
        return ExitCode.Ok;

        bool GoesOn(TimeSpan until)
        {
            call.Cancel.ThrowIfCancellationRequested();
            return time.GetElapsedTime(start) < until;
        }
    }

    private static CliException Found(Invocation call, Find find, Hunt hunt, string folder, Func<bool> goesOn, long seed)
    {
        call.Screen.Say($"seed {seed}: {find.Violation.Message} (event {find.Violation.Event}); making it smaller");
        Find small = hunt.Shrink(find, goesOn);
        string name = string.Create(CultureInfo.InvariantCulture, $"hunt-{seed}-{small.Violation.Rule}.yaml");
        string path = Path.Combine(Path.GetFullPath(folder, call.Context.CurrentFolder), name);
        string text = ScenarioText.Write(
            small.Scenario,
            $"Found by drap sim hunt, seed {seed}, and made smaller.",
            $"At event {small.Violation.Event}, {small.Violation.At.TotalSeconds:0.000} s after the start: {small.Violation.Message}");
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, text);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            call.Screen.Say(text);
            return new CliException(ExitCode.Error, $"{path} cannot be written: {e.Message}");
        }
        return new CliException(
            ExitCode.Error, $"seed {seed}: {small.Violation.Message}\n  at event {small.Violation.Event}, hash {small.Violation.Hash}", $"drap sim {path} --trace 50 shows how it came to that");
    }
}

/// <summary>What a hunt that found nothing did.</summary>
/// <param name="FirstSeed">The first scenario.</param>
/// <param name="LastSeed">The last.</param>
/// <param name="Tasks">Tasks that were run.</param>
/// <param name="Events">Events that happened.</param>
/// <param name="WallS">Real seconds that it took.</param>
internal sealed record HuntResult(long FirstSeed, long LastSeed, long Tasks, long Events, double WallS);
