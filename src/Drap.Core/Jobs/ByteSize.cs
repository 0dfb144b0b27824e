using System.Buffers;
using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>
/// A number of bytes as people write it. Units are those of coreutils: <c>kB MB GB TB PB</c> are powers of 1000,
/// <c>KiB MiB GiB TiB PiB</c> and <c>K M G T P</c> powers of 1024; a bare number, or <c>B</c>, is bytes.
/// </summary>
/// <param name="Bytes">From 0 to <see cref="ResourceRequest.AmountMax"/>.</param>
public readonly record struct ByteSize(long Bytes) : IComparable<ByteSize>
{
    /// <summary>What a message says that a size looks like.</summary>
    public const string Form = "a size such as 512MiB, 1GB or 4096";

    private static readonly SearchValues<char> numberChars = SearchValues.Create("0123456789.");
    private static readonly string[] decimalUnits = ["kB", "MB", "GB", "TB", "PB"];
    private static readonly string[] binaryUnits = ["KiB", "MiB", "GiB", "TiB", "PiB"];

    /// <inheritdoc/>
    public int CompareTo(ByteSize other) => Bytes.CompareTo(other.Bytes);

    /// <summary>Reads a size: digits, at most one decimal point, an optional unit; the result must be whole bytes.</summary>
    public static bool TryParse(string? text, out ByteSize size)
    {
        size = default;
        ReadOnlySpan<char> span = text.AsSpan().Trim();
        int digits = span.IndexOfAnyExcept(numberChars);
        ReadOnlySpan<char> unit = digits < 0 ? [] : span[digits..].TrimStart();
        ReadOnlySpan<char> number = digits < 0 ? span : span[..digits];
        if (number.Length > 20 || !decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value)
            || !TryUnit(unit, out long factor) || value > ResourceRequest.AmountMax)
            return false;
        decimal bytes = value * factor;
        if (bytes > ResourceRequest.AmountMax || bytes != decimal.Truncate(bytes))
            return false;
        size = new ByteSize((long)bytes);
        return true;
    }

    /// <summary>An exact form, binary units before decimal ones: <c>512MiB</c>, <c>1GB</c>, or plain bytes.</summary>
    public override string ToString()
    {
        string? best = Shortest(1024, binaryUnits) ?? Shortest(1000, decimalUnits);
        return best ?? Bytes.ToString(CultureInfo.InvariantCulture);
    }

    private string? Shortest(int factor, string[] units)
    {
        long rest = Bytes;
        int power = 0;
        while (rest != 0 && power < units.Length && rest % factor == 0)
        {
            rest /= factor;
            power++;
        }
        return power == 0 ? null : rest.ToString(CultureInfo.InvariantCulture) + units[power - 1];
    }

    private static bool TryUnit(ReadOnlySpan<char> unit, out long factor)
    {
        factor = 1;
        if (unit.IsEmpty || unit is "B")
            return true;
        // Upper case only, since 5m is five minutes; but the metric kilo is a small k.
        int power = (unit is "kB" ? "k" : "KMGTP").IndexOf(unit[0], StringComparison.Ordinal) + 1;
        if (power == 0 || unit.Length > 3)
            return false;
        bool binary = unit.Length == 1 || unit[1..] is "iB";
        if (!binary && unit[1..] is not "B")
            return false;
        for (int i = 0; i < power; i++)
            factor *= binary ? 1024 : 1000;
        return true;
    }
}
