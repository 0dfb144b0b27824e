using System.Collections.Immutable;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Drap.Core.Jobs;

/// <summary>
/// YAML text to nodes. Scalars are read as YAML 1.2's core schema has them: only <c>true</c> and <c>false</c> are booleans, and numbers
/// stay texts until a field says what they are. One document; no tags but those of the core schema.
/// </summary>
internal sealed class YamlNodes
{
    private readonly Parser parser;
    private readonly Dictionary<string, JobNode> anchors = new(StringComparer.Ordinal);
    private long weight;

    private YamlNodes(string text) => parser = new Parser(new StringReader(text));

    /// <summary>Reads a document.</summary>
    /// <exception cref="JobSyntaxException">The text is not one YAML document within the bounds.</exception>
    public static JobNode Read(string text)
    {
        try
        {
            return new YamlNodes(text).Document();
        }
        catch (YamlException e)
        {
            throw new JobSyntaxException((int)e.Start.Line, (int)e.Start.Column, e.Message, "YAML 1.2");
        }
    }

    private JobNode Document()
    {
        Next();
        Next();
        if (parser.Current is StreamEnd)
            throw new JobSyntaxException(1, 1, "an empty file", "a job: name and segments");
        Next();
        JobNode root = Node(1);
        Next();
        if (parser.Current is DocumentStart second)
            throw At(second, "a second document", "one job in a file");
        return root;
    }

    private JobNode Node(int depth)
    {
        ParsingEvent current = parser.Current!;
        if (depth > JobLimits.DepthMax)
            throw At(current, $"more than {JobLimits.DepthMax} levels of nesting", "the fields of a job file, which need 7");
        if (current is AnchorAlias alias)
        {
            if (!anchors.TryGetValue(alias.Value.Value, out JobNode? shared))
                throw At(alias, $"*{alias.Value.Value}, which was not set before", $"an anchor &{alias.Value.Value} above");
            Count(current, shared.Weight);
            Next();
            return shared;
        }
        Count(current, 1);
        JobNode node = current switch
        {
            Scalar scalar => ScalarNode(scalar),
            SequenceStart => Sequence(current, depth),
            MappingStart => Mapping(current, depth),
            _ => throw At(current, "something that is no value", "a text, a list or named fields"),
        };
        if (current is NodeEvent { Anchor.IsEmpty: false } anchored)
            anchors[anchored.Anchor.Value] = node;
        return node;
    }

    private JobNode ScalarNode(Scalar scalar)
    {
        bool quoted = scalar.Style is not ScalarStyle.Plain;
        if (!scalar.Tag.IsEmpty && scalar.Tag.Value != "!")
        {
            if (scalar.Tag.Value is not ("tag:yaml.org,2002:str" or "tag:yaml.org,2002:int" or "tag:yaml.org,2002:float" or "tag:yaml.org,2002:bool"))
                throw At(scalar, $"the tag {scalar.Tag.Value}", "values without tags");
            quoted |= scalar.Tag.Value == "tag:yaml.org,2002:str";
        }
        Next();
        bool isNull = !quoted && scalar.Value is "" or "~" or "null" or "Null" or "NULL";
        return new JobNode(isNull && !quoted ? JobNodeKind.Null : JobNodeKind.Scalar, (int)scalar.Start.Line, (int)scalar.Start.Column)
        {
            Text = scalar.Value,
            IsQuoted = quoted,
        };
    }

    private JobNode Sequence(ParsingEvent start, int depth)
    {
        var items = ImmutableArray.CreateBuilder<JobNode>();
        Next();
        while (parser.Current is not SequenceEnd)
            items.Add(Node(depth + 1));
        Next();
        return new JobNode(JobNodeKind.Sequence, (int)start.Start.Line, (int)start.Start.Column)
        {
            Weight = 1 + items.Sum(i => i.Weight),
            Items = items.DrainToImmutable(),
        };
    }

    private JobNode Mapping(ParsingEvent start, int depth)
    {
        var fields = ImmutableArray.CreateBuilder<JobField>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        Next();
        while (parser.Current is not MappingEnd)
        {
            ParsingEvent at = parser.Current!;
            JobNode key = Node(depth + 1);
            if (key.Kind is not JobNodeKind.Scalar)
                throw At(at, $"{key.Describe()} as a field's name", "a text");
            if (!names.Add(key.Text))
                throw At(at, $"'{key.Text}' a second time", "each field once");
            fields.Add(new JobField(key.Text, key, Node(depth + 1)));
        }
        Next();
        return new JobNode(JobNodeKind.Mapping, (int)start.Start.Line, (int)start.Start.Column)
        {
            Weight = 1 + fields.Sum(f => 1 + f.Value.Weight),
            Fields = fields.DrainToImmutable(),
        };
    }

    private void Count(ParsingEvent at, long nodes)
    {
        weight += nodes;
        if (weight > JobLimits.NodesMax)
            throw At(at, $"more than {JobLimits.NodesMax} values, aliases expanded", "fewer");
    }

    private void Next()
    {
        do
        {
            if (!parser.MoveNext())
                return;
        }
        while (parser.Current is Comment);
    }

    private static JobSyntaxException At(ParsingEvent at, string found, string allowed) =>
        new((int)at.Start.Line, (int)at.Start.Column, found, allowed);
}
