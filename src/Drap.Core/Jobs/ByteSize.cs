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

    /// <summary>An exact form in the largest unit that has one, a binary one before its decimal sister: <c>512MiB</c>, <c>64MB</c>, or plain bytes.</summary>
    public override string ToString()
    {
        (long binary, int binaryPower) = Reduce(1024, binaryUnits);
        (long dec, int decimalPower) = Reduce(1000, decimalUnits);
        return binaryPower == 0 && decimalPower == 0 ? Bytes.ToString(CultureInfo.InvariantCulture)
            : binaryPower >= decimalPower ? binary.ToString(CultureInfo.InvariantCulture) + binaryUnits[binaryPower - 1]
            : dec.ToString(CultureInfo.InvariantCulture) + decimalUnits[decimalPower - 1];
    }

    /// <summary>The same within a sentence, where plain bytes need their unit: <c>512MiB</c>, <c>4097 bytes</c>.</summary>
    public string ToWords() => ToString() is var text && char.IsAsciiDigit(text[^1]) ? text + " bytes" : text;

    private (long Value, int Power) Reduce(int factor, string[] units)
    {
        long rest = Bytes;
        int power = 0;
        while (rest != 0 && power < units.Length && rest % factor == 0)
        {
            rest /= factor;
            power++;
        }
        return (rest, power);
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
