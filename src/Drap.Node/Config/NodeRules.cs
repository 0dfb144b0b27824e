using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Node.Config;

/// <summary>What must hold of settings whose forms are right.</summary>
internal static class NodeRules
{
    private const string nameForm = "letters, digits, '.', '_' and '-', at most 64 of them, a letter or digit first";

    /// <summary>Shortest time for which a node is worth starting.</summary>
    private static readonly TimeSpan shortest = TimeSpan.FromSeconds(1);

    /// <summary>What a person calls a worker, a region or a zone.</summary>
    public static bool IsName(string name) =>
        name.Length is > 0 and <= 64 && char.IsAsciiLetterOrDigit(name[0]) && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    /// <summary>What is wrong with a node's settings among themselves.</summary>
    public static IEnumerable<JobProblem> Check(NodeSpec spec)
    {
        foreach (JobProblem problem in Check(spec, ""))
            yield return problem;
        if (spec.WorkerCount() is { } workers ? workers is < 1 or > 256 : !File.Exists(spec.Workers))
            yield return new JobProblem("workers", $"found '{spec.Workers}'", "a number from 1 to 256, or a file that is there");
        if (spec.WorkersFile() is not null)
            foreach ((string field, bool isSaid) in Sizes(spec))
                if (isSaid)
                    yield return new JobProblem(field, "said beside a workers' file, which says what each worker has", "one of the two");
        if (spec.Gateway && spec.Roles.Any(r => r is not (NodeRole.Gateway or NodeRole.Inviter)))
            yield return new JobProblem("roles", $"found {string.Join(", ", spec.Roles.Select(r => r.ToString().ToLowerInvariant()))} beside gateway: true, which is a node without tasks", "gateway, inviter, or no gateway: true");
        if (spec.TimeLimit is { } limit && limit < shortest)
            yield return new JobProblem("time_limit", $"found {Duration.Format(limit)}", "at least 1s");
        if (spec.IdleTimeout is { } idle && idle < shortest)
            yield return new JobProblem("idle_timeout", $"found {Duration.Format(idle)}", "at least 1s");
        if (spec.IdleTimeout is not null && !spec.HasWorkers())
            yield return new JobProblem("idle_timeout", "a node without workers never has a task", "none, or the role worker");
        foreach (JobProblem problem in spec.Quota.Check().Concat(spec.Credit.Check()))
            yield return problem;
        for (int i = 0; i < spec.Allow.Length; i++)
            if (spec.Allow[i].Length is 0 or > 128)
                yield return new JobProblem($"allow[{i}]", $"found '{spec.Allow[i]}'", "a principal, as drap node list shows them");
    }

    /// <summary>What is wrong with a worker's terms.</summary>
    /// <param name="terms">The terms.</param>
    /// <param name="path">Where they stand; empty or with a dot at its end.</param>
    public static IEnumerable<JobProblem> Check(WorkerTerms terms, string path)
    {
        if (terms.Network is < 0 or > 1_000_000)
            yield return new JobProblem(path + "network", $"found {terms.Network}", "a whole number of Mbit/s from 0 to 1000000");
        if (terms.Named.Count > ResourceRequest.NamedMax)
            yield return new JobProblem(path + "named", $"{terms.Named.Count} named amounts", $"at most {ResourceRequest.NamedMax}");
        foreach ((string name, long amount) in terms.Named)
            if (amount is < 0 or > ResourceRequest.AmountMax)
                yield return new JobProblem($"{path}named.{name}", $"found {amount}", $"a whole number from 0 to {ResourceRequest.AmountMax}");
        if (!IsName(terms.Region))
            yield return new JobProblem(path + "region", $"found '{terms.Region}'", nameForm);
        if (terms.Zone.Length > 0 && !IsName(terms.Zone))
            yield return new JobProblem(path + "zone", $"found '{terms.Zone}'", nameForm);
        if (terms.Labels.Length > Placement.LabelsMax)
            yield return new JobProblem(path + "labels", $"{terms.Labels.Length} labels", $"at most {Placement.LabelsMax}: a job can ask for no more");
        if (!terms.Hourly.IsEmpty && terms.Hourly.Length != 24)
            yield return new JobProblem(path + "hourly", $"{terms.Hourly.Length} factors", "24 of them, one for each hour in UTC");
        for (int i = 0; i < (terms.Gpus?.Length ?? 0); i++)
            if (terms.Gpus!.Value[i].Index is < 0 or > 1023)
                yield return new JobProblem($"{path}gpus[{i}]", $"found {terms.Gpus.Value[i].Index}", "a number from 0 to 1023");
    }

    /// <summary>Settings that a workers' file says for each worker.</summary>
    private static IEnumerable<(string Field, bool IsSaid)> Sizes(NodeSpec spec) =>
    [
        ("cpu", spec.Cpu is not null), ("memory", spec.Memory is not null), ("disk", spec.Disk is not null), ("gpus", spec.Gpus is not null),
        ("named", !spec.Named.IsEmpty), ("network", spec.Network > 0),
    ];
}
