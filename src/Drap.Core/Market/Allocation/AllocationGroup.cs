using Drap.Core.Market.Arbitration;
using Drap.Core.Market.Pricing;
using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>The allocator's record of one group.</summary>
internal sealed class AllocationGroup(int id, GroupTerms terms, TopicLine line, JobServers servers)
{
    /// <summary>Answers kept for <c>explain</c>: twice the audience in which refusals are explicit.</summary>
    public const int AnswersMax = 64;

    /// <summary>What an offer, its confirmation and a disk's sync take in a quiet swarm: 3 ms.</summary>
    private const long RoundTicks = 3 * TimeSpan.TicksPerMillisecond;

    private readonly Dictionary<PeerId, GroupAnswer> answers = [];
    private int hopeful;

    public int Id { get; } = id;

    public GroupTerms Terms { get; set; } = terms;

    /// <summary>Where it is advertised, and with whom it waits.</summary>
    public TopicLine Line { get; } = line;

    /// <summary>Who serves its job.</summary>
    public JobServers Servers { get; } = servers;

    /// <summary>Something about it changed since it was looked at.</summary>
    public bool IsTouched { get; set; }

    /// <summary>When its line has to look at it; never while it wants nothing.</summary>
    public Instant LookAt { get; set; } = Instant.Never;

    /// <summary>Whether the workers know its places already.</summary>
    public bool IsAgain { get; set; }

    /// <summary>Whether its ad says what does not hold any more, of its bid or its patience.</summary>
    public bool IsOutdated { get; set; }

    /// <summary>Whether it is among those of its line that stand with the workers and may find a taker.</summary>
    public bool IsNamed { get; set; }

    /// <summary>Those of its priority with which it waits; null while it wants nothing.</summary>
    public PriorityRank? Rank { get; set; }

    /// <summary>Whether its run time changed since it was looked at, and under which it stands among those that run; 0 for none.</summary>
    public (bool IsStale, long Ticks) Running { get; set; }

    /// <summary>Today's bid: the terms' at first, then what evidence made of it.</summary>
    public BidLadder Ladder { get; set; } = new(terms.Bid, terms.Limit, BidSteps.Default);

    /// <summary>The ad that stands for it; null if none does.</summary>
    public StandingAd? Ad { get; set; }

    /// <summary>The last one that stands for it with all who hear its topic; null if none does.</summary>
    public StandingAd? HeardAd { get; set; }

    /// <summary>Whether it is to be told to those who serve its job, since its turn with all others may be far.</summary>
    public bool IsHasty { get; set; }

    /// <summary>Whether that waits for the answers to its last ad.</summary>
    public bool AwaitsAnswers { get; set; }

    /// <summary>Those who serve its job are not asked again before.</summary>
    public Instant NextTell { get; set; } = Instant.Zero;

    /// <summary>How often in a row they were asked in vain.</summary>
    public int ToldInVain { get; set; }

    /// <summary>Places named in that ad and not yet given: demand beyond it is not advertised.</summary>
    public int Advertised { get; set; }

    /// <summary>How often its last ads went in vain to a part of a crowd: each time the next goes to twice as many.</summary>
    public int Widened { get; set; }

    /// <summary>Its last ad went to a part of a crowd and its window closed with places left: it is named to more at once.</summary>
    public bool SeeksMore { get; set; }

    /// <summary>Asking more at once found nothing for it: from then on it waits for its turn, as long as it wants places.</summary>
    public bool SoughtInVain { get; set; }

    /// <summary>Asking more at once was its next rung: its turn asks as many.</summary>
    public bool HasClimbed { get; set; }

    /// <summary>Since when it has waited without a single award; never while nothing is wanted.</summary>
    public Instant HungrySince { get; set; } = Instant.Never;

    /// <summary>Not published again before.</summary>
    public Instant NextPublish { get; set; } = Instant.Zero;

    /// <summary>Confirmations that workers refused since one was last acknowledged.</summary>
    public int RefusedInRow { get; set; }

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
    public IReadOnlyDictionary<PeerId, GroupAnswer> Answers => answers;

