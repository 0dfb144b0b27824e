namespace Drap.Core.Market.Pricing;

/// <summary>
/// The bid of one class of tasks on the scheduler's side. It rises only when there is evidence that price was the cause and the audience
/// is at its widest, by a random step, so that schedulers that fail together do not outbid each other in step. It never passes the
/// private limit, and never falls: a worker offers at its own ask, so a high bid costs nothing once prices have come down.
/// </summary>
public sealed class BidLadder
{
    private readonly BidSteps steps;

    /// <summary>A ladder that starts at <paramref name="bid"/> or at the limit, whichever is lower.</summary>
    /// <param name="bid">The first bid.</param>
    /// <param name="limit">What the user would pay at most; it never leaves the scheduler.</param>
    /// <param name="steps">The least and the most of a step.</param>
    public BidLadder(Price bid, Price limit, BidSteps steps)
    {
        Invariant.Check(steps.LeastPermille > 1000 && steps.MostPermille >= steps.LeastPermille);
        Bid = bid < limit ? bid : limit;
        Limit = limit;
        this.steps = steps;
    }

    /// <summary>What the next ad says.</summary>
    public Price Bid { get; private set; }

    /// <summary>What is paid at most.</summary>
    public Price Limit { get; }

    /// <summary>How often the bid has risen.</summary>
    public int Rises { get; private set; }

    /// <summary>Whether no higher bid is possible.</summary>
    public bool IsAtLimit => Bid >= Limit;

    /// <summary>Raises the bid if the evidence says so; false if nothing changed. A bid of zero rises to the least price asked, or to one micro-credit.</summary>
    public bool TryRaise(in BidEvidence evidence, Prng random)
    {
        if (IsAtLimit || !evidence.IsPrice)
            return false;
        Price raised = Bid.Times(random.Between(steps.LeastPermille, steps.MostPermille), 1000);
        if (Bid == Price.Zero)
            raised = evidence.LeastAsk > Price.Zero ? evidence.LeastAsk : new Price(1);
        Bid = raised < Limit ? raised : Limit;
        Rises++;
        return true;
    }
}

/// <summary>The range of one rise.</summary>
/// <param name="LeastPermille">The least new bid, in permille of the old; above 1000. Default 1050.</param>
/// <param name="MostPermille">The most. Default 1250: as far as workers counter, so one rise reaches those who almost did.</param>
public readonly record struct BidSteps(int LeastPermille, int MostPermille)
{
    /// <summary>1.05 to 1.25.</summary>
    public static readonly BidSteps Default = new(1050, 1250);
}

/// <summary>What one round of an ad has shown.</summary>
/// <param name="Offers">Offers at or below the bid, and counter-offers within the limit.</param>
/// <param name="Wanted">Places that are still wanted.</param>
/// <param name="PriceRefusals">Refusals and counter-offers that named price alone.</param>
/// <param name="AudienceIsWidest">Whether the ad went as far as it can go.</param>
/// <param name="LeastAsk">The lowest price that a refusal named; zero if none.</param>
public readonly record struct BidEvidence(int Offers, int Wanted, int PriceRefusals, bool AudienceIsWidest, Price LeastAsk)
{
    /// <summary>Whether price was the cause, and nobody further away could still be asked.</summary>
    public bool IsPrice => AudienceIsWidest && PriceRefusals > 0 && Offers < Wanted;
}
