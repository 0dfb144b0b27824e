namespace Drap.Core.Market.Pricing;

/// <summary>What a worker answers to a bid, as far as the price goes.</summary>
/// <param name="Kind">Offer, counter-offer or refusal.</param>
/// <param name="Price">What the worker asks: in an offer never more than the bid, in a refusal what it would have taken.</param>
public readonly record struct BidAnswer(BidAnswerKind Kind, Price Price)
{
    /// <summary>
    /// Ask ≤ bid: an offer, at the ask, so that a high bid costs nobody more. Above it by at most the margin: a counter-offer. Above
    /// that: a refusal that names the price, for the scheduler's evidence.
    /// </summary>
    public static BidAnswer To(Price bid, Price ask, int counterMarginPermille)
    {
        if (ask <= bid)
            return new BidAnswer(BidAnswerKind.Offer, ask);
        Int128 highest = (Int128)bid.MicroPerHour * (1000 + counterMarginPermille) / 1000;
        return new BidAnswer(ask.MicroPerHour <= highest ? BidAnswerKind.Counter : BidAnswerKind.Refusal, ask);
    }
}

/// <summary>The three answers.</summary>
public enum BidAnswerKind
{
    /// <summary>The ask is within the bid.</summary>
    Offer,

    /// <summary>The ask is above the bid, within the margin.</summary>
    Counter,

    /// <summary>The ask is above the margin.</summary>
    Refusal,
}
