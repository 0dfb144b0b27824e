using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>Which tasks of a segment a task needs: all, the one with the same index, or those that an expression names.</summary>
public sealed class TaskPick
{
    /// <summary>What a message says that a pick looks like.</summary>
    public const string Form = "all, same, or indices such as ${{ 4 * index }}..${{ 4 * index + 3 }}";

    private readonly Template? template;

    private TaskPick(PickKind kind, Template? template = null)
    {
        Kind = kind;
        this.template = template;
    }

    /// <summary>Which of the three.</summary>
    public PickKind Kind { get; }

    /// <summary>Whether it names one task by its form, not by chance: <c>same</c>, or one index.</summary>
    public bool IsSingle => Kind == PickKind.Same || template is not null && !template.HasLiteral("..") && !template.HasLiteral(",");

    /// <summary>Reads the text form; expressions may use <c>index</c> and <c>number</c>.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out TaskPick? pick, [NotNullWhen(false)] out string? error)
    {
        pick = null;
        error = null;
        if (text is "all" or "same")
        {
            pick = new TaskPick(text is "all" ? PickKind.All : PickKind.Same);
            return true;
        }
        if (!Template.TryParse(text, out Template? template, out error))
            return false;
        if (template.Names().FirstOrDefault(n => n is not ("index" or "number")) is { } name)
        {
            error = $"'{name}' cannot choose tasks; index and number can";
            return false;
        }
        pick = new TaskPick(PickKind.Chosen, template);
        return pick.TryChoose(0, 0, int.MaxValue, [], out error) || error.Contains("division", StringComparison.Ordinal);
    }

    /// <summary>
    /// Adds the chosen ranges of indices, cut to <c>0 … count - 1</c> and in the order named, for the task with <paramref name="index"/>
    /// and <paramref name="number"/>.
    /// </summary>
    /// <returns>False with a message if the expression names no indices.</returns>
    public bool TryChoose(int index, long number, int count, List<(int First, int Last)> ranges, [NotNullWhen(false)] out string? error)
    {
        error = null;
        if (Kind != PickKind.Chosen)
        {
            ranges.Add(Kind == PickKind.All ? (0, count - 1) : (index, index));
            return true;
        }
        if (!template!.TryEvaluate(Lookup, out string? text, out error))
            return false;
        foreach (Range part in text.AsSpan().Split(','))
        {
            ReadOnlySpan<char> range = text.AsSpan(part).Trim();
            int dots = range.IndexOf("..", StringComparison.Ordinal);
            if (!TryIndex(dots < 0 ? range : range[..dots], out long first) || !TryIndex(dots < 0 ? range : range[(dots + 2)..], out long last))
            {
                error = $"'{text}' names no indices";
                return false;
            }
            first = Math.Max(first, 0);
            last = Math.Min(last, count - 1L);
            if (first <= last)
                ranges.Add(((int)first, (int)last));
        }
        return true;

        bool Lookup(string name, out TemplateValue value)
        {
            value = new TemplateValue(name == "index" ? index : number);
            return true;
        }
    }

    private static bool TryIndex(ReadOnlySpan<char> text, out long index) =>
        long.TryParse(text.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out index);
}

/// <summary>How a pick says which tasks.</summary>
public enum PickKind
{
    /// <summary>Every task.</summary>
    All,

    /// <summary>The task with the same index.</summary>
    Same,

    /// <summary>Those that an expression names.</summary>
    Chosen,
}
