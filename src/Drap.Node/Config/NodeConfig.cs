using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Drap.Api;
using Drap.Core.Jobs;

namespace Drap.Node.Config;

/// <summary>
/// A node's settings as they are together: flags over variables over the file over defaults, each with where it comes from. All layers are read by the same
/// contract, and everything that is wrong in any of them is said with its place.
/// </summary>
public sealed class NodeConfig
{
    /// <summary>Largest file that is read.</summary>
    private const int BytesMax = 1 << 20;

    /// <summary>Problems that are said: a person mends the first ones first.</summary>
    private const int ProblemsMax = 20;

    /// <summary>When the Slurm job in which this runs will be ended, in seconds since 1970.</summary>
    private const string slurmEnd = "SLURM_JOB_END_TIME";

    private readonly Dictionary<string, Origin> origins = new(StringComparer.Ordinal);
    private readonly List<string> problems = [];
    private readonly List<string> warnings = [];
    private JobNode? root;

    private NodeConfig(string file) => File = file;

    /// <summary>The file that was read, or would be.</summary>
    public string File { get; }

    /// <summary>Whether there is one.</summary>
    public bool HasFile { get; private set; }

    /// <summary>What holds.</summary>
    public NodeSpec Spec { get; private set; } = new();

    /// <summary>What is wrong, a line each, as <c>node.yaml:12:6: cpu: found 'x'; allowed: …</c>.</summary>
    public IReadOnlyList<string> Problems => problems;

    /// <summary>What is odd and changes nothing.</summary>
    public IReadOnlyList<string> Warnings => warnings;

    /// <summary>Reads all layers. What is wrong stands in <see cref="Problems"/>; then the specification is that of nothing said.</summary>
    public static NodeConfig Read(ConfigSources sources)
    {
        var config = new NodeConfig(sources.File);
        JobNode? file = config.root = config.ReadFile(sources);
        ConfigLayer variables = ConfigLayer.Of(NodeSetting.All
            .Select(s => (Setting: s, Place: s.Variable, Text: sources.Variable(s.Variable)))
            .Where(v => !string.IsNullOrEmpty(v.Text)).Select(v => (v.Setting, v.Place, (IEnumerable<string>)[v.Text!])));
        ConfigLayer flags = ConfigLayer.Of(sources.Flags.Select(f => (NodeSetting.Of(f.Path), NodeSetting.Of(f.Path).Flag, (IEnumerable<string>)f.Values)));
        if (file is not null)
            config.Check(file, config.At);
        config.Check(variables.Root, n => variables.Places[n.Line - 1], isNamedByPlace: true);
        config.Check(flags.Root, n => flags.Places[n.Line - 1], isNamedByPlace: true);
        config.WarnOfVariables(sources);
        if (config.problems.Count > 0)
            return config;
        config.Spec = Reader(out _).Read<NodeSpec>(config.Merge(file, variables, flags, sources), "")!;
        config.EndWithTheBatchJob(sources);
        foreach (JobProblem problem in NodeRules.Check(config.Spec))
            config.Refuse(problem);
        return config;
    }

    /// <summary>Where the value of a setting comes from.</summary>
    public Origin OriginOf(NodeSetting setting) => origins.TryGetValue(setting.Path, out Origin origin) ? origin : setting.About.IsDetected ? Origin.Detected : Origin.Default;

    /// <summary>Whether somebody said the setting.</summary>
    public bool IsSaid(string path) => origins.ContainsKey(path);

    /// <summary>A value is not right for another reason than its form.</summary>
    internal void Refuse(JobProblem problem) => Add(Placed(problem));

    /// <summary>A value is odd.</summary>
    internal void Warn(JobProblem problem) => warnings.Add(Placed(problem));

    /// <summary>Goes on if nothing is wrong.</summary>
    /// <exception cref="ApiException">Something is.</exception>
    public NodeConfig Checked() =>
        problems.Count == 0 ? this : throw new ApiException(ErrorCodes.BadRequest, string.Join('\n', problems), null, null);

    /// <summary>A flag's name and a variable's say which setting it is; in a file the field is named.</summary>
    private string Placed(JobProblem problem)
    {
        string path = problem.Path;
        NodeSetting? setting = NodeSetting.All.FirstOrDefault(
            s => path == s.Path || path.StartsWith(s.Path + "[", StringComparison.Ordinal) || path.StartsWith(s.Path + ".", StringComparison.Ordinal));
        if (setting is null || !origins.TryGetValue(setting.Path, out Origin origin))
            return $"{File}: {problem}";
        return origin.Kind == OriginKind.File && root?.At(path) is { } node ? $"{At(node)}: {problem}" : $"{origin.Text}: {problem with { Path = "" }}";
    }

    private string At(JobNode node) => string.Create(CultureInfo.InvariantCulture, $"{File}:{node.Line}:{node.Column}");

    private void Add(string problem)
    {
        if (problems.Count < ProblemsMax)
            problems.Add(problem);
    }

