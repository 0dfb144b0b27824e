using System.Collections.Immutable;
using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>What a node of a job file is.</summary>
internal enum JobNodeKind
{
    /// <summary>Nothing: <c>key:</c> without a value, <c>null</c>, <c>~</c>.</summary>
    Null,

    /// <summary>A text or a number, as written.</summary>
    Scalar,

    /// <summary>A list.</summary>
    Sequence,

    /// <summary>Named values.</summary>
    Mapping,
}

/// <summary>A node of a job file, YAML or JSON, with its place. Aliases share nodes, so a tree may be a graph; it has no cycles.</summary>
internal sealed record JobNode(JobNodeKind Kind, int Line, int Column)
{
    /// <summary>The text of a scalar.</summary>
    public string Text { get; init; } = "";

    /// <summary>Whether a scalar was quoted, so that it is a text whatever it looks like.</summary>
    public bool IsQuoted { get; init; }

    /// <summary>The entries of a sequence.</summary>
    public ImmutableArray<JobNode> Items { get; init; } = [];

    /// <summary>The entries of a mapping, in the file's order, each key once.</summary>
    public ImmutableArray<JobField> Fields { get; init; } = [];

    /// <summary>Nodes in it, itself too, with aliases expanded.</summary>
    public long Weight { get; init; } = 1;

    /// <summary>The value of a field; null if there is none.</summary>
    public JobNode? this[string name] => Fields.FirstOrDefault(f => f.Name == name).Value;

    /// <summary>The node at a path such as <c>workers[0].cpu</c>, or the nearest one around it.</summary>
    public JobNode At(string path)
    {
        JobNode at = this;
        foreach (string step in StepsOf(path))
        {
            JobNode? next = TryIndex(step, out int index) ? index < at.Items.Length ? at.Items[index] : null : at[step];
            if (next is null)
                break;
            at = next;
        }
        return at;
    }

    /// <summary>The steps of a path: names, and places in lists as <c>[0]</c>.</summary>
    public static string[] StepsOf(string path) => path.Replace("[", ".[", StringComparison.Ordinal).Split('.', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Whether a step is a place in a list.</summary>
    public static bool TryIndex(string step, out int index)
    {
        index = 0;
        return step is ['[', .., ']'] && int.TryParse(step.AsSpan(1, step.Length - 2), NumberStyles.None, CultureInfo.InvariantCulture, out index);
    }

    /// <summary>What a message says that was found.</summary>
    public string Describe() => Kind switch
    {
        JobNodeKind.Null => "nothing",
        JobNodeKind.Scalar => Text.Length <= 60 ? $"'{Text}'" : $"'{Text.AsSpan(0, 57)}…'",
        JobNodeKind.Sequence => "a list",
        _ => "named fields",
    };
}

/// <summary>A field of a mapping.</summary>
/// <param name="Name">Its key.</param>
/// <param name="Key">Where the key stands.</param>
/// <param name="Value">Its value.</param>
internal readonly record struct JobField(string Name, JobNode Key, JobNode Value);

/// <summary>The text of a job file is not YAML or JSON, or is too large.</summary>
internal sealed class JobSyntaxException(int line, int column, string found, string allowed) : Exception(found)
{
    /// <summary>The line, from 1.</summary>
    public int Line { get; } = line;

    /// <summary>The column, from 1.</summary>
    public int Column { get; } = column;

    /// <summary>What may stand there.</summary>
    public string Allowed { get; } = allowed;
}
