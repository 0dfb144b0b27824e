using System.Collections.Immutable;
using System.Globalization;

namespace Drap.Api;

/// <summary>Task numbers as people type them: <c>1-20</c>, <c>3</c>, <c>1-3,7</c>.</summary>
public static class TaskRanges
{
    /// <summary>What a message says that they look like.</summary>
    public const string Form = "task numbers from 1 such as 3, 1-20 or 1-3,7";

    /// <summary>Reads from one to <see cref="ActionRequest.RangesMax"/> ranges.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out ImmutableArray<TaskRange> ranges)
    {
        ranges = [];
        var found = ImmutableArray.CreateBuilder<TaskRange>();
        foreach (Range part in text.Split(','))
        {
            ReadOnlySpan<char> ends = text[part];
            int dash = ends.IndexOf('-');
            if (found.Count == ActionRequest.RangesMax || !TryNumber(dash < 0 ? ends : ends[..dash], out int first))
                return false;
            int last = first;
            if (dash >= 0 && (!TryNumber(ends[(dash + 1)..], out last) || last < first))
                return false;
            found.Add(new TaskRange(first, last));
        }
        ranges = found.DrainToImmutable();
        return true;
    }

    /// <summary>The text form.</summary>
    public static string Format(IEnumerable<TaskRange> ranges) => string.Join(',', ranges.Select(r => r.First == r.Last
        ? r.First.ToString(CultureInfo.InvariantCulture) : string.Create(CultureInfo.InvariantCulture, $"{r.First}-{r.Last}")));

    /// <summary>Whether <paramref name="number"/> is in one of them, or there are none, which means all.</summary>
    public static bool Contain(IReadOnlyCollection<TaskRange> ranges, int number) =>
        ranges.Count == 0 || ranges.Any(r => number >= r.First && number <= r.Last);

    private static bool TryNumber(ReadOnlySpan<char> text, out int number) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number > 0;
}
