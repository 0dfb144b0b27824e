namespace Drap;

/// <summary>
/// Wall-clock time in UTC milliseconds since 1970. It enters the machines only as an input, at the start and at each jump,
/// and serves epochs, histories, time-of-day prices and people; no lease and no window is ever measured with it.
/// </summary>
/// <param name="Milliseconds">Milliseconds since 1970-01-01T00:00:00Z.</param>
public readonly record struct UtcTime(long Milliseconds) : IComparable<UtcTime>
{
    /// <summary>The time <paramref name="span"/> later.</summary>
    public static UtcTime operator +(UtcTime at, TimeSpan span) => new(at.Milliseconds + (long)span.TotalMilliseconds);

    /// <summary>The time from <paramref name="earlier"/> to <paramref name="later"/>.</summary>
    public static TimeSpan operator -(UtcTime later, UtcTime earlier) => TimeSpan.FromMilliseconds(later.Milliseconds - earlier.Milliseconds);

    /// <summary>Hour of the day in UTC, 0 to 23; the index into a time-of-day price table.</summary>
    public int HourOfDay => (int)(Milliseconds / 3_600_000 % 24);

    /// <inheritdoc/>
    public int CompareTo(UtcTime other) => Milliseconds.CompareTo(other.Milliseconds);

    /// <summary>ISO 8601 with milliseconds and <c>Z</c>.</summary>
    public override string ToString() =>
        DateTimeOffset.FromUnixTimeMilliseconds(Milliseconds).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", System.Globalization.CultureInfo.InvariantCulture);
}
