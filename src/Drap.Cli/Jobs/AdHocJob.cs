using System.Collections.Immutable;
using System.Globalization;
using Drap.Core;
using Drap.Core.Jobs;

namespace Drap.Cli.Jobs;

/// <summary>The flags of <c>drap run -- COMMAND</c> as they were typed; null or empty where one was not.</summary>
internal sealed record AdHocFlags
{
    public required IReadOnlyList<string> Command { get; init; }
    public string? Name { get; init; }
    public string? Dir { get; init; }
    public string? Array { get; init; }
    public string? Cpus { get; init; }
    public string? Memory { get; init; }
    public string? Gpus { get; init; }
    public IReadOnlyList<string> Resource { get; init; } = [];
    public IReadOnlyList<string> On { get; init; } = [];
    public IReadOnlyList<string> NotOn { get; init; } = [];
    public string? Bid { get; init; }
    public string? Limit { get; init; }
    public string? Budget { get; init; }
    public string? Timeout { get; init; }
    public string? Deadline { get; init; }
    public int? Retries { get; init; }
    public int? MaxFails { get; init; }
    public int? Priority { get; init; }
    public IReadOnlyList<string> Env { get; init; } = [];
    public IReadOnlyList<string> Input { get; init; } = [];
    public IReadOnlyList<string> Output { get; init; } = [];
    public bool Stdin { get; init; }
}

/// <summary>Makes the flags of <c>drap run -- COMMAND</c> into a job of one segment.</summary>
internal static class AdHocJob
{
    /// <summary>The segment's name, as reports show it.</summary>
    public const string Segment = "run";

    private const string dirInput = "dir";

    /// <summary>The job, complete and checked.</summary>
    /// <exception cref="CliException">A flag's value is wrong; its exit code is <see cref="ExitCode.OwnFailure"/>.</exception>
    public static JobSpec Make(AdHocFlags flags)
    {
        (ArrayRange? array, int? concurrency) = Array(flags.Array);
        var segment = new SegmentSpec
        {
            Name = Segment,
            Array = array,
            Concurrency = concurrency,
            Command = Command(flags),
            Resources = Resources(flags),
            Constraints = new ConstraintsSpec { Labels = [.. flags.On], NotLabels = [.. flags.NotOn] },
            Env = Pairs("--env", flags.Env, name => Environment.GetEnvironmentVariable(name))
                .ToImmutableSortedDictionary(e => e.Key, e => Verbatim(e.Value), StringComparer.Ordinal),
            Inputs = Inputs(flags),
            Outputs = Outputs(flags.Output),
            Bid = Money("--bid", flags.Bid) is { } bid ? new Price(bid.Micro) : null,
            Limit = Money("--limit", flags.Limit) is { } limit ? new Price(limit.Micro) : null,
            Deadline = Time("--deadline", flags.Deadline),
            Retries = flags.Stdin ? 0 : flags.Retries ?? (array is null ? 0 : new SegmentSpec().Retries),
            Priority = flags.Priority ?? 0,
            Stdin = flags.Stdin,
            // A person reads it, and wants all.
            MaxLog = new ByteSize(JobLimits.LogMax),
        };
        if (Time("--timeout", flags.Timeout) is { } timeout)
            segment = segment with { Timeout = timeout };
        JobSpec job = JobForm.Complete(new JobSpec
        {
            Name = flags.Name ?? NameOf(flags.Command[0]),
            Budget = Money("--budget", flags.Budget),
            MaxFails = flags.MaxFails,
            Segments = [segment],
        });
        ImmutableArray<JobProblem> problems = JobRules.Check(job);
        return problems.IsEmpty ? job : throw Wrong(string.Join('\n', problems.Select(p => (p with { Path = FlagOf(p.Path) }).ToString()).Distinct()));
    }

    /// <summary>The flag whose value lies at a place of the job; places without one keep their name.</summary>
    private static string FlagOf(string path)
    {
        string place = path.StartsWith("segments[0].", StringComparison.Ordinal) ? path["segments[0].".Length..] : path;
        return place.Split('.', '[') switch
        {
            ["command", ..] => "the command",
            ["resources", "cpu", ..] => "--cpus",
            ["resources", "memory", ..] => "--memory",
            ["resources", "gpu", ..] => "--gpus",
            ["resources", "named", ..] => "--resource",
            ["constraints", "labels", ..] => "--on",
            ["constraints", "not_labels", ..] => "--not-on",
            ["inputs", dirInput, ..] => "--dir",
            ["inputs", ..] => "--input",
            ["outputs", ..] => "--output",
            ["env", ..] => "--env",
            ["concurrency", ..] => "--array",
            [var first, ..] when first.Length > 0 => "--" + first.Replace('_', '-'),
            _ => place,
        };
    }

    // The shipped folder is the task's current one, as it is the user's; the shell's own codes for a missing command are ours, too.
    private static CommandSpec Command(AdHocFlags flags) => flags.Dir is null
        ? CommandSpec.Program([.. flags.Command.Select(Verbatim)])
        : CommandSpec.Program(["/bin/sh", "-c", $"cd {dirInput} && exec \"$@\"", "sh", .. flags.Command.Select(Verbatim)]);

    // What a person types after -- is the command's own, whatever it looks like.
    private static string Verbatim(string text) => text.Replace("${{", "$${{", StringComparison.Ordinal);

