using Drap.Core.Jobs;

namespace Drap.Simulator.Scenarios;

/// <summary>What must hold of a scenario beside its form.</summary>
internal static class ScenarioRules
{
    /// <summary>Workers of one scenario: each takes about 10 KiB, so a gigabyte.</summary>
    public const int WorkersMax = 100_000;

    /// <summary>Schedulers of one scenario.</summary>
    public const int SchedulersMax = 1_000;

    /// <summary>Groups, kinds of work, links and faults each.</summary>
    private const int EntriesMax = 1_000;

    /// <summary>Segments of a job.</summary>
    private const int StagesMax = 100;

    /// <summary>What is wrong, each with its path.</summary>
    public static IEnumerable<JobProblem> Check(ScenarioSpec s)
    {
        if (s.Seed < 0)
            yield return new JobProblem("seed", $"found {s.Seed}", "a number that is not negative");
        if (s.Duration <= TimeSpan.Zero)
            yield return new JobProblem("duration", "no time", "a duration above 0s");
        if (s.WarmUp >= s.Duration)
            yield return new JobProblem("warm_up", $"found {Duration.Format(s.WarmUp)}", $"less than the duration, {Duration.Format(s.Duration)}");
        long workers = s.Workers.Sum(w => (long)Math.Max(w.Count, 0));
        if (workers is 0 or > WorkersMax)
            yield return new JobProblem("workers", $"{workers} workers", $"1 to {WorkersMax}");
        if (s.Schedulers.Sum(w => (long)Math.Max(w.Count, 0)) is > SchedulersMax and long schedulers)
            yield return new JobProblem("schedulers", $"{schedulers} schedulers", $"at most {SchedulersMax}");
        foreach ((string field, int length) in new[] { ("workers", s.Workers.Length), ("schedulers", s.Schedulers.Length), ("work", s.Work.Length), ("faults", s.Faults.Length) })
            if (length > EntriesMax)
                yield return new JobProblem(field, $"{length} entries", $"at most {EntriesMax}");
        for (int i = 0; i < s.Workers.Length; i++)
            foreach (JobProblem problem in Check(s.Workers[i], $"workers[{i}]"))
                yield return problem;
        for (int i = 0; i < s.Schedulers.Length; i++)
            if (s.Schedulers[i].Count < 1)
                yield return new JobProblem($"schedulers[{i}].count", $"found {s.Schedulers[i].Count}", "1 or more");
        if (s.Work.IsEmpty)
            yield return new JobProblem("work", "nothing is submitted", "a list of kinds of jobs");
        for (int i = 0; i < s.Work.Length; i++)
            foreach (JobProblem problem in Check(s, s.Work[i], $"work[{i}]"))
                yield return problem;
        for (int i = 0; i < s.Network.Links.Length; i++)
            if (s.Network.Links[i].Between.Length != 2)
                yield return new JobProblem($"network.links[{i}].between", $"{s.Network.Links[i].Between.Length} regions", "two: [eu, us]");
        if (s.Network.Handshake is < 0 or > 100)
            yield return new JobProblem("network.handshake", $"found {s.Network.Handshake}", "0 to 100 round trips");
        if (s.Network.Spread.Millionths > 1_000_000)
            yield return new JobProblem("network.spread", $"found {s.Network.Spread}", "a share from 0 to 1");
        if (s.Network.Loss.Millionths > 500_000)
            yield return new JobProblem("network.loss", $"found {s.Network.Loss}", "a share from 0 to 0.5");
        for (int i = 0; i < s.Faults.Length; i++)
        {
            if (s.Faults[i].Share.Millionths > 1_000_000)
                yield return new JobProblem($"faults[{i}].share", $"found {s.Faults[i].Share}", "a share from 0 to 1");
            if (s.Faults[i].To.Length > 0 && !Names(s).Contains(s.Faults[i].To))
                yield return new JobProblem($"faults[{i}].to", $"found '{s.Faults[i].To}'", string.Join(", ", Names(s).Distinct().Order(StringComparer.Ordinal)));
        }
    }