    /// <summary>Whether somebody answered who could take it, were it not for time, price or what runs there.</summary>
    public bool IsHopeful => hopeful > 0;

    /// <summary>Whether all who answered can never take it.</summary>
    public bool IsHopeless => answers.Count > 0 && hopeful == 0;

    /// <summary>The estimate that goes into ads: measured, once something ran.</summary>
    public TimeSpan Estimate => MeasuredTicks > 0 ? TimeSpan.FromTicks(MeasuredTicks) : Terms.Estimate;

    /// <summary>Tasks that a line gets at least: as many as last a round, and one where nobody knows how long they take.</summary>
    public int LineLeast => MeasuredTicks > 0 ? (int)Math.Clamp(RoundTicks / MeasuredTicks, 1, Confirm.TasksMax) : 1;

    /// <summary>It wants nothing any more, and its number is given to none.</summary>
    public bool IsRetired { get; set; }

    /// <summary>
    /// When what an ad has named is named again: at its end; in a crowd, where who was not called or lost keeps silent, already when nothing
    /// came of it: to twice as many each second, and when all are called after twice as long each time. So too where there are wider audiences.
    /// </summary>
    public Instant RenewedAt
    {
        get
        {
            if (Ad is not { } ad)
                return NextPublish;
            if ((ad.Ad.Audience <= Allocator.ExplicitAudienceMax && ad.Audience.IsWidest) || HungrySince > ad.PublishedAt)
                return Instant.Max(NextPublish, ad.StandsUntil);
            TimeSpan wait = ad.IsNarrow ? Allocator.RepublishInterval : TimeSpan.FromTicks(Allocator.RepublishInterval.Ticks << Math.Min(Widened, 5));
            return Instant.Max(NextPublish, Instant.Min(ad.PublishedAt + wait, ad.StandsUntil));
        }
    }

    /// <summary>Whether somebody who heard the ad was full.</summary>
    public bool HeardBusy(StandingAd ad) =>
        answers.Values.Any(a => a.At >= ad.PublishedAt && a.Refusal?.Reason is RefusalReason.Busy or RefusalReason.Reserved or RefusalReason.Quota);

    /// <summary>What the answers to an ad show of prices: a bid rises only on evidence that price was the cause, and nobody who could have run it was merely busy.</summary>
    public BidEvidence Evidence(StandingAd ad, int pending)
    {
        int offers = 0, refusals = 0, busy = 0;
        Price least = Price.LimitMax;
        foreach (GroupAnswer answer in answers.Values)
        {
            if (answer.At < ad.PublishedAt)
                continue;
            Price ask = answer.Offer?.Ask ?? answer.Refusal!.Ask;
            if (answer.Refusal?.Reason == RefusalReason.Price || (answer.Offer is not null && ask > Terms.Limit))
            {
                refusals++;
                least = ask < least ? ask : least;
            }
            else if (answer.Offer is { } offer)
                offers += offer.Count + offer.Backlog;
            else if (answer.Refusal!.Reason is RefusalReason.Busy or RefusalReason.Reserved or RefusalReason.Quota)
                busy++;
        }
        // What can be wider is the audience, and the part of it that answers.
        return new BidEvidence(offers, pending, busy > 0 ? 0 : refusals, AudienceIsWidest: !ad.IsNarrow, least);
    }

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

    /// <summary>Keeps the answer as the worker's last.</summary>
    public void Answer(GroupAnswer answer)
    {
        if (answers.Remove(answer.Worker, out GroupAnswer? before))
            hopeful -= Hope(before);
        else if (answers.Count >= AnswersMax && answers.Remove(answers.MinBy(a => (a.Value.At, a.Key)).Key, out GroupAnswer? oldest))
            hopeful -= Hope(oldest);
        answers[answer.Worker] = answer;
        hopeful += Hope(answer);
    }

    private static int Hope(GroupAnswer answer) => answer.Refusal is { } no && Eligibility.IsFinal(no.Reason) ? 0 : 1;
}

/// <summary>One worker's part in a group.</summary>
internal sealed class GroupWorker
{
    public int Live { get; set; }

    public long MeasuredTicks { get; set; }
}