    private JobNode? ReadFile(ConfigSources sources)
    {
        string text;
        try
        {
            var info = new FileInfo(sources.File);
            if (!info.Exists && !sources.IsFileNamed)
                return null;
            if (info is { Exists: true, Length: > BytesMax })
            {
                Add($"{sources.File}:1:1: {info.Length} bytes; allowed: at most {BytesMax}");
                return null;
            }
            text = System.IO.File.ReadAllText(sources.File, new UTF8Encoding(false, throwOnInvalidBytes: true));
            HasFile = true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            Add($"{sources.File}: the file cannot be read: {(e is FileNotFoundException or DirectoryNotFoundException ? "it is not there" : e.Message)}");
            return null;
        }
        catch (DecoderFallbackException)
        {
            Add($"{sources.File}:1:1: bytes that are no UTF-8; allowed: YAML in UTF-8");
            return null;
        }
        // A file of which every line is a comment is one that says nothing.
        if (text.Split('\n').All(l => l.TrimStart() is "" or ['#', ..]))
            return null;
        try
        {
            JobNode read = YamlNodes.Read(text);
            if (read.Kind == JobNodeKind.Mapping)
                return WithoutNulls(read);
            Add($"{At(read)}: found {read.Describe()}; allowed: settings as NAME: VALUE, a line each");
        }
        catch (JobSyntaxException e)
        {
            Add($"{sources.File}:{e.Line}:{e.Column}: {new JobProblem("", e.Message, e.Allowed)}");
        }
        return null;
    }

    /// <summary>A name without a value says nothing: who takes the # from <c>prices:</c> alone has not said a price.</summary>
    private static JobNode WithoutNulls(JobNode node) => node.Kind != JobNodeKind.Mapping ? node : node with
    {
        Fields = [.. node.Fields.Where(f => f.Value.Kind != JobNodeKind.Null).Select(f => f with { Value = WithoutNulls(f.Value) })],
    };

    private void Check(JobNode root, Func<JobNode, string> place, bool isNamedByPlace = false)
    {
        SpecReader reader = Reader(out List<(JobNode Node, JobProblem Problem)> found);
        reader.Read<NodeSpec>(root, "");
        foreach ((JobNode node, JobProblem problem) in found.OrderBy(p => p.Node.Line).ThenBy(p => p.Node.Column))
            Add($"{place(node)}: {(isNamedByPlace ? problem with { Path = "" } : problem)}");
    }

    private static SpecReader Reader(out List<(JobNode Node, JobProblem Problem)> problems)
    {
        problems = [];
        return new SpecReader(problems);
    }

    private JobNode Merge(JobNode? file, ConfigLayer variables, ConfigLayer flags, ConfigSources sources)
    {
        JobNode merged = new(JobNodeKind.Mapping, 1, 1);
        foreach (NodeSetting setting in NodeSetting.All)
        {
            if (flags.TryGet(setting, out JobNode? node))
                origins[setting.Path] = new Origin(OriginKind.Flag, setting.Flag);
            else if (variables.TryGet(setting, out node))
                origins[setting.Path] = new Origin(OriginKind.Variable, setting.Variable);
            else if (file is not null && ConfigLayer.TryFind(file, setting.Path, out node))
                origins[setting.Path] = new Origin(OriginKind.File, At(node));
            else
                continue;
            merged = ConfigLayer.With(merged, setting.Path.Split('.'), setting.Path == "workers" ? Absolute(node, origins[setting.Path].Kind, sources) : node);
        }
        return merged;
    }

    /// <summary>A workers' file is meant beside the node's file, or where the command was typed.</summary>
    private static JobNode Absolute(JobNode node, OriginKind kind, ConfigSources sources) => node.Text.Length == 0 || NodeSpec.CountOf(node.Text) is not null
        ? node : node with { Text = Path.GetFullPath(node.Text, kind == OriginKind.File ? Path.GetDirectoryName(sources.File)! : sources.CurrentFolder) };

    private void EndWithTheBatchJob(ConfigSources sources)
    {
        if (sources.Variable(slurmEnd) is not { Length: > 0 } text)
            return;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long seconds) || seconds > long.MaxValue / 1000)
        {
            warnings.Add($"{slurmEnd}: found '{text}', which is no time in seconds since 1970: the end of the Slurm job is not known");
            return;
        }
        TimeSpan left = new UtcTime(seconds * 1000) - sources.Now;
        if (left <= TimeSpan.Zero)
            warnings.Add($"{slurmEnd}: the Slurm job's end is over already: it is left out of account");
        else if (left < JobLimits.DurationMax && (Spec.TimeLimit is not { } limit || left < limit))
        {
            Spec = Spec with { TimeLimit = TimeSpan.FromSeconds(Math.Ceiling(left.TotalSeconds)) };
            origins["time_limit"] = new Origin(OriginKind.Variable, slurmEnd);
        }
    }

    /// <summary>A variable that is nearly one of ours was meant to be it.</summary>
    private void WarnOfVariables(ConfigSources sources)
    {
        ImmutableArray<string> known = [.. NodeSetting.All.Select(s => s.Variable)];
        foreach (string name in sources.VariableNames.Where(n => n.StartsWith("DRAP_", StringComparison.Ordinal) && !known.Contains(n)).Order(StringComparer.Ordinal))
            if (FieldWords.Instead(name, known) is ['d', 'i', 'd', ' ', ..] meant && name.Length > "DRAP_".Length + 2 && Near(name, meant))
                warnings.Add($"{name}: no setting is called so; {meant}");

        // The prefix, which all have, must not make short names alike: DRAP_OUT is none of ours.
        static bool Near(string name, string meant) => FieldWords.Instead(name["DRAP_".Length..], [meant.Split('\'')[1]["DRAP_".Length..]]).EndsWith('?');
    }
}
