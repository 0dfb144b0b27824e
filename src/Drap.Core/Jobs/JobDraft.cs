using System.Collections.Immutable;
using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>A job file on its way to a job: parameters first, then segments in order, since a segment may use the counts of those above.</summary>
internal sealed class JobDraft(JobNode root, JobFileOptions options)
{
    private readonly List<(JobNode Node, JobProblem Problem)> problems = [];
    private readonly SortedDictionary<string, TemplateValue> names = new(StringComparer.Ordinal);
    private readonly List<JobNode> segmentNodes = [];

    public JobFileResult Read()
    {
        foreach ((string name, string value) in options.Client)
            names["client." + name] = new TemplateValue(value);
        ImmutableSortedDictionary<string, ParamSpec> declared = ReadParams();
        foreach (string name in options.Client.Keys)
            names.Remove("client." + name);
        foreach ((string name, ParamSpec spec) in declared)
            names["params." + name] = ParamBinding.ValueOf(spec);
        JobSpec? head = Reader().Read<JobSpec>(root, "", ["params", "segments", "defaults"]);
        ImmutableArray<SegmentSpec> segments = ReadSegments();
        JobSpec job = JobForm.Complete((head ?? new JobSpec()) with
        {
            Name = head?.Name is { Length: > 0 } name0 ? name0 : DefaultName(),
            Params = declared,
            Segments = segments,
        });
        AddRules(job);
        ImmutableArray<JobFileError> errors =
        [
            .. problems.Select(p => new JobFileError(options.FileName, p.Node.Line, p.Node.Column, p.Problem))
                .OrderBy(e => e.Line).ThenBy(e => e.Column).DistinctBy(e => (e.Line, e.Column, e.Problem.Found)).Take(JobFile.ErrorsMax),
        ];
        return new JobFileResult(errors.IsEmpty ? job : null, errors);
    }

    private SpecReader Reader() => new(names.TryGetValue, NamesOf, problems);

    private IEnumerable<string> NamesOf(string rootName) =>
        rootName is "params" or "segments" or "client"
            ? names.Keys.Where(n => n.StartsWith(rootName + ".", StringComparison.Ordinal)).DefaultIfEmpty($"no {rootName}")
            : [];

