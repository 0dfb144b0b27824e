using System.Collections.Immutable;
using System.Text;
using System.Text.Json;

namespace Drap.Core.Jobs;

/// <summary>JSON text to nodes, with the same places and bounds as YAML. Comments and trailing commas are allowed, as editors write them.</summary>
internal ref struct JsonNodes
{
    private readonly ReadOnlySpan<byte> utf8;
    private Utf8JsonReader reader;
    private int line = 1, lineStart, counted, nodes;

    private JsonNodes(ReadOnlySpan<byte> utf8)
    {
        this.utf8 = utf8;
        reader = new Utf8JsonReader(utf8, new JsonReaderOptions
        {
            AllowTrailingCommas = true,
            CommentHandling = JsonCommentHandling.Skip,
            MaxDepth = JobLimits.DepthMax,
        });
    }

    /// <summary>Reads a document.</summary>
    /// <exception cref="JobSyntaxException">The text is not one JSON value within the bounds.</exception>
    public static JobNode Read(string text)
    {
        var self = new JsonNodes(Encoding.UTF8.GetBytes(text));
        try
        {
            self.reader.Read();
            JobNode root = self.Node();
            self.reader.Read();
            return root;
        }
        catch (JsonException e)
        {
            throw new JobSyntaxException((int)(e.LineNumber ?? 0) + 1, (int)(e.BytePositionInLine ?? 0) + 1, e.Message, "JSON");
        }
        catch (InvalidOperationException e)
        {
            // A text whose escapes are no characters: a lone surrogate.
            throw new JobSyntaxException(self.line, 1, e.Message, "JSON");
        }
    }

    private JobNode Node()
    {
        (int atLine, int atColumn) = Place();
        if (++nodes > JobLimits.NodesMax)
            throw new JobSyntaxException(atLine, atColumn, $"more than {JobLimits.NodesMax} values", "fewer");
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                return Mapping(atLine, atColumn);
            case JsonTokenType.StartArray:
                var items = ImmutableArray.CreateBuilder<JobNode>();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    items.Add(Node());
                return new JobNode(JobNodeKind.Sequence, atLine, atColumn) { Items = items.DrainToImmutable() };
            case JsonTokenType.Null:
                return new JobNode(JobNodeKind.Null, atLine, atColumn);
            case JsonTokenType.String:
                return new JobNode(JobNodeKind.Scalar, atLine, atColumn) { Text = reader.GetString()!, IsQuoted = true };
            default:
                return new JobNode(JobNodeKind.Scalar, atLine, atColumn) { Text = Encoding.UTF8.GetString(reader.ValueSpan) };
        }
    }

    private JobNode Mapping(int atLine, int atColumn)
    {
        var fields = ImmutableArray.CreateBuilder<JobField>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
        {
            (int keyLine, int keyColumn) = Place();
            string name = reader.GetString()!;
            if (!names.Add(name))
                throw new JobSyntaxException(keyLine, keyColumn, $"'{name}' a second time", "each field once");
            reader.Read();
            fields.Add(new JobField(name, new JobNode(JobNodeKind.Scalar, keyLine, keyColumn) { Text = name }, Node()));
        }
        return new JobNode(JobNodeKind.Mapping, atLine, atColumn) { Fields = fields.DrainToImmutable() };
    }

    private (int Line, int Column) Place()
    {
        int at = (int)reader.TokenStartIndex;
        for (; counted < at; counted++)
        {
            if (utf8[counted] == (byte)'\n')
            {
                line++;
                lineStart = counted + 1;
            }
        }
        return (line, at - lineStart + 1);
    }
}
