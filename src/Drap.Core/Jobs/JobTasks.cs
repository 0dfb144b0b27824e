using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>Finds the content of an output of a complete task; false if it was optional and left out.</summary>
/// <param name="segment">The segment's place in the job.</param>
/// <param name="index">The task's index.</param>
/// <param name="output">The output's name.</param>
/// <param name="cid">The file's or folder's CID.</param>
/// <param name="executable">Whether the file may be executed.</param>
public delegate bool OutputLookup(int segment, int index, string output, out string cid, out bool executable);

/// <summary>Makes a task's <see cref="TaskSpec"/> from its job.</summary>
public static class JobTasks
{
    /// <summary>The segment as its alternative <paramref name="alternative"/> has it: 0 is the segment itself, 1 the first alternative.</summary>
    public static SegmentSpec With(SegmentSpec segment, int alternative)
    {
        if (alternative == 0)
            return segment;
        AlternativeSpec other = segment.Alternatives[alternative - 1];
        Driver driver = other.Driver ?? segment.Driver;
        return segment with
        {
            Driver = driver,
            // What belongs to the other driver is not taken over.
            Command = other.Command ?? (driver == segment.Driver ? segment.Command : null),
            Handler = other.Handler ?? (driver == segment.Driver ? segment.Handler : null),
            Resources = other.Resources ?? segment.Resources,
            Constraints = other.Constraints ?? segment.Constraints,
        };
    }

    /// <summary>The task as it goes to a worker. All that it needs must be complete.</summary>
    /// <returns>False with a message for people if an output is missing or a path is not safe; the task then fails for good.</returns>
    public static bool TryMake(
        JobGraph graph, int segment, int index, int alternative, OutputLookup outputs,
        [NotNullWhen(true)] out TaskSpec? task, [NotNullWhen(false)] out string? error)
    {
        task = null;
        SegmentSpec spec = With(graph.Job.Segments[segment], alternative);
        TemplateLookup lookup = Lookup(graph, segment, index);
        if (!TryInputs(graph, spec, segment, index, outputs, lookup, out ImmutableArray<TaskInput> inputs, out error))
            return false;
        var declared = spec.Outputs.ToBuilder();
        foreach ((string name, OutputSpec output) in spec.Outputs)
        {
            if (!TryPath(output.Path, lookup, out string? path, out error) || !TryPath(output.To, lookup, out string? to, out error))
                return false;
            declared[name] = output with { Path = path, To = to };
        }
        if (!TryCommand(spec.Command, lookup, out CommandSpec? command, out error) || !TryCommand(spec.Check, lookup, out CommandSpec? check, out error)
            || !TryEnv(spec.Env, lookup, out ImmutableSortedDictionary<string, string> env, out error))
            return false;
        task = new TaskSpec
        {
            JobName = graph.Job.Name,
            Segment = spec.Name,
            Index = index,
            Number = JobForm.Number(spec, index),
            Item = spec.Items.Length > 0 ? spec.Items[index] : null,
            Driver = spec.Driver,
            Handler = spec.Handler,
            Command = command,
            Check = check,
            Env = env,
            Inputs = inputs,
            Outputs = declared.ToImmutable(),
            Resources = spec.Resources,
            Timeout = spec.Timeout,
            Nodes = spec.Nodes ?? 0,
            Stdin = spec.Stdin,
            OnSchedulerLost = spec.Exclusive ? OnSchedulerLost.Stop : spec.OnSchedulerLost,
            MaxLog = spec.MaxLog,
            Public = spec.Public,
        };
        return true;
    }

    /// <summary>
    /// Whether a segment's tasks differ in nothing but their index and the places of delivered outputs, so that one <see cref="TaskSpec"/>
    /// without those places serves all of them.
    /// </summary>
    public static bool IsUniform(SegmentSpec segment, int alternative)
    {
        SegmentSpec spec = With(segment, alternative);
        return spec.Items.IsEmpty && spec.Files is null && spec.Nodes is null
            && spec.Inputs.Values.All(i => IsPlain(i.To) && IsPlain(i.From) && (i.From is null || i.Tasks == "all"))
            && spec.Outputs.Values.All(o => IsPlain(o.Path))
            && spec.Env.Values.All(IsPlain) && IsPlain(spec.Command) && IsPlain(spec.Check);

        static bool IsPlain(object? text) => text switch
        {
            null => true,
            CommandSpec command => IsPlain(command.Script) && command.Argv.All(IsPlain),
            _ => !((string)text).Contains("${{", StringComparison.Ordinal),
        };
    }

    private static TemplateLookup Lookup(JobGraph graph, int segment, int index)
    {
        SegmentSpec spec = graph.Job.Segments[segment];
        ItemSpec? item = spec.Items.Length > 0 ? spec.Items[index] : null;
        return (string name, out TemplateValue value) =>
        {
            (bool known, value) = name switch
            {
                "index" or "rank" => (true, new TemplateValue(index)),
                "number" => (true, new TemplateValue(JobForm.Number(spec, index))),
                "nodes" => (true, new TemplateValue(spec.Nodes ?? 0)),
                "job.name" => (true, new TemplateValue(graph.Job.Name)),
                "segment.name" => (true, new TemplateValue(spec.Name)),
                "segment.count" => (true, new TemplateValue(graph.CountOf(segment))),
                "item" when item?.Text is not null => (true, new TemplateValue(item.Text)),
                _ when name.StartsWith("item.", StringComparison.Ordinal) && item?.Fields.GetValueOrDefault(name[5..]) is { } field =>
                    (true, new TemplateValue(field)),
                _ => (false, default),
            };
            return known;
        };
    }

