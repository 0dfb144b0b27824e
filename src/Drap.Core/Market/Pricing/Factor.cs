using System.Globalization;

namespace Drap.Core.Market.Pricing;

/// <summary>A factor of a price, in millionths: 1 250 000 is 1.25. An integer, so that two machines come to the same price.</summary>
/// <param name="Millionths">Never negative.</param>
public readonly record struct Factor(int Millionths)
{
    /// <summary>Millionths in a whole.</summary>
    public const int Whole = 1_000_000;

    /// <summary>Changes nothing.</summary>
    public static readonly Factor One = new(Whole);

    /// <summary>A factor given in thousandths.</summary>
    public static Factor FromPermille(int permille) => new(checked(permille * 1000));

    /// <summary>The price times the factor, rounded up to a whole micro-credit per hour; a price above zero stays above zero.</summary>
    public Price Of(Price price) => price.Times(Millionths, Whole);

    /// <summary>As a decimal: <c>1.25</c>.</summary>
    public override string ToString() => ((decimal)Millionths / Whole).ToString("0.######", CultureInfo.InvariantCulture);
}