    private static (ArrayRange? Array, int? Concurrency) Array(string? text)
    {
        if (text is null)
            return (null, null);
        string[] parts = text.Split('%', 2);
        int concurrency = 0;
        bool ok = ArrayRange.TryParse(parts[0], out ArrayRange? array)
            && (parts.Length == 1 || int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out concurrency) && concurrency > 0);
        return ok ? (array, parts.Length == 1 ? null : concurrency) : throw Wrong("--array", text, ArrayRange.Form + ", and %N for at most N at once");
    }

    private static ResourcesSpec Resources(AdHocFlags flags)
    {
        var resources = new ResourcesSpec();
        if (flags.Cpus is not null)
            resources = resources with { Cpu = Cores.TryParse(flags.Cpus, out Cores cpus) ? cpus : throw Wrong("--cpus", flags.Cpus, Cores.Form) };
        if (flags.Memory is not null)
            resources = resources with { Memory = ByteSize.TryParse(flags.Memory, out ByteSize memory) ? memory : throw Wrong("--memory", flags.Memory, ByteSize.Form) };
        if (flags.Gpus is not null)
            resources = resources with { Gpu = Gpus(flags.Gpus) };
        var named = JobJson.EmptyMap<long>().ToBuilder();
        foreach ((string name, string value) in Pairs("--resource", flags.Resource, _ => null))
            named[name] = long.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out long amount)
                ? amount : throw Wrong("--resource", $"{name}={value}", "NAME=N with a whole number");
        return resources with { Named = named.ToImmutable() };
    }

    private static GpuSpec Gpus(string text)
    {
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int count))
            return new GpuSpec { Count = count };
        return Cores.TryParse(text, out Cores share) && share.Milli is > 0 and < 1000
            ? new GpuSpec { Count = 1, Fraction = share } : throw Wrong("--gpus", text, "a number of devices, or a share of one such as 0.5");
    }

    // Each file keeps its name; NAME=PATH gives it another.
    private static ImmutableSortedDictionary<string, InputSpec> Inputs(AdHocFlags flags)
    {
        var inputs = JobJson.EmptyMap<InputSpec>().ToBuilder();
        if (flags.Dir is not null)
            inputs[dirInput] = new InputSpec { Path = flags.Dir, To = dirInput };
        foreach (string text in flags.Input)
        {
            int equals = text.IndexOf('=', StringComparison.Ordinal);
            string path = equals > 0 ? text[(equals + 1)..] : text;
            string to = equals > 0 ? text[..equals] : Path.GetFileName(Path.TrimEndingDirectorySeparator(path));
            bool isCid = Cid.TryParse(path, out Cid cid);
            string name = FieldName(to, inputs.Keys);
            inputs[name] = isCid ? new InputSpec { Cid = cid.ToString(), To = to } : new InputSpec { Path = path, To = to };
        }
        return inputs.ToImmutable();
    }

    private static ImmutableSortedDictionary<string, OutputSpec> Outputs(IReadOnlyList<string> paths)
    {
        var outputs = JobJson.EmptyMap<OutputSpec>().ToBuilder();
        foreach (string path in paths.Distinct(StringComparer.Ordinal))
            outputs[FieldName(path, outputs.Keys)] = new OutputSpec { Path = path };
        return outputs.ToImmutable();
    }

    /// <summary>A name that a field may have, made of a path: a pattern's matches lie in a folder of that name.</summary>
    private static string FieldName(string path, IEnumerable<string> taken)
    {
        string name = new([.. path.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' ? c : '_')]);
        name = name.Length > 40 ? name[^40..] : name;
        if (name.Length == 0 || !char.IsAsciiLetterLower(name[0]))
            name = "f" + name;
        string free = name;
        for (int n = 2; taken.Contains(free); n++)
            free = string.Create(CultureInfo.InvariantCulture, $"{name}_{n}");
        return free;
    }

    private static ImmutableSortedDictionary<string, string> Pairs(string flag, IReadOnlyList<string> texts, Func<string, string?> otherwise)
    {
        var pairs = JobJson.EmptyMap<string>().ToBuilder();
        foreach (string text in texts)
        {
            int equals = text.IndexOf('=', StringComparison.Ordinal);
            string name = equals < 0 ? text : text[..equals];
            string? value = equals < 0 ? otherwise(name) : text[(equals + 1)..];
            pairs[name] = name.Length > 0 && value is not null ? value : throw Wrong(flag, text, "NAME=VALUE");
        }
        return pairs.ToImmutable();
    }

    private static Credits? Money(string flag, string? text) =>
        text is null ? null : Credits.TryParse(text, out Credits credits) ? credits : throw Wrong(flag, text, "credits such as 1.5, not negative, with at most six decimals");

    private static TimeSpan? Time(string flag, string? text) =>
        text is null ? null : Duration.TryParse(text, out TimeSpan time) ? time : throw Wrong(flag, text, Duration.Form);

    private static string NameOf(string command)
    {
        string name = new([.. Path.GetFileName(command).Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '-')]);
        return name.Length == 0 ? Segment : name.Length > JobLimits.NameLengthMax ? name[..JobLimits.NameLengthMax] : name;
    }

    private static CliException Wrong(string flag, string found, string allowed) => Wrong($"{flag}: found '{found}'; allowed: {allowed}");

    private static CliException Wrong(string message) => new(ExitCode.OwnFailure, message, "see drap run --help");
}
