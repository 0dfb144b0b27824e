using System.Globalization;

namespace Drap.Core.Jobs;

/// <summary>Processor time as people write it: cores with at most three decimals, <c>0.5</c>, <c>2</c>.</summary>
/// <param name="Milli">Thousandths of a core, from 0 to a million cores.</param>
public readonly record struct Cores(long Milli)
{
    /// <summary>What a message says that an amount of cores looks like.</summary>
    public const string Form = "a number of cores such as 2 or 0.5, with at most three decimals";

    private const long milliMax = 1_000_000_000;

    /// <summary>Reads cores; no sign, no exponent.</summary>
    public static bool TryParse(string? text, out Cores cores)
    {
        cores = default;
        if (text is not { Length: <= 20 } || !decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value))
            return false;
        decimal milli = value * 1000;
        if (milli != decimal.Truncate(milli) || milli > milliMax)
            return false;
        cores = new Cores((long)milli);
        return true;
    }

    /// <summary>Cores with as many decimals as are needed.</summary>
    public override string ToString() => ((decimal)Milli / 1000).ToString("0.###", CultureInfo.InvariantCulture);
}
