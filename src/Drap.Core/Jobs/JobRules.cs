using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>
/// What must hold of a job beyond its form. The client checks before it submits, so that each problem gets its line; the scheduler checks
/// again what it receives, since not every client is ours.
/// </summary>
public static class JobRules
{
    private const string nameForm = "a lower-case letter, then letters, digits, '_' and '-', at most 64 characters";

    /// <summary>Every problem of a job that <see cref="JobForm"/> was applied to; empty if it may be submitted.</summary>
    public static ImmutableArray<JobProblem> Check(JobSpec job)
    {
        var problems = new RuleChecker();
        problems.Require(job.Version == 1, "version", $"found {job.Version}", "1");
        problems.Require(IsJobName(job.Name), "name", $"found '{job.Name}'", "letters, digits, '.', '_' and '-', at most 64 characters");
        problems.Require(job.Description.Length <= 1_024, "description", $"{job.Description.Length} characters", "at most 1024");
        problems.Require(job.MaxFails is null or >= 0, "max_fails", $"found {job.MaxFails}", "0 or more");
        problems.Require(job.Defaults is null, "defaults", "found in a submitted job", "defaults only in job files");
        problems.Require(job.Params.Count <= JobLimits.ParamsMax, "params", $"{job.Params.Count} of them", $"at most {JobLimits.ParamsMax}");
        foreach (string name in job.Params.Keys)
            problems.Require(IsParamName(name), $"params.{name}", $"the name '{name}'", "a letter, then letters, digits and '_', at most 64 characters");
        problems.Require(job.Segments.Length is > 0 and <= JobLimits.SegmentsMax, "segments", $"{job.Segments.Length} of them", $"1 to {JobLimits.SegmentsMax}");
        var segments = new Dictionary<string, SegmentSpec>(StringComparer.Ordinal);
        long tasks = 0;
        for (int i = 0; i < job.Segments.Length; i++)
        {
            SegmentSpec segment = job.Segments[i];
            problems.Require(IsName(segment.Name), $"segments[{i}].name", segment.Name.Length == 0 ? "no name" : $"found '{segment.Name}'", nameForm);
            problems.Require(segments.TryAdd(segment.Name, segment), $"segments[{i}].name", $"'{segment.Name}' a second time", "each name once");
            tasks += Math.Max(0, JobForm.TaskCount(segment));
        }
        for (int i = 0; i < job.Segments.Length; i++)
        {
            SegmentRules.Check(job.Segments[i], $"segments[{i}]", problems);
            EdgeRules.Check(job.Segments[i], $"segments[{i}]", segments, problems);
        }
        EdgeRules.CheckCycles(job, problems);
        ResultRules.Check(job, problems);
        if (problems.Found.Length == 0)
            problems.Require(tasks <= JobLimits.TasksMax, "segments", $"{tasks} tasks in all", $"at most {JobLimits.TasksMax}");
        if (problems.Found.Length == 0)
            EdgeRules.CheckChosen(job, problems);
        if (problems.Found.Length == 0)
            SizeRules.Check(job, problems);
        return problems.Found;
    }

    internal static bool IsName(string name) =>
        name.Length is > 0 and <= JobLimits.NameLengthMax && char.IsAsciiLetterLower(name[0])
        && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '_' or '-');

    private static bool IsJobName(string name) =>
        name.Length is > 0 and <= JobLimits.NameLengthMax && char.IsAsciiLetterOrDigit(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    private static bool IsParamName(string name) =>
        name.Length is > 0 and <= JobLimits.NameLengthMax && char.IsAsciiLetter(name[0])
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_');
}

/// <summary>Collects problems; stops at so many, since a hostile job could have millions.</summary>
internal sealed class RuleChecker
{
    private const int problemsMax = 1_000;
    private readonly List<JobProblem> found = [];

    public ImmutableArray<JobProblem> Found => [.. found];

    public void Require(bool holds, string path, string what, string allowed)
    {
        if (!holds && found.Count < problemsMax)
            found.Add(new JobProblem(path, what, allowed));
    }
}
