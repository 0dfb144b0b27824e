namespace Drap.Core.Market.Pricing;

/// <summary>
/// A price with all that made it, for <c>drap market --explain</c>. The ask is the base times each factor in the order in which they
/// stand here, rounded up after each.
/// </summary>
/// <param name="Base">The whole bundle at base prices.</param>
/// <param name="Scarcest">The dimension whose utilisation counts, before and after.</param>
/// <param name="Use">The mean of the utilisation curve over the bundle's step.</param>
/// <param name="Hour">The factor of the hour.</param>
/// <param name="Market">What offers won and lost at.</param>
/// <param name="Owner">The owner's factor.</param>
/// <param name="Discount">The bundle discount.</param>
public sealed record PriceBreakdown(
    Price Base, Utilisation Scarcest, Factor Use, Factor Hour, Factor Market, Factor Owner, Factor Discount)
{
    /// <summary>What the worker asks for the whole bundle.</summary>
    public Price Ask => AskFor(Base);

    /// <summary>
    /// What it asks for a part with the given base price. All parts of a bundle carry the same factors, so their asks add up to the
    /// bundle's in whatever order they are taken, to within the rounding of five micro-credits per hour and part.
    /// </summary>
    public Price AskFor(Price part) => Discount.Of(Owner.Of(Market.Of(Hour.Of(Use.Of(part)))));
}
