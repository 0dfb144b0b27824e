using System.Buffers;
using System.Globalization;
using System.Text;

namespace Drap.Core.Jobs;

/// <summary>Durations as people write them: <c>90s</c>, <c>5m</c>, <c>2h30m</c>, <c>1d</c>, <c>250ms</c>; a bare number is seconds.</summary>
public static class Duration
{
    /// <summary>What a message says that a duration looks like.</summary>
    public const string Form = "a duration such as 90s, 5m or 2h30m";

    private static readonly SearchValues<char> numberChars = SearchValues.Create("0123456789.");
    private static readonly (string Name, long Ticks)[] units =
    [
        ("d", TimeSpan.TicksPerDay), ("h", TimeSpan.TicksPerHour), ("m", TimeSpan.TicksPerMinute),
        ("s", TimeSpan.TicksPerSecond), ("ms", TimeSpan.TicksPerMillisecond),
    ];

    /// <summary>Reads a duration from 0 to <see cref="JobLimits.DurationMax"/>, in whole milliseconds; larger units come first.</summary>
    public static bool TryParse(string? text, out TimeSpan duration)
    {
        duration = default;
        ReadOnlySpan<char> rest = text.AsSpan().Trim();
        if (rest.IsEmpty)
            return false;
        decimal ticks = 0;
        int last = -1;
        while (!rest.IsEmpty)
        {
            int digits = rest.IndexOfAnyExcept(numberChars);
            ReadOnlySpan<char> number = digits < 0 ? rest : rest[..digits];
            rest = digits < 0 ? [] : rest[digits..];
            int letters = rest.IndexOfAnyExceptInRange('a', 'z');
            ReadOnlySpan<char> name = letters < 0 ? rest : rest[..letters];
            rest = letters < 0 ? [] : rest[letters..];
            int unit = name.IsEmpty && last < 0 && rest.IsEmpty ? 3 : IndexOf(name);
            if (unit <= last || number.Length > 15
                || !decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value))
                return false;
            ticks += value * units[unit].Ticks;
            last = unit;
        }
        if (ticks > JobLimits.DurationMax.Ticks || ticks % TimeSpan.TicksPerMillisecond != 0)
            return false;
        duration = new TimeSpan((long)ticks);
        return true;
    }

    /// <summary>The form that <see cref="TryParse"/> reads: <c>2h30m</c>; <c>0s</c> for none.</summary>
    public static string Format(TimeSpan duration)
    {
        var text = new StringBuilder();
        long ticks = duration.Ticks;
        foreach ((string name, long size) in units)
        {
            if (ticks / size is > 0 and long count)
                text.Append(count.ToString(CultureInfo.InvariantCulture)).Append(name);
            ticks %= size;
        }
        return text.Length == 0 ? "0s" : text.ToString();
    }

    private static int IndexOf(ReadOnlySpan<char> name)
    {
        for (int i = 0; i < units.Length; i++)
            if (name.SequenceEqual(units[i].Name))
                return i;
        return -1;
    }
}