    private string DefaultName()
    {
        string name = string.Concat(options.DefaultName.Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '-')).TrimStart('.', '_', '-');
        return name.Length == 0 ? "job" : name[..Math.Min(name.Length, JobLimits.NameLengthMax)];
    }

    private ImmutableSortedDictionary<string, ParamSpec> ReadParams()
    {
        var declared = JobJson.EmptyMap<ParamSpec>().ToBuilder();
        JobNode? node = root["params"];
        if (node is { Kind: not JobNodeKind.Mapping })
            problems.Add((node, new JobProblem("params", "found " + node.Describe(), "names with their defaults or types")));
        foreach (JobField field in node?.Fields ?? [])
            declared[field.Name] = Reader().Read<ParamSpec>(field.Value, $"params.{field.Name}") ?? new ParamSpec { Default = "" };
        var found = new List<JobProblem>();
        ImmutableSortedDictionary<string, ParamSpec> bound = ParamBinding.Bind(declared.ToImmutable(), options.Params, options.CurrentFolder, found);
        foreach (JobProblem problem in found)
            AddUnlessKnown(problem);
        return bound;
    }

    private ImmutableArray<SegmentSpec> ReadSegments()
    {
        var segments = ImmutableArray.CreateBuilder<SegmentSpec>();
        JobNode? list = root["segments"];
        if (list is not { Kind: JobNodeKind.Sequence, Items.Length: > 0 })
        {
            problems.Add((list ?? root, new JobProblem("segments", list is null ? "no segments" : "found " + list.Describe(), "a list of segments")));
            return [];
        }
        if (list.Items.Length > JobLimits.SegmentsMax)
        {
            problems.Add((list, new JobProblem("segments", $"{list.Items.Length} of them", $"1 to {JobLimits.SegmentsMax}")));
            return [];
        }
        for (int i = 0; i < list.Items.Length; i++)
        {
            JobNode node = WithDefaults(list.Items[i]);
            segmentNodes.Add(node);
            string path = $"segments[{i}]";
            // A segment that could not be read keeps its name, so that others may still name it.
            SegmentSpec segment = ReadSegment(node, path) ?? new SegmentSpec { Name = node["name"]?.Text ?? "" };
            segments.Add(segment);
            names[$"segments.{segment.Name}.count"] = new TemplateValue(JobForm.TaskCount(segment));
        }
        return segments.DrainToImmutable();
    }

    private SegmentSpec? ReadSegment(JobNode node, string path)
    {
        SegmentSpec? segment = Reader().Read<SegmentSpec>(node, path);
        if (node["items"] is { Kind: JobNodeKind.Sequence, Items.Length: 0 } items)
            problems.Add((items, new JobProblem($"{path}.items", "an empty list", "one item or more")));
        if (segment?.Files is not { } files || options.Files is null)
            return segment;
        if (ItemExpansion.TryExpand(files, options.Files, out FilesSpec? expanded, out JobProblem? problem))
            return segment with { Files = expanded };
        problems.Add((Locate($"{path}.files.glob"), problem with { Path = $"{path}.files.glob" }));
        return segment;
    }

    /// <summary>The segment with the fields of <c>defaults</c> that it does not set; they keep their places, so that an error in one shows there.</summary>
    private JobNode WithDefaults(JobNode segment)
    {
        if (root["defaults"] is not { Kind: JobNodeKind.Mapping } defaults || segment.Kind != JobNodeKind.Mapping)
            return segment;
        return segment with
        {
            Fields =
            [
                .. segment.Fields.Select(f => f.Name is "env" or "secrets" && defaults[f.Name] is { Kind: JobNodeKind.Mapping } shared
                    ? f with { Value = f.Value with { Fields = [.. f.Value.Fields, .. shared.Fields.Where(s => f.Value[s.Name] is null)] } }
                    : f),
                .. defaults.Fields.Where(f => segment[f.Name] is null),
            ],
        };
    }

    private void AddRules(JobSpec job)
    {
        if (root["defaults"] is { Kind: not JobNodeKind.Mapping } defaults)
            problems.Add((defaults, new JobProblem("defaults", "found " + defaults.Describe(), "fields of a segment")));
        if (root["defaults"]?["name"] is { } name)
            problems.Add((name, new JobProblem("defaults.name", "a name for all segments", "a name in each segment")));
        foreach (JobProblem problem in JobRules.Check(job))
            AddUnlessKnown(problem);
    }

    /// <summary>Adds a problem unless its field, one in it or one around it has another already, of which this one would only be an echo.</summary>
    private void AddUnlessKnown(JobProblem problem)
    {
        bool echo = problems.Any(p => p.Problem.Path.Length > 0 && (Within(problem.Path, p.Problem.Path) || Within(p.Problem.Path, problem.Path)));
        if (!echo)
            problems.Add((Locate(problem.Path), problem));

        static bool Within(string inner, string outer) =>
            inner.StartsWith(outer, StringComparison.Ordinal) && (inner.Length == outer.Length || inner[outer.Length] is '.' or '[');
    }

    /// <summary>The node of a path, or the nearest one around it.</summary>
    private JobNode Locate(string path)
    {
        JobNode at = root;
        foreach (string step in path.Replace("[", ".[", StringComparison.Ordinal).Split('.', StringSplitOptions.RemoveEmptyEntries))
        {
            JobNode? next = null;
            if (step[0] != '[')
                next = at[step];
            else if (int.TryParse(step.AsSpan(1, step.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out int index))
                next = at == root["segments"] && index < segmentNodes.Count ? segmentNodes[index]
                    : index < at.Items.Length ? at.Items[index] : null;
            if (next is null)
                break;
            at = next;
        }
        return at;
    }
}
