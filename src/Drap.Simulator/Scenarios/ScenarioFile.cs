using System.Collections.Immutable;
using System.Text;
using Drap.Core.Jobs;

namespace Drap.Simulator.Scenarios;

/// <summary>A scenario, or every reason why there is none.</summary>
/// <param name="Scenario">Checked; null if there are errors.</param>
/// <param name="Errors">In the order of the file; empty if there is a scenario.</param>
public sealed record ScenarioFileResult(ScenarioSpec? Scenario, ImmutableArray<JobFileError> Errors);

/// <summary>Reads scenario files, as job files are read: each error has its line, its field, and what is allowed there.</summary>
public static class ScenarioFile
{
    /// <summary>Largest file, in bytes.</summary>
    private const int BytesMax = 1 << 20;

    private const string setForm = "FIELD=VALUE, the field as workers[0].count or network.loss";

    /// <summary>Reads a scenario from YAML. Never throws on what the text says.</summary>
    /// <param name="text">The text.</param>
    /// <param name="fileName">The file as the user named it, for messages.</param>
    /// <param name="sets">Fields that are set from outside, each as <c>field=value</c>; the value is YAML.</param>
    public static ScenarioFileResult Read(string text, string fileName, params ReadOnlySpan<string> sets)
    {
        if (Encoding.UTF8.GetByteCount(text) is > BytesMax and int bytes)
            return Failed(fileName, 1, 1, new JobProblem("", $"{bytes} bytes", $"at most {BytesMax}"));
        if (string.IsNullOrWhiteSpace(text))
            return Failed(fileName, 1, 1, new JobProblem("", "an empty file", "a scenario: workers and work"));
        JobNode root;
        try
        {
            root = YamlNodes.Read(text);
        }
        catch (JobSyntaxException e)
        {
            return Failed(fileName, e.Line, e.Column, new JobProblem("", e.Message, e.Allowed));
        }
        foreach (string set in sets)
        {
            if (!TrySet(ref root, set, out JobProblem? problem))
                return Failed("--set " + set, 1, 1, problem);
        }
        return Read(root, fileName);
    }

    /// <summary>The JSON Schema of scenario files, made from the types that they are read as.</summary>
    /// <param name="describe">The description of a member of a type, or of the type itself where the member is null; null for none.</param>
    public static string Schema(Func<Type, string?, string?> describe) => JobSchema.Write<ScenarioSpec>("drap scenario", describe, hasExpressions: false);

    private static ScenarioFileResult Read(JobNode root, string fileName)
    {
        var problems = new List<(JobNode Node, JobProblem Problem)>();
        ScenarioSpec? spec = new SpecReader(problems).Read<ScenarioSpec>(root, "");
        if (problems.Count == 0 && spec is not null)
        {
            spec = spec with
            {
                Name = spec.Name.Length > 0 ? spec.Name : System.IO.Path.GetFileNameWithoutExtension(fileName),
                Schedulers = spec.Schedulers.IsEmpty ? [new SchedulerGroupSpec { Region = spec.Workers.IsEmpty ? "local" : spec.Workers[0].Region }] : spec.Schedulers,
            };
            foreach (JobProblem problem in ScenarioRules.Check(spec))
                problems.Add((root.At(problem.Path), problem));
        }
        ImmutableArray<JobFileError> errors =
        [
            .. problems.Select(p => new JobFileError(fileName, p.Node.Line, p.Node.Column, p.Problem)).OrderBy(e => e.Line).ThenBy(e => e.Column).Take(JobFile.ErrorsMax),
        ];
        return new ScenarioFileResult(errors.IsEmpty ? spec : null, errors);
    }

    private static bool TrySet(ref JobNode root, string set, [System.Diagnostics.CodeAnalysis.NotNullWhen(false)] out JobProblem? problem)
    {
        int equals = set.IndexOf('=', StringComparison.Ordinal);
        if (equals <= 0)
        {
            problem = new JobProblem("", $"found '{set}'", setForm);
            return false;
        }
        try
        {
            JobNode value = YamlNodes.Read(set[(equals + 1)..] is { Length: > 0 } text ? text : "\"\"");
            root = With(root, JobNode.StepsOf(set[..equals]), value);
            problem = null;
            return true;
        }
        catch (JobSyntaxException e)
        {
            problem = new JobProblem(set[..equals], e.Message, e.Allowed);
            return false;
        }
    }

    private static JobNode With(JobNode node, ReadOnlySpan<string> steps, JobNode value)
    {
        if (steps.IsEmpty)
            return value;
        if (JobNode.TryIndex(steps[0], out int index))
        {
            if (index >= node.Items.Length)
                throw new JobSyntaxException(1, 1, $"there is no {steps[0]}", $"[0] to [{node.Items.Length - 1}]");
            return node with { Items = node.Items.SetItem(index, With(node.Items[index], steps[1..], value)) };
        }
        string name = steps[0];
        if (node.Kind != JobNodeKind.Mapping)
            throw new JobSyntaxException(1, 1, $"'{name}' of {node.Describe()}", setForm);
        int field = node.Fields.ToList().FindIndex(f => f.Name == name);
        JobNode before = field >= 0 ? node.Fields[field].Value : new JobNode(JobNodeKind.Mapping, value.Line, value.Column);
        var after = new JobField(name, field >= 0 ? node.Fields[field].Key : value, With(before, steps[1..], value));
        return node with { Fields = field >= 0 ? node.Fields.SetItem(field, after) : node.Fields.Add(after) };
    }

    private static ScenarioFileResult Failed(string file, int line, int column, JobProblem problem) => new(null, [new JobFileError(file, line, column, problem)]);
}
