using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Drap.Core;
using Drap.Core.Jobs;

namespace Drap.Node.Hosting.Workers;

/// <summary>Reads fields of a file's node and collects what is wrong, each with its place and what is allowed there.</summary>
/// <param name="file">The file, for messages.</param>
internal sealed class FileFields(string file)
{
    /// <summary>Problems that are kept: a person mends the first ones first.</summary>
    private const int ProblemsMax = 20;

    private readonly List<string> problems = [];

    /// <summary>What was wrong so far, a line each.</summary>
    public IReadOnlyList<string> Problems => problems;

    public void Add(JobNode at, string path, string found, string allowed) => Add(at.Line, at.Column, path, found, allowed);

    public void Add(int line, int column, string path, string found, string allowed)
    {
        if (problems.Count < ProblemsMax)
            problems.Add(new JobFileError(file, line, column, new JobProblem(path, found, allowed)).ToString());
    }

    /// <summary>The fields of a mapping, if all of them are known.</summary>
    public bool TryMapping([NotNullWhen(true)] JobNode? node, string path, params ReadOnlySpan<string> known)
    {
        if (node is null)
            return false;
        if (node.Kind != JobNodeKind.Mapping)
        {
            Add(node, path, "found " + node.Describe(), string.Join(", ", known));
            return false;
        }
        foreach (JobField field in node.Fields)
            if (!known.Contains(field.Name))
                Add(field.Key, path, $"an unknown field '{field.Name}'", string.Join(", ", known));
        return true;
    }

    /// <summary>The entries of a list; none where there is no such field.</summary>
    public IReadOnlyList<JobNode> List(JobNode? node, string path, string allowed)
    {
        if (node is null or { Kind: JobNodeKind.Null })
            return [];
        if (node.Kind == JobNodeKind.Sequence)
            return node.Items;
        Add(node, path, "found " + node.Describe(), allowed);
        return [];
    }

    /// <summary>Named values; none where there is no such field.</summary>
    public IEnumerable<JobField> Map(JobNode? node, string path, string allowed)
    {
        if (node is null or { Kind: JobNodeKind.Null })
            return [];
        if (node.Kind == JobNodeKind.Mapping)
            return node.Fields;
        Add(node, path, "found " + node.Describe(), allowed);
        return [];
    }

    public string Text(JobNode? node, string path, string otherwise)
    {
        if (node is null)
            return otherwise;
        if (node.Kind == JobNodeKind.Scalar)
            return node.Text;
        Add(node, path, "found " + node.Describe(), "a text");
        return otherwise;
    }

    /// <summary>One of the names of an enumeration, in small letters.</summary>
    public T Word<T>(JobNode? node, string path, T otherwise)
        where T : struct, Enum
    {
        if (node is null)
            return otherwise;
        if (node.Kind == JobNodeKind.Scalar)
            foreach (T value in Enum.GetValues<T>())
                if (node.Text.Equals(value.ToString(), StringComparison.OrdinalIgnoreCase))
                    return value;
        Add(node, path, "found " + node.Describe(), string.Join(" or ", Enum.GetNames<T>().Select(n => n.ToLowerInvariant())));
        return otherwise;
    }

    public bool Flag(JobNode? node, string path, bool otherwise) =>
        Value(node, path, otherwise ? 1 : 0, "true or false", text => text switch { "true" => 1, "false" => 0, _ => null }) != 0;

    public long Bytes(JobNode? node, string path, long otherwise) =>
        Value(node, path, otherwise, ByteSize.Form, text => ByteSize.TryParse(text, out ByteSize size) ? size.Bytes : null);

    public long MilliCpus(JobNode? node, string path, long otherwise) =>
        Value(node, path, otherwise, Cores.Form, text => Cores.TryParse(text, out Cores cores) ? cores.Milli : null);

    public long Number(JobNode? node, string path, long otherwise, long min, long max) =>
        Value(node, path, otherwise, $"a whole number from {min} to {max}",
            text => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long value) && value >= min && value <= max ? value : null);

    /// <summary>A factor such as 1.25, in permille.</summary>
    public int Permille(JobNode? node, string path, int otherwise, int max) =>
        (int)Value(node, path, otherwise, $"a factor from 0 to {max / 1000} with at most three decimals",
            text => decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value)
                && value * 1000 <= max && value * 1000 == decimal.Truncate(value * 1000) ? (long)(value * 1000) : null);

    public Price Price(JobNode? node, string path, Price otherwise) =>
        new(Value(node, path, otherwise.MicroPerHour, "credits per hour with at most six decimals",
            text => Credits.TryParse(text, out Credits credits) && credits >= Credits.Zero ? credits.Micro : null));

    private long Value(JobNode? node, string path, long otherwise, string allowed, Func<string, long?> parse)
    {
        if (node is null)
            return otherwise;
        if (node.Kind == JobNodeKind.Scalar && parse(node.Text) is { } value)
            return value;
        Add(node, path, "found " + node.Describe(), allowed);
        return otherwise;
    }
}
