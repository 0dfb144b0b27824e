namespace Drap;

/// <summary>
/// A point on one machine's boot-time clock, in nanoseconds since that machine started, suspend included.
/// It means nothing on another machine and never crosses the wire: messages carry durations.
/// </summary>
/// <param name="Nanoseconds">Nanoseconds since boot; never negative outside tests.</param>
public readonly record struct Instant(long Nanoseconds) : IComparable<Instant>
{
    /// <summary>The moment of boot.</summary>
    public static readonly Instant Zero = new(0);

    /// <summary>Later than every instant that a machine reaches; the deadline of what has none.</summary>
    public static readonly Instant Never = new(long.MaxValue);

    /// <summary>The instant <paramref name="span"/> later; saturates at <see cref="Never"/>.</summary>
    public static Instant operator +(Instant at, TimeSpan span)
    {
        if (at == Never)
            return Never;
        Int128 sum = (Int128)at.Nanoseconds + (Int128)span.Ticks * 100;
        return sum >= long.MaxValue ? Never : new Instant((long)sum);
    }

    /// <summary>The instant <paramref name="span"/> earlier.</summary>
    public static Instant operator -(Instant at, TimeSpan span) => at + span.Negate();

    /// <summary>The time from <paramref name="earlier"/> to <paramref name="later"/>, rounded down to 100 ns.</summary>
    public static TimeSpan operator -(Instant later, Instant earlier) => new((later.Nanoseconds - earlier.Nanoseconds) / 100);

    /// <summary>Whether <paramref name="a"/> comes before <paramref name="b"/>.</summary>
    public static bool operator <(Instant a, Instant b) => a.Nanoseconds < b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> comes after <paramref name="b"/>.</summary>
    public static bool operator >(Instant a, Instant b) => a.Nanoseconds > b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> does not come after <paramref name="b"/>.</summary>
    public static bool operator <=(Instant a, Instant b) => a.Nanoseconds <= b.Nanoseconds;

    /// <summary>Whether <paramref name="a"/> does not come before <paramref name="b"/>.</summary>
    public static bool operator >=(Instant a, Instant b) => a.Nanoseconds >= b.Nanoseconds;

    /// <summary>The earlier of two instants.</summary>
    public static Instant Min(Instant a, Instant b) => a <= b ? a : b;

    /// <summary>The later of two instants.</summary>
    public static Instant Max(Instant a, Instant b) => a >= b ? a : b;

    /// <inheritdoc/>
    public int CompareTo(Instant other) => Nanoseconds.CompareTo(other.Nanoseconds);

    /// <summary>Seconds since boot with three decimals, for logs.</summary>
    public override string ToString() => this == Never ? "never" : $"{Nanoseconds / 1_000_000_000}.{Nanoseconds / 1_000_000 % 1000:d3}s";
}
