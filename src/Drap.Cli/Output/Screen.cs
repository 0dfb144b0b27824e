using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Drap.Cli.Output;

/// <summary>Where a command writes: data to standard output in the wanted format, talk to standard error.</summary>
internal sealed class Screen(TextWriter data, TextWriter talk, OutputFormat format, bool colour, bool live)
{
    /// <summary>How data is written.</summary>
    public OutputFormat Format => format;

    /// <summary>Standard output.</summary>
    public TextWriter Data => data;

    /// <summary>Standard error, for what draws on it itself.</summary>
    public TextWriter Talk => talk;

    /// <summary>Whether standard error is a terminal that may be drawn on.</summary>
    public bool Live => live && format != OutputFormat.Quiet;

    /// <summary>Writes a document, or its table, or its names.</summary>
    public void Write<T>(T document, JsonTypeInfo<T> type, Action<TextWriter> table, Func<IEnumerable<string>> names)
    {
        switch (format)
        {
            case OutputFormat.Json:
                data.WriteLine(JsonSerializer.Serialize(document, type));
                break;
            case OutputFormat.Yaml:
                data.Write(Yaml.Of(JsonSerializer.SerializeToElement(document, type)));
                break;
            case OutputFormat.Quiet:
                foreach (string name in names())
                    data.WriteLine(name);
                break;
            default:
                table(data);
                break;
        }
        data.Flush();
    }

    /// <summary>A line for the person who waits.</summary>
    public void Say(string line)
    {
        if (format != OutputFormat.Quiet)
            talk.WriteLine(line);
    }

    /// <summary>What went wrong, and what to do about it; said in every format.</summary>
    public void Complain(string message, string? next = null)
    {
        talk.WriteLine($"{Red("drap:")} {message}");
        if (next is not null)
            talk.WriteLine($"  {next}");
    }

    public string Bold(string text) => Paint("1", text);

    public string Faint(string text) => Paint("2", text);

    public string Red(string text) => Paint("31", text);

    public string Green(string text) => Paint("32", text);

    public string Yellow(string text) => Paint("33", text);

    private string Paint(string code, string text) => colour ? $"\u001b[{code}m{text}\u001b[0m" : text;
}
