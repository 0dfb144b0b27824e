using System.Collections.Immutable;
using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>Writes ads, numbers them, and keeps those that stand. Not thread-safe.</summary>
internal sealed class AdBook(AllocatorIdentity identity, Prng prng)
{
    /// <summary>
    /// Answers that are called for a place in audiences in which not all are, in thousandths: five with those who offer a second time, so that a
    /// placed task draws no more than five in the mean (design 4).
    /// </summary>
    public const long AnswersPermille = 4800;

    /// <summary>How long an ad stands that called a part of a crowd: until after it is named again, a second to a second and a quarter later.</summary>
    private static readonly TimeSpan NarrowStands = TimeSpan.FromSeconds(2);

    private readonly Dictionary<AdId, StandingAd> ads = [];
    private readonly PriorityQueue<StandingAd, (Instant At, long Sequence)> aging = new();
    private readonly SortedSet<long> gathering = [];

    /// <summary>Ads written so far: the number of the last.</summary>
    public long Sequence { get; private set; }

    /// <summary>An ad that stands; null if it does not any more, or never did.</summary>
    public StandingAd? Find(AdId id) => ads.GetValueOrDefault(id);

    /// <summary>Takes an ad out that stands no more; null if there is none.</summary>
    public StandingAd? TakeOld(Instant now)
    {
        if (!aging.TryPeek(out StandingAd? oldest, out _) || now < oldest.StandsUntil)
            return null;
        aging.Dequeue();
        ads.Remove(oldest.Ad.Id);
        return oldest;
    }

    /// <summary>An ad for these groups, which stands from now on.</summary>
    /// <param name="audience">Where, and who hears it.</param>
    /// <param name="window">How long its answers are gathered.</param>
    /// <param name="wanted">Places that are called for.</param>
    /// <param name="groups">What it says of each group.</param>
    /// <param name="now">The time.</param>
    public StandingAd Publish(Audible audience, TimeSpan window, long wanted, ImmutableArray<TaskGroup> groups, Instant now)
    {
        // What went to a part of a crowd is named again, to more, before long: who was busy then need not keep it for long.
        bool isNarrow = audience.Count > Allocator.ExplicitAudienceMax && (!audience.IsWidest || PermilleFor(audience.Count, wanted) < 1000);
        Ad ad = Write(audience.Count, wanted, isNarrow ? NarrowStands : Allocator.Stands, window, groups, quoteOnly: false);
        return Keep(new StandingAd(ad, audience, now, now + window));
    }

    /// <summary>An ad for these groups that goes to a few, each by himself. It is the one that all hear later, where all of these are to answer.</summary>
    /// <param name="asked">Who gets it.</param>
    /// <param name="hearers">How many would hear it.</param>
    /// <param name="window">How long its answers are gathered.</param>
    /// <param name="groups">What it says of each group.</param>
    /// <param name="now">The time.</param>
    public StandingAd Send(Audible asked, int hearers, TimeSpan window, ImmutableArray<TaskGroup> groups, Instant now)
    {
        // In a crowd only a part of those who hear an ad answers; those that are asked by name all do.
        int answering = hearers is > 0 and <= Allocator.ExplicitAudienceMax ? hearers : asked.Count;
        return Keep(new StandingAd(Write(answering, asked.Count, Allocator.Stands, window, groups, quoteOnly: false), asked, now, now + window) { IsDirect = true });
    }

    /// <summary>An ad that asks for quotes on one group, and binds nobody.</summary>
    public Ad Quote(TaskGroup group, int audience) => Write(audience, 1, Allocator.WindowMax, Allocator.WindowMax, [group], quoteOnly: true);

    /// <summary>What an ad says of a group.</summary>
    public static TaskGroup Describe(int id, GroupTerms terms, Price bid, TimeSpan estimate, int count, bool patient, Instant now) => new()
    {
        Id = id,
        Count = count,
        Resources = terms.Resources,
        Placement = terms.Placement,
        Driver = terms.Driver,
        Handler = terms.Handler,
        Estimate = estimate,
        Bid = bid,
        Deadline = terms.Deadline == Instant.Never ? null : (now < terms.Deadline ? terms.Deadline - now : TimeSpan.Zero) + estimate,
        InputBytes = terms.InputBytes,
        Priority = terms.Priority,
        FirmOnly = terms.FirmOnly || terms.GangSize > 0,
        Patient = patient,
        GangSize = terms.GangSize,
        GangAge = terms.GangSize > 0 && now > terms.Submitted ? now - terms.Submitted : TimeSpan.Zero,
        PerWorkerMax = terms.PerWorkerMax,
    };

    /// <summary>Each that stands will be old once.</summary>
    public void CheckInvariants() => Invariant.Check(aging.Count == ads.Count && gathering.Count == ads.Values.Count(a => a.IsGathering));

    /// <summary>It goes to all who hear its topic: their answers are gathered.</summary>
    public void Spread(StandingAd ad, Audible audience, Instant now, Instant windowEnd)
    {
        ad.Spread(audience, now, windowEnd);
        gathering.Add(ad.Ad.Sequence);
    }

    /// <summary>The answers to an ad are decided on.</summary>
    public void Close(StandingAd ad)
    {
        ad.WindowEnd = Instant.Zero;
        gathering.Remove(ad.Ad.Sequence);
    }

    private StandingAd Keep(StandingAd standing)
    {
        ads.Add(standing.Ad.Id, standing);
        aging.Enqueue(standing, (standing.StandsUntil, standing.Ad.Sequence));
        gathering.Add(standing.Ad.Sequence);
        return standing;
    }

    private static int PermilleFor(int audience, long wanted) =>
        audience <= Allocator.ExplicitAudienceMax ? 1000 : (int)Math.Clamp(AnswersPermille * Math.Max(wanted, 1) / audience, 1, 1000);

    private Ad Write(int audience, long wanted, TimeSpan stands, TimeSpan window, ImmutableArray<TaskGroup> groups, bool quoteOnly) => new()
    {
        Id = new AdId(prng.NextUuid()),
        Scheduler = identity.Scheduler,
        Principal = identity.Principal,
        Epoch = identity.Epoch,
        Sequence = ++Sequence,
        Audience = audience,
        AnswerPermille = PermilleFor(audience, wanted),
        Stands = stands,
        Window = window,
        QuoteOnly = quoteOnly,
        Groups = groups,
        Undecided = gathering.Count == 0 ? 0 : Sequence - gathering.Min,
    };
}
