using System.Globalization;

namespace Drap.Core;

/// <summary>
/// An amount of virtual money, in whole micro-credits (10^-6 credit), so that it adds up exactly. Arithmetic is checked: an
/// overflow is a bug of ours, since every amount read from a file or a message is limited to <see cref="LimitMax"/> first.
/// </summary>
/// <param name="Micro">Micro-credits; negative only in balances.</param>
public readonly record struct Credits(long Micro) : IComparable<Credits>
{
    /// <summary>Micro-credits in one credit.</summary>
    public const long MicroPerCredit = 1_000_000;

    /// <summary>No money.</summary>
    public static readonly Credits Zero = new(0);

    /// <summary>The most that a budget, bid or limit may say: a million credits, 10^12 micro-credits; sums of a million of them still fit in 64 bits by a margin of nine.</summary>
    public static readonly Credits LimitMax = new(1_000_000_000_000);

    /// <summary>The sum; checked.</summary>
    public static Credits operator +(Credits a, Credits b) => new(checked(a.Micro + b.Micro));

    /// <summary>The difference; checked.</summary>
    public static Credits operator -(Credits a, Credits b) => new(checked(a.Micro - b.Micro));

    /// <summary>Whether <paramref name="a"/> is less.</summary>
    public static bool operator <(Credits a, Credits b) => a.Micro < b.Micro;

    /// <summary>Whether <paramref name="a"/> is more.</summary>
    public static bool operator >(Credits a, Credits b) => a.Micro > b.Micro;

    /// <summary>Whether <paramref name="a"/> is not more.</summary>
    public static bool operator <=(Credits a, Credits b) => a.Micro <= b.Micro;

    /// <summary>Whether <paramref name="a"/> is not less.</summary>
    public static bool operator >=(Credits a, Credits b) => a.Micro >= b.Micro;

    /// <inheritdoc/>
    public int CompareTo(Credits other) => Micro.CompareTo(other.Micro);

    /// <summary>Reads a decimal number of credits with at most six decimals, from 0 to <see cref="LimitMax"/>; no sign, no exponent.</summary>
    public static bool TryParse(string? text, out Credits credits)
    {
        credits = Zero;
        if (!decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value))
            return false;
        // Compared before it is multiplied: a text of 29 digits would overflow.
        if (value > LimitMax.Micro / MicroPerCredit)
            return false;
        decimal micro = value * MicroPerCredit;
        if (micro != decimal.Truncate(micro))
            return false;
        credits = new Credits((long)micro);
        return true;
    }

    /// <summary>Credits with as many of six decimals as are needed: <c>12.5</c>.</summary>
    public override string ToString() => ((decimal)Micro / MicroPerCredit).ToString("0.######", CultureInfo.InvariantCulture);
}

/// <summary>A price for the whole bundle that a task asks for, in micro-credits per hour.</summary>
/// <param name="MicroPerHour">Micro-credits per hour; never negative.</param>
public readonly record struct Price(long MicroPerHour) : IComparable<Price>
{
    /// <summary>For nothing.</summary>
    public static readonly Price Zero = new(0);

    /// <summary>The highest price that a file or a message may name.</summary>
    public static readonly Price LimitMax = new(Credits.LimitMax.Micro);

    /// <summary>Whether <paramref name="a"/> is lower.</summary>
    public static bool operator <(Price a, Price b) => a.MicroPerHour < b.MicroPerHour;

    /// <summary>Whether <paramref name="a"/> is higher.</summary>
    public static bool operator >(Price a, Price b) => a.MicroPerHour > b.MicroPerHour;

    /// <summary>Whether <paramref name="a"/> is not higher.</summary>
    public static bool operator <=(Price a, Price b) => a.MicroPerHour <= b.MicroPerHour;

    /// <summary>Whether <paramref name="a"/> is not lower.</summary>
    public static bool operator >=(Price a, Price b) => a.MicroPerHour >= b.MicroPerHour;

    /// <summary>The sum; checked.</summary>
    public static Price operator +(Price a, Price b) => new(checked(a.MicroPerHour + b.MicroPerHour));

    /// <summary>
    /// This price × <paramref name="numerator"/> / <paramref name="denominator"/>, rounded up, so that no chain of factors makes a price
    /// vanish; at most <see cref="LimitMax"/>.
    /// </summary>
    public Price Times(long numerator, long denominator)
    {
        Int128 scaled = (Int128)MicroPerHour * numerator;
        Int128 rounded = (scaled + denominator - 1) / denominator;
        return rounded >= LimitMax.MicroPerHour ? LimitMax : new Price((long)rounded);
    }

    /// <summary>What <paramref name="time"/> costs at this price: rounded up, and at least one micro-credit (design 5, the market).</summary>
    public Credits For(TimeSpan time)
    {
        Int128 micro = ((Int128)MicroPerHour * time.Ticks + TimeSpan.TicksPerHour - 1) / TimeSpan.TicksPerHour;
        return new Credits(micro < 1 ? 1 : (long)Int128.Min(micro, Credits.LimitMax.Micro));
    }

    /// <inheritdoc/>
    public int CompareTo(Price other) => MicroPerHour.CompareTo(other.MicroPerHour);

    /// <summary>Credits per hour: <c>1.5/h</c>.</summary>
    public override string ToString() => new Credits(MicroPerHour) + "/h";
}
