using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Drap.Core.Jobs;

/// <summary>
/// A text with expressions: <c>part-${{ pad(index, 4) }}.txt</c>. Binding happens twice: the client puts parameters, the worker the rest,
/// so what a phase does not know stays an expression. <c>$${{</c> is a literal <c>${{</c>.
/// </summary>
public sealed class Template
{
    private const int partsMax = 1_024;
    private readonly ImmutableArray<Part> parts;

    private Template(ImmutableArray<Part> parts) => this.parts = parts;

    /// <summary>Whether nothing is left to bind.</summary>
    public bool IsLiteral => parts.All(p => p.Expression is null);

    /// <summary>Reads a text.</summary>
    /// <returns>False with a message that names the character, from 1, and what may stand there.</returns>
    public static bool TryParse(string text, [NotNullWhen(true)] out Template? template, [NotNullWhen(false)] out string? error)
    {
        template = null;
        error = null;
        var parts = ImmutableArray.CreateBuilder<Part>();
        var literal = new StringBuilder();
        int at = 0;
        while (at < text.Length)
        {
            int open = text.IndexOf("${{", at, StringComparison.Ordinal);
            if (open < 0)
                break;
            if (open > at && text[open - 1] == '$')
            {
                literal.Append(text, at, open - 1 - at).Append("${{");
                at = open + 3;
                continue;
            }
            literal.Append(text, at, open - at);
            AddLiteral();
            int end = open + 3;
            if (!TemplateExpression.TryParse(text, ref end, out TemplateExpression? expression, out error))
                return false;
            parts.Add(new Part(null, expression));
            if (parts.Count > partsMax)
            {
                error = $"more than {partsMax} expressions in one text";
                return false;
            }
            at = end;
        }
        literal.Append(text, at, text.Length - at);
        AddLiteral();
        template = new Template(parts.DrainToImmutable());
        return true;

        void AddLiteral()
        {
            if (literal.Length > 0)
                parts.Add(new Part(literal.ToString(), null));
            literal.Clear();
        }
    }

    /// <summary>Whether <paramref name="text"/> stands outside its expressions.</summary>
    internal bool HasLiteral(string text) => parts.Any(p => p.Literal?.Contains(text, StringComparison.Ordinal) == true);

    /// <summary>The text with every expression replaced by <paramref name="word"/>.</summary>
    internal string WithPlaceholders(string word) => string.Concat(parts.Select(p => p.Literal ?? word));

    /// <summary>Every name that its expressions use, each once, in order.</summary>
    public ImmutableArray<string> Names()
    {
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (Part part in parts)
            part.Expression?.CollectNames(names);
        return [.. names];
    }

    /// <summary>Puts values for the names that <paramref name="lookup"/> knows and leaves the other expressions, with what is known of them, as they are.</summary>
    public bool TryBind(TemplateLookup lookup, [NotNullWhen(true)] out Template? bound, [NotNullWhen(false)] out string? error)
    {
        bound = null;
        error = null;
        var result = ImmutableArray.CreateBuilder<Part>(parts.Length);
        foreach (Part part in parts)
        {
            if (part.Expression is null)
            {
                result.Add(part);
                continue;
            }
            if (!part.Expression.TryReduce(lookup, out TemplateExpression? reduced, out error))
                return false;
            result.Add(reduced is TemplateExpression.Literal known ? new Part(known.Value.ToString(), null) : new Part(null, reduced));
        }
        bound = new Template(result.DrainToImmutable());
        return true;
    }

    /// <summary>The text with every expression replaced by its value.</summary>
    /// <returns>False if a name is unknown or a value impossible, with a message.</returns>
    public bool TryEvaluate(TemplateLookup lookup, [NotNullWhen(true)] out string? text, [NotNullWhen(false)] out string? error)
    {
        text = null;
        if (!TryBind(lookup, out Template? bound, out error))
            return false;
        if (bound.Names() is [string unknown, ..])
        {
            error = $"'{unknown}' is not known here";
            return false;
        }
        text = string.Concat(bound.parts.Select(p => p.Literal));
        if (text.Length <= JobLimits.TextLengthMax)
            return true;
        error = $"the text has {text.Length} characters; at most {JobLimits.TextLengthMax} are allowed";
        text = null;
        return false;
    }

    /// <summary>The text, such that it reads back as the same template.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (Part part in parts)
        {
            if (part.Expression is not null)
                text.Append("${{ ").Append(part.Expression).Append(" }}");
            else
                text.Append(part.Literal!.Replace("${{", "$${{", StringComparison.Ordinal));
        }
        return text.ToString();
    }

    private readonly record struct Part(string? Literal, TemplateExpression? Expression);
}