    private static bool TryInputs(
        JobGraph graph, SegmentSpec spec, int segment, int index, OutputLookup outputs, TemplateLookup lookup,
        out ImmutableArray<TaskInput> inputs, [NotNullWhen(false)] out string? error)
    {
        inputs = [];
        error = null;
        var result = ImmutableArray.CreateBuilder<TaskInput>();
        if (spec.Files is { } files)
            result.Add(new TaskInput
            {
                Name = "files",
                To = files.To,
                IsFolder = true,
                Parts = [.. files.Sets[index].Files.Select(f => new TaskInputPart { Name = f.Name, Cid = f.Cid ?? "" })],
            });
        foreach ((string name, InputSpec input) in spec.Inputs)
        {
            if (!TryPath(input.To, lookup, out string? to, out error))
                return false;
            if (input.From is null)
            {
                result.Add(new TaskInput { Name = name, To = to, Parts = [new TaskInputPart { Cid = input.Cid ?? "", Executable = input.Executable }] });
                continue;
            }
            if (!TryProduced(graph, segment, index, input, outputs, out bool isFolder, out ImmutableArray<TaskInputPart> parts, out error))
                return false;
            if (parts.Length > 0 || isFolder)
                result.Add(new TaskInput { Name = name, To = to, IsFolder = isFolder, Parts = parts });
        }
        inputs = result.DrainToImmutable();
        return true;
    }

    private static bool TryProduced(
        JobGraph graph, int segment, int index, InputSpec input, OutputLookup outputs,
        out bool isFolder, out ImmutableArray<TaskInputPart> parts, [NotNullWhen(false)] out string? error)
    {
        parts = [];
        isFolder = true;
        error = $"'{input.From}' names no output";
        if (!OutputRef.TryParse(input.From!, out OutputRef? from)
            || !from.TryResolve(index, JobForm.Number(graph.Job.Segments[segment], index), out string? output, out error))
            return false;
        int producer = 0;
        while (graph.Job.Segments[producer].Name != from.Segment)
            producer++;
        var ranges = new List<(int First, int Last)>();
        if (!TaskPick.TryParse(input.Tasks, out TaskPick? pick, out error)
            || !pick.TryChoose(index, JobForm.Number(graph.Job.Segments[segment], index), graph.CountOf(producer), ranges, out error))
            return false;
        isFolder = !pick.IsSingle;
        var found = ImmutableArray.CreateBuilder<TaskInputPart>();
        foreach ((int first, int last) in ranges)
        {
            for (int i = first; i <= last; i++)
            {
                if (outputs(producer, i, output, out string cid, out bool executable))
                {
                    string part = isFolder ? i.ToString("d6", CultureInfo.InvariantCulture) : "";
                    found.Add(new TaskInputPart { Name = part, Cid = cid, Executable = executable || input.Executable });
                }
                else if (!input.Optional)
                {
                    error = $"the task with index {i} of '{from.Segment}' left no output '{output}'";
                    return false;
                }
            }
        }
        parts = found.DrainToImmutable();
        return true;
    }

    private static bool TryPath(string text, TemplateLookup lookup, [NotNullWhen(true)] out string? path, [NotNullWhen(false)] out string? error)
    {
        path = null;
        if (!Template.TryParse(text, out Template? template, out error) || !template.TryEvaluate(lookup, out path, out error))
            return false;
        if (WorkPath.IsSafe(path))
            return true;
        error = $"the path '{path}' leaves its folder; allowed: {WorkPath.Form}";
        return false;
    }

    private static bool TryCommand(CommandSpec? command, TemplateLookup lookup, out CommandSpec? bound, [NotNullWhen(false)] out string? error)
    {
        bound = null;
        error = null;
        if (command is null)
            return true;
        string? script = null;
        if (command.Script is not null && !TryText(command.Script, lookup, out script, out error))
            return false;
        var argv = ImmutableArray.CreateBuilder<string>(command.Argv.Length);
        foreach (string argument in command.Argv)
        {
            if (!TryText(argument, lookup, out string? text, out error))
                return false;
            argv.Add(text);
        }
        bound = new CommandSpec(argv.DrainToImmutable(), script);
        return true;
    }

    private static bool TryEnv(
        ImmutableSortedDictionary<string, string> env, TemplateLookup lookup,
        out ImmutableSortedDictionary<string, string> bound, [NotNullWhen(false)] out string? error)
    {
        error = null;
        bound = env;
        foreach ((string name, string value) in env)
        {
            if (!TryText(value, lookup, out string? text, out error))
                return false;
            bound = bound.SetItem(name, text);
        }
        return true;
    }

    private static bool TryText(string text, TemplateLookup lookup, [NotNullWhen(true)] out string? bound, [NotNullWhen(false)] out string? error)
    {
        bound = null;
        error = null;
        if (!text.Contains("${{", StringComparison.Ordinal))
        {
            bound = text;
            return true;
        }
        if (!Template.TryParse(text, out Template? template, out error) || !template.TryBind(lookup, out Template? rest, out error))
            return false;
        bound = rest.ToString();
        return true;
    }
}
