using System.Diagnostics.CodeAnalysis;

namespace Drap.Core.Jobs;

/// <summary>A named output of a segment, <c>SEGMENT.OUTPUT</c>; the output's name may be chosen by index: <c>split.chunk${{ index % 4 }}</c>.</summary>
internal sealed class OutputRef
{
    /// <summary>What a message says that one looks like.</summary>
    public const string Form = "SEGMENT.OUTPUT; the output's name may be an expression of index and number";

    private readonly Template output;

    private OutputRef(string segment, Template output)
    {
        Segment = segment;
        this.output = output;
    }

    /// <summary>The segment's name.</summary>
    public string Segment { get; }

    /// <summary>The output's name; null if it depends on the task.</summary>
    public string? Output => output.IsLiteral ? output.WithPlaceholders("") : null;

    public static bool TryParse(string text, [NotNullWhen(true)] out OutputRef? reference)
    {
        reference = null;
        int dot = text.IndexOf('.', StringComparison.Ordinal);
        if (dot <= 0 || dot == text.Length - 1 || text.AsSpan(0, dot).Contains('$')
            || !Template.TryParse(text[(dot + 1)..], out Template? output, out _)
            || output.Names().Any(n => n is not ("index" or "number")))
            return false;
        reference = new OutputRef(text[..dot], output);
        return true;
    }

    /// <summary>The output's name for one task.</summary>
    public bool TryResolve(int index, long number, [NotNullWhen(true)] out string? name, [NotNullWhen(false)] out string? error)
    {
        return output.TryEvaluate(Lookup, out name, out error);

        bool Lookup(string what, out TemplateValue value)
        {
            value = new TemplateValue(what == "index" ? index : number);
            return true;
        }
    }
}
