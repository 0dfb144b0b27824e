using System.Globalization;
using Drap.Simulator.Scenarios;

namespace Drap.Cli.Simulations;

/// <summary>Reads the scenario that was named, with what the command line sets in it.</summary>
internal static class ScenarioReading
{
    /// <summary>The scenario, checked.</summary>
    /// <exception cref="CliException">With every error of the file; its exit code is <see cref="ExitCode.Usage"/>.</exception>
    public static ScenarioSpec Read(string file, string[] sets, int? workers, string currentFolder)
    {
        ScenarioFileResult result = ScenarioFile.Read(Text(file, currentFolder), file, sets);
        if (result.Scenario is not { } scenario)
            throw new CliException(ExitCode.Usage, string.Join('\n', result.Errors.Select(e => e.ToString())), "docs/simulator.md says what a scenario may hold");
        return workers is { } count ? Scaled(scenario, count) : scenario;
    }

    /// <summary>Reads a file that a scenario names.</summary>
    public static Func<string, string> Beside(string file, string currentFolder) =>
        name => Text(Path.Combine(Path.GetDirectoryName(Path.GetFullPath(file, currentFolder)) ?? "/", name), currentFolder);

    /// <summary>
    /// The same scenario with so many workers: each group keeps its share, and at least one. The number of schedulers, and what comes at a rate or ends
    /// at a number of tasks, grow or shrink likewise.
    /// </summary>
    private static ScenarioSpec Scaled(ScenarioSpec scenario, int workers)
    {
        long before = scenario.Workers.Sum(w => (long)w.Count);
        if (workers < scenario.Workers.Length)
            throw new CliException(ExitCode.Usage, $"--workers: found {workers}; allowed: at least one for each of the {scenario.Workers.Length} groups");
        return scenario with
        {
            Workers = [.. scenario.Workers.Select(w => w with { Count = Of(w.Count) })],
            Schedulers = [.. scenario.Schedulers.Select(s => s with { Count = Of(s.Count) })],
            Work =
            [
                .. scenario.Work.Select(w => w with
                {
                    Rate = w.Rate is { } rate ? new Ratio(Math.Max(1, (long)((Int128)rate.Millionths * workers / before))) : null,
                    TasksMax = w.TasksMax is { } most ? Of(most) : null,
                }),
            ],
        };

        int Of(int count) => (int)Math.Max(1, (count * (long)workers + before / 2) / before);
    }

    private static string Text(string file, string currentFolder)
    {
        try
        {
            return File.ReadAllText(Path.GetFullPath(file, currentFolder));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            string why = e is FileNotFoundException or DirectoryNotFoundException ? "is not there" : e.Message;
            throw new CliException(ExitCode.Usage, string.Create(CultureInfo.InvariantCulture, $"{file}: the file {why}"));
        }
    }
}
