using System.Collections.Immutable;
using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>Numbers of an array of tasks: <c>1-100</c>, <c>0-90:10</c>, <c>1,3,7-9</c>.</summary>
public sealed record ArrayRange
{
    /// <summary>What a message says that an array looks like.</summary>
    public const string Form = "numbers such as 1-100, 0-90:10 or 1,3,7-9";

    private const int rangesMax = 10_000;
    private readonly string text;
    private readonly ImmutableArray<Range> ranges;

    private ArrayRange(string text, ImmutableArray<Range> ranges)
    {
        this.text = text;
        this.ranges = ranges;
        Count = ranges.Sum(r => r.Count);
    }

    /// <summary>How many numbers.</summary>
    public int Count { get; }

    /// <summary>The number of the task with <paramref name="index"/>, from 0.</summary>
    public long this[int index]
    {
        get
        {
            foreach (Range range in ranges)
            {
                if (index < range.Count)
                    return range.First + (long)index * range.Step;
                index -= range.Count;
            }
            throw new ArgumentOutOfRangeException(nameof(index));
        }
    }

    /// <summary>Reads the text form; numbers from 0 to 2^31 - 1, at most <see cref="JobLimits.TasksMax"/> of them.</summary>
    public static bool TryParse(string? text, out ArrayRange? array)
    {
        array = null;
        if (text is null || text.Length > JobLimits.TextLengthMax)
            return false;
        var ranges = ImmutableArray.CreateBuilder<Range>();
        long count = 0;
        foreach (System.Range part in text.AsSpan().Split(','))
        {
            if (ranges.Count == rangesMax || !TryRange(text.AsSpan(part).Trim(), out Range range))
                return false;
            ranges.Add(range);
            count += range.Count;
            if (count > JobLimits.TasksMax)
                return false;
        }
        array = new ArrayRange(text, ranges.DrainToImmutable());
        return true;
    }

    /// <inheritdoc/>
    public bool Equals(ArrayRange? other) => other is not null && text == other.text;

    /// <inheritdoc/>
    public override int GetHashCode() => text.GetHashCode(StringComparison.Ordinal);

    /// <summary>The text form.</summary>
    public override string ToString() => text;

    private static bool TryRange(ReadOnlySpan<char> text, out Range range)
    {
        range = default;
        int step = 1;
        int colon = text.IndexOf(':');
        if (colon >= 0 && (!TryNumber(text[(colon + 1)..], out step) || step == 0))
            return false;
        ReadOnlySpan<char> ends = colon >= 0 ? text[..colon] : text;
        int dash = ends.IndexOf('-');
        if (!TryNumber(dash >= 0 ? ends[..dash] : ends, out int first))
            return false;
        int last = first;
        if (dash >= 0 && !TryNumber(ends[(dash + 1)..], out last) || last < first || colon >= 0 && dash < 0)
            return false;
        long count = ((long)last - first) / step + 1;
        if (count > JobLimits.TasksMax)
            return false;
        range = new Range(first, step, (int)count);
        return true;
    }

    private static bool TryNumber(ReadOnlySpan<char> text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    private readonly record struct Range(int First, int Step, int Count);
}
