using Drap.Core.Health;
using Drap.Core.Market.Pricing;
using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>The allocator's record of one group.</summary>
internal sealed class AllocationGroup(int id, GroupTerms terms, string topic)
{
    /// <summary>Answers kept for <c>explain</c>: twice the audience in which refusals are explicit.</summary>
    public const int AnswersMax = 64;

    public int Id { get; } = id;

    public GroupTerms Terms { get; set; } = terms;

    public string Topic { get; } = topic;

    /// <summary>Today's bid: the terms' at first, then what evidence made of it.</summary>
    public BidLadder Ladder { get; set; } = new(terms.Bid, terms.Limit, BidSteps.Default);

    /// <summary>The ad that stands for it; null if none does.</summary>
    public StandingAd? Ad { get; set; }

    /// <summary>Places named in that ad and not yet given: demand beyond it is not advertised.</summary>
    public int Advertised { get; set; }

    /// <summary>How often its last ads went in vain to a part of a crowd: each time the next goes to twice as many.</summary>
    public int Widened { get; set; }

    /// <summary>Since when it has waited without a single award; never while nothing is wanted.</summary>
    public Instant HungrySince { get; set; } = Instant.Never;

    /// <summary>Not published again before.</summary>
    public Instant NextPublish { get; set; } = Instant.Zero;

    /// <summary>It waited too long: workers may reserve for it.</summary>
    public bool Patient { get; set; }

    /// <summary>Offers of a gang that are still held for it.</summary>
    public List<HeldOffer> GangOffers { get; } = [];

    /// <summary>Smoothed run time of its tasks; zero until one ran.</summary>
    public long MeasuredTicks { get; private set; }

    /// <summary>Who runs how many of its tasks, and how fast.</summary>
    public Dictionary<PeerId, GroupWorker> Workers { get; } = [];

    /// <summary>Workers with at least one task of it under way.</summary>
    public int ActiveWorkers { get; set; }

    /// <summary>The last answer of each worker.</summary>
    public Dictionary<PeerId, GroupAnswer> Answers { get; } = [];

    /// <summary>The estimate that goes into ads: measured, once something ran.</summary>
    public TimeSpan Estimate => MeasuredTicks > 0 ? TimeSpan.FromTicks(MeasuredTicks) : Terms.Estimate;

    public void Measure(GroupWorker worker, TimeSpan wall)
    {
        long ticks = Math.Max(wall.Ticks, 1);
        MeasuredTicks = MeasuredTicks == 0 ? ticks : MeasuredTicks + (ticks - MeasuredTicks) / 8;
        worker.MeasuredTicks = worker.MeasuredTicks == 0 ? ticks : worker.MeasuredTicks + (ticks - worker.MeasuredTicks) / 8;
    }

    /// <summary>What an offer is expected to cost: this worker's speed is what it showed on the group's own tasks.</summary>
    public ExpectedCost CostOf(PeerId worker, OfferEntry entry, int trustPermille)
    {
        Workers.TryGetValue(worker, out GroupWorker? part);
        long measured = part?.MeasuredTicks is > 0 and long own ? own : entry.Measured.Ticks;
        long speed = measured > 0 && MeasuredTicks > 0 ? Math.Clamp(MeasuredTicks * 1000 / measured, 1, 1_000_000) : 1000;
        TimeSpan estimate = Estimate > TimeSpan.Zero ? Estimate : UnknownEstimate;
        // Colocation is worth a tenth of the price: enough to decide between like offers, not to pay double for.
        bool near = Terms.PreferColocated && part is { Live: > 0 };
        Price price = near ? entry.Ask.Times(900, 1000) : entry.Ask;
        return Terms.Policy.Expect(new OfferFacts(price, Terms.Bid, estimate, (int)speed, near ? 0 : Terms.InputBytes, entry.Start, trustPermille));
    }

    /// <summary>With nothing known a task counts as a minute: long enough that price matters, short enough that a late start does too.</summary>
    private static readonly TimeSpan UnknownEstimate = TimeSpan.FromMinutes(1);

    public void Answer(GroupAnswer answer)
    {
        if (Answers.Count >= AnswersMax && !Answers.ContainsKey(answer.Worker))
            Answers.Remove(Answers.MinBy(a => (a.Value.At, a.Key)).Key);
        Answers[answer.Worker] = answer;
    }
}

/// <summary>One worker's part in a group.</summary>
internal sealed class GroupWorker
{
    public int Live { get; set; }

    public long MeasuredTicks { get; set; }
}

/// <summary>What the allocator knows of a worker beyond its groups.</summary>
internal sealed class WorkerStanding
{
    public BackOff BackOff { get; } = new();

    /// <summary>Of its attempts, how many ended well: smoothed over about 32, trusted at first.</summary>
    public int TrustPermille { get; private set; } = 1000;

    /// <summary>What it says that it owns; null while it has not said.</summary>
    public NodeResources? Owns { get; set; }

    /// <summary>When it was asked last.</summary>
    public Instant AskedAt { get; set; } = Instant.Never;

    public void Succeeded()
    {
        BackOff.Success();
        TrustPermille += (1000 - TrustPermille + 31) / 32;
    }

    public void Failed(Instant now, string reason)
    {
        BackOff.Fault(now, reason);
        TrustPermille -= TrustPermille / 16;
    }
}

/// <summary>An offer that has not been decided yet.</summary>
internal sealed record HeldOffer(PeerId Worker, Offer Offer, StandingAd? Ad, Instant Received)
{
    public bool Extended { get; set; }

    /// <summary>It won something. An offer is confirmed once, with all that it won: what it offered beside that is not held any more.</summary>
    public bool IsTaken { get; set; }

    public Instant ValidUntil { get; set; } = Received + Offer.Valid;
}
