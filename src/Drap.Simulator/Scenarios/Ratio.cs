using System.Globalization;
using System.Text.Json.Serialization;
using Drap.Core.Jobs;

namespace Drap.Simulator.Scenarios;

/// <summary>A number of a scenario that is no count: a share, a factor, a rate. Kept in millionths, so that no float decides.</summary>
/// <param name="Millionths">From 0 to a million millions.</param>
[JsonConverter(typeof(RatioConverter))]
public readonly record struct Ratio(long Millionths)
{
    /// <summary>What a message says that it looks like.</summary>
    public const string Form = "a number such as 0.7 or 70%, not negative, with at most six decimals, at most a million";

    /// <summary>The whole.</summary>
    public static readonly Ratio One = new(1_000_000);

    /// <summary>For reckoning with what was measured.</summary>
    public double Value => Millionths / 1e6;

    /// <summary>Reads a number or a percentage.</summary>
    public static bool TryParse(string? text, out Ratio ratio)
    {
        ratio = default;
        bool isPercent = text?.EndsWith('%') ?? false;
        if (text is not { Length: <= 20 }
            || !decimal.TryParse(isPercent ? text[..^1] : text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal value))
            return false;
        decimal millionths = value * (isPercent ? 10_000 : 1_000_000);
        if (millionths != decimal.Truncate(millionths) || millionths > 1_000_000_000_000)
            return false;
        ratio = new Ratio((long)millionths);
        return true;
    }

    /// <summary>As many decimals as are needed.</summary>
    public override string ToString() => ((decimal)Millionths / 1_000_000).ToString("0.######", CultureInfo.InvariantCulture);
}

internal sealed class RatioConverter() : TextConverter<Ratio>(Ratio.Form)
{
    public override bool TryParse(string text, out Ratio value) => Ratio.TryParse(text, out value);
}