    private static IEnumerable<string> Names(ScenarioSpec s) =>
        s.Workers.SelectMany(w => new[] { w.Name, w.Region }).Concat(s.Schedulers.SelectMany(w => new[] { w.Name, w.Region }));

    private static IEnumerable<JobProblem> Check(WorkerGroupSpec w, string path)
    {
        if (w.Count < 1)
            yield return new JobProblem($"{path}.count", $"found {w.Count}", "1 or more");
        if (w.Cpu.Milli <= 0)
            yield return new JobProblem($"{path}.cpu", "no cores", "more than 0");
        if (w.Speed.Millionths <= 0)
            yield return new JobProblem($"{path}.speed", "found 0", "more than 0");
        if (w.Price.Millionths > 100_000_000)
            yield return new JobProblem($"{path}.price", $"found {w.Price}", "at most 100");
        if (w.Churn is { } churn && (churn.Up <= TimeSpan.Zero || churn.Down <= TimeSpan.Zero))
            yield return new JobProblem($"{path}.churn", "no time up or down", "durations above 0s");
    }

    private static IEnumerable<JobProblem> Check(ScenarioSpec s, WorkSpec w, string path)
    {
        for (int i = 0; i < w.Schedulers.Length; i++)
            if (!s.Schedulers.Any(g => g.Name == w.Schedulers[i]))
                yield return new JobProblem($"{path}.schedulers[{i}]", $"found '{w.Schedulers[i]}'", string.Join(", ", s.Schedulers.Select(g => g.Name)));
        bool wantsRate = w.Arrivals != Arrival.Trace;
        if (wantsRate && w.Rate is null == w.Load is null)
            yield return new JobProblem(path, w.Rate is null ? "neither rate nor load" : "rate and load", "one of the two");
        if ((w.Rate ?? w.Load) is { Millionths: 0 })
            yield return new JobProblem(w.Rate is null ? $"{path}.load" : $"{path}.rate", "found 0", "more than 0");
        if (w.Arrivals == Arrival.Trace == (w.Trace.Length == 0))
            yield return new JobProblem($"{path}.trace", w.Trace.Length == 0 ? "no file" : "a file, but arrivals is not trace", "a file together with arrivals: trace");
        if (w.Arrivals == Arrival.Bursts && w.Every <= TimeSpan.Zero)
            yield return new JobProblem($"{path}.every", "no time", "a duration above 0s");
        if (w.Tasks.Mean < 1 || w.Tasks.Max < w.Tasks.Mean || w.Tasks.Max > JobLimits.TasksMax)
            yield return new JobProblem($"{path}.tasks", $"a mean of {w.Tasks.Mean}, at most {w.Tasks.Max}", $"1 to {JobLimits.TasksMax}, the mean not above max");
        if (w.Duration.Median <= TimeSpan.Zero || w.Duration.Max < w.Duration.Median)
            yield return new JobProblem($"{path}.duration", $"a median of {Duration.Format(w.Duration.Median)}, at most {Duration.Format(w.Duration.Max)}", "above 0s, not above max");
        if (w.Duration.Shape.Millionths is < 10_000 or > 10_000_000)
            yield return new JobProblem($"{path}.duration.shape", $"found {w.Duration.Shape}", "0.01 to 10");
        if (w.Gang is < 0 or > JobLimits.NodesPerGangMax)
            yield return new JobProblem($"{path}.gang", $"found {w.Gang}", $"0 to {JobLimits.NodesPerGangMax}");
        if (w.Stages is < 1 or > StagesMax)
            yield return new JobProblem($"{path}.stages", $"found {w.Stages}", $"1 to {StagesMax}");
        if ((long)w.Stages * Math.Max(w.Gang, w.Tasks.Max) > JobLimits.TasksMax)
            yield return new JobProblem($"{path}.stages", $"{w.Stages} stages of up to {Math.Max(w.Gang, w.Tasks.Max)} tasks", $"at most {JobLimits.TasksMax} tasks a job");
        if (w.Fails.Millionths > 1_000_000)
            yield return new JobProblem($"{path}.fails", $"found {w.Fails}", "a share from 0 to 1");
    }
}
