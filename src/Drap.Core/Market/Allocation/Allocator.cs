using System.Collections.Immutable;
using Drap.Core.Market.Pricing;
using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>
/// The scheduler's market side: turns the demand of groups into ads, gathers offers, and awards them by expected cost. It knows
/// groups and counts; which task goes where is for its caller to say.
/// </summary>
/// <remarks>
/// Call order: any of <see cref="OnOffer"/>, <see cref="OnRefusal"/>, <see cref="SetAudience"/>, <see cref="Ended"/> and the like, then
/// one <see cref="Flush"/>, whose effects are drained in order. What a call changes shows at the next flush, so that a batch of inputs
/// makes one decision and one ad (the batcher sends at once when no window is open).
/// </remarks>
public sealed class Allocator
{
    /// <summary>In audiences up to this size every worker answers, so that the window closes early and <c>explain</c> is exact (design 5).</summary>
    public const int ExplicitAudienceMax = 32;

    /// <summary>Groups at once; a job with more segments than that waits for room. 100 000 × about 1 KiB = 100 MiB at the worst.</summary>
    public const int GroupsMax = 100_000;

    /// <summary>How long an ad stands.</summary>
    public static readonly TimeSpan Stands = TimeSpan.FromSeconds(30);

    /// <summary>The longest window.</summary>
    public static readonly TimeSpan WindowMax = TimeSpan.FromMilliseconds(150);

    /// <summary>The shortest: a worker's own window of 50 ms and a round trip pass in it.</summary>
    public static readonly TimeSpan WindowMin = TimeSpan.FromMilliseconds(60);

    /// <summary>A group is advertised again at most once a second; the jitter of a quarter keeps schedulers apart.</summary>
    public static readonly TimeSpan RepublishInterval = TimeSpan.FromSeconds(1);

    /// <summary>A worker is asked what it owns at most this often: it hears several topics, and may offer wrongly again and again.</summary>
    private static readonly TimeSpan AskInterval = TimeSpan.FromSeconds(1);

    /// <summary>Answers that are called for a place, in audiences in which not all are (design 4).</summary>
    private const long AnswersWanted = 5;

    /// <summary>Times that the part of a crowd which answers is doubled: 2^20 is more than any audience.</summary>
    private const int WidenedMax = 20;

    private readonly AllocatorIdentity identity;
    private readonly Prng prng;
    private readonly IDemand demand;
    private readonly SortedDictionary<int, AllocationGroup> groups = [];
    private readonly SortedSet<int> hungry = [];
    private readonly Dictionary<AdId, StandingAd> ads = [];
    private readonly SortedDictionary<string, StandingAd> gathering = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ImmutableArray<PeerId>> audiences = new(StringComparer.Ordinal);
    private readonly Dictionary<PeerId, WorkerStanding> workers = [];
    private readonly Patience patience = new();
    private readonly List<HeldOffer> late = [];
    private readonly SortedSet<PeerId> unknown = [];
    private readonly Queue<StandingAd> aging = new();
    private int nextGroup = 1;
    private long sequence;
    private long answerTicks = WindowMin.Ticks / 3;

    /// <summary>An allocator with no groups.</summary>
    /// <param name="identity">Who publishes.</param>
    /// <param name="prng">For names of ads and for jitter.</param>
    /// <param name="demand">Who knows the tasks.</param>
    public Allocator(AllocatorIdentity identity, Prng prng, IDemand demand)
    {
        this.identity = identity;
        this.prng = prng;
        this.demand = demand;
    }

    /// <summary>Ads published so far: their sequence.</summary>
    public long AdsPublished => sequence;

    /// <summary>Opens a group and returns its number; null when there are <see cref="GroupsMax"/>.</summary>
    public int? Open(GroupTerms terms, string topic)
    {
        if (groups.Count >= GroupsMax)
            return null;
        int id = nextGroup++;
        groups.Add(id, new AllocationGroup(id, terms, topic));
        return id;
    }

    /// <summary>The job's owner changed the terms; the bid starts anew from them.</summary>
    public void SetTerms(int group, GroupTerms terms)
    {
        AllocationGroup g = groups[group];
        if (terms.Bid != g.Terms.Bid || terms.Limit != g.Terms.Limit)
            g.Ladder = new BidLadder(terms.Bid, terms.Limit, BidSteps.Default);
        g.Terms = terms;
        g.Advertised = 0;
        g.NextPublish = Instant.Zero;
    }

    /// <summary>The group wants nothing any more.</summary>
    public void Retire(int group)
    {
        groups.Remove(group);
        hungry.Remove(group);
        patience.RunningChanged();
    }

    /// <summary>Some task of the group wants a place; the count is asked for at the flush.</summary>
    public void Wake(int group) => hungry.Add(group);

    /// <summary>
    /// Tasks of the group came back unstarted, mostly because another worker stands idle: they are advertised at once. How often that
    /// happens is bounded by how often anybody steals.
    /// </summary>
    public void Returned(int group)
    {
        if (!groups.TryGetValue(group, out AllocationGroup? g))
            return;
        g.Advertised = 0;
        g.NextPublish = Instant.Zero;
        hungry.Add(group);
    }

    /// <summary>Who hears a topic now. A newcomer is told at once of what waits.</summary>
    public void SetAudience(string topic, ImmutableArray<PeerId> members)
    {
        HashSet<PeerId> before = audiences.TryGetValue(topic, out ImmutableArray<PeerId> old) ? [.. old] : [];
        PeerId[] newcomers = [.. members.Where(m => !before.Contains(m))];
        audiences[topic] = members;
        if (newcomers.Length == 0)
            return;
        unknown.UnionWith(newcomers);
        foreach (int id in hungry)
            if (groups[id].Topic == topic)
            {
                groups[id].Advertised = 0;
                groups[id].NextPublish = Instant.Zero;
            }
    }

    /// <summary>A worker said what it owns. Offers of more than that do not win; before it has said, it is taken at its word.</summary>
    public void Owns(PeerId worker, NodeResources resources) => Standing(worker).Owns = resources;

    /// <summary>Who hears a topic, as far as is known.</summary>
    public ImmutableArray<PeerId> Audience(string topic) => audiences.TryGetValue(topic, out ImmutableArray<PeerId> members) ? members : [];

    /// <summary>
    /// What those would say who do not hear a topic, from what they own: they are not of its kind, and nobody asks them. Nothing in large swarms,
    /// where not all who hear it are asked either.
    /// </summary>
    public IEnumerable<GroupAnswer> OutOfHearing(string topic, ResourceRequest request)
    {
        ImmutableArray<PeerId> all = AllMembers(), hearers = Audience(topic);
        if (all.Length > ExplicitAudienceMax)
            yield break;
        foreach (PeerId worker in all.Except(hearers))
            if (Standing(worker).Owns is { } owns && new ResourcePool(owns).Shortages(request) is { IsEmpty: false } shortages)
                yield return new GroupAnswer(
                    worker, Instant.Zero, null, new RefusalEntry(0, RefusalReason.TooSmall, Arbitration.Eligibility.Cut(shortages), Price.Zero, ""), "");
    }

    /// <summary>An ad that asks for quotes on one group of so many tasks, and binds nobody.</summary>
    public Ad QuoteAd(GroupTerms terms, int group, int count, int audience) => new()
    {
        Id = new AdId(prng.NextUuid()),
        Scheduler = identity.Scheduler,
        Principal = identity.Principal,
        Epoch = identity.Epoch,
        Sequence = ++sequence,
        Audience = audience,
        AnswerPermille = audience <= ExplicitAudienceMax ? 1000 : (int)Math.Clamp(AnswersWanted * 1000 / audience, 1, 1000),
        Stands = WindowMax,
        Window = WindowMax,
        QuoteOnly = true,
        Groups = [Describe(group, terms, terms.Bid, terms.Estimate, count, patient: false, Instant.Zero)],
    };

    /// <summary>Everyone who hears any topic, in order.</summary>
    public ImmutableArray<PeerId> AllMembers() => [.. audiences.Values.SelectMany(m => m).Distinct().Order()];

    /// <summary>An offer came.</summary>
    public void OnOffer(PeerId from, Offer offer, Instant now)
    {
        if (!ads.TryGetValue(offer.Ad, out StandingAd? ad))
        {
            late.Add(new HeldOffer(from, offer, null, now));
            return;
        }
        if (!ad.TryMeet(offer.Id))
            return;
        NoteAnswer(ad, from, now);
        foreach (OfferEntry entry in offer.Entries)
            if (groups.TryGetValue(entry.Group, out AllocationGroup? group))
                group.Answer(new GroupAnswer(from, now, entry, null, ""));
        var held = new HeldOffer(from, offer, ad, now);
        if (ad.IsGathering)
            ad.Offers.Add(held);
        else
            late.Add(held);
    }

    /// <summary>A refusal came.</summary>
    public void OnRefusal(PeerId from, Refusal refusal, Instant now)
    {
        if (!ads.TryGetValue(refusal.Ad, out StandingAd? ad))
            return;
        NoteAnswer(ad, from, now);
        foreach (RefusalEntry entry in refusal.Entries)
            if (groups.TryGetValue(entry.Group, out AllocationGroup? group))
                group.Answer(new GroupAnswer(from, now, null, entry, ""));
    }

    /// <summary>Tasks of a group were placed on a worker.</summary>
    public void Placed(int group, PeerId worker, int count)
    {
        if (!groups.TryGetValue(group, out AllocationGroup? g))
            return;
        if (!g.Workers.TryGetValue(worker, out GroupWorker? part))
            g.Workers[worker] = part = new GroupWorker();
        if (part.Live == 0)
            g.ActiveWorkers++;
        part.Live += count;
        patience.RunningChanged();
    }

    /// <summary>A task of a group left a worker.</summary>
    /// <param name="group">The group.</param>
    /// <param name="worker">The worker.</param>
    /// <param name="wall">How long it ran, if it ended well; zero if not.</param>
    public void Ended(int group, PeerId worker, TimeSpan wall)
    {
        if (!groups.TryGetValue(group, out AllocationGroup? g) || !g.Workers.TryGetValue(worker, out GroupWorker? part))
            return;
        if (--part.Live == 0)
            g.ActiveWorkers--;
        if (wall > TimeSpan.Zero)
            g.Measure(part, wall);
        patience.RunningChanged();
    }

    /// <summary>A worker failed an attempt, or is gone: nothing is given to it for a time.</summary>
    public void Fault(PeerId worker, Instant now, string reason) => Standing(worker).Failed(now, reason);

    /// <summary>A worker finished an attempt.</summary>
    public void Success(PeerId worker) => Standing(worker).Succeeded();

    /// <summary>Why nothing is given to a worker now; null if it may get work.</summary>
    public (Instant Until, string Reason)? BackedOff(PeerId worker, Instant now) =>
        workers.TryGetValue(worker, out WorkerStanding? standing) && standing.BackOff.IsActive(now)
            ? (standing.BackOff.Until, standing.BackOff.Reason)
            : null;

    /// <summary>How long the group's tasks run, as far as is known.</summary>
    public TimeSpan Estimate(int group) => groups.TryGetValue(group, out AllocationGroup? g) ? g.Estimate : TimeSpan.Zero;

    /// <summary>The group's bid of today, whether it is called patient, and since when it waits.</summary>
    public (Price Bid, bool Patient, Instant HungrySince) Describe(int group) =>
        groups.TryGetValue(group, out AllocationGroup? g) ? (g.Ladder.Bid, g.Patient, g.HungrySince) : default;

    /// <summary>The last answer of each worker about a group, by worker.</summary>
    public IReadOnlyList<GroupAnswer> Answers(int group) =>
        groups.TryGetValue(group, out AllocationGroup? g) ? [.. g.Answers.Values.OrderBy(a => a.Worker)] : [];

    /// <summary>When <see cref="Flush"/> has something to do even if nothing comes in.</summary>
    public Instant NextDeadline
    {
        get
        {
            Instant next = Instant.Never;
            foreach (StandingAd ad in gathering.Values)
                next = Instant.Min(next, ad.WindowEnd);
            foreach (int id in hungry)
            {
                AllocationGroup group = groups[id];
                // While a window is open on its topic the group cannot be advertised; the window's end wakes us.
                if (!gathering.ContainsKey(group.Topic))
                    next = Instant.Min(next, RenewedAt(group));
                next = Instant.Min(next, patience.Begins(group, groups.Values));
            }
            return next;
        }
    }

    /// <summary>Decides on what came in, and advertises what waits.</summary>
    public void Flush(Instant now, List<AllocatorEffect> effects)
    {
        ForgetOldAds(now);
        MarkHunger(now);
        List<HeldOffer>? decide = null;
        List<StandingAd>? closed = null;
        foreach (StandingAd ad in gathering.Values.ToArray())
        {
            if (!ad.MayClose(now))
                continue;
            ad.WindowEnd = Instant.Zero;
            gathering.Remove(ad.Topic);
            (decide ??= []).AddRange(ad.Offers);
            ad.Offers.Clear();
            (closed ??= []).Add(ad);
        }
        if (late.Count > 0)
        {
            (decide ??= []).AddRange(late);
            late.Clear();
        }
        if (decide is not null)
            new AllocationRound(this, now, effects).Decide(decide);
        foreach (StandingAd ad in closed ?? [])
            RaiseBids(ad);
        AskUnknown(now, effects);
        Advertise(now, effects);
    }

    internal IDemand Demand => demand;

    /// <summary>What a worker owns has to be asked for: it is new, or offers what it cannot have.</summary>
    internal void Doubt(PeerId worker) => unknown.Add(worker);

    internal AllocationGroup? Group(int id) => groups.GetValueOrDefault(id);

    internal WorkerStanding Standing(PeerId worker)
    {
        if (!workers.TryGetValue(worker, out WorkerStanding? standing))
            workers[worker] = standing = new WorkerStanding();
        return standing;
    }

    internal void Fed(AllocationGroup group, int count, Instant now)
    {
        group.Advertised = Math.Max(0, group.Advertised - count);
        if (group.HungrySince != Instant.Never)
            patience.Waited(group.Topic, now - group.HungrySince);
        group.HungrySince = now;
        group.Patient = false;
        group.Widened = 0;
    }

    private void AskUnknown(Instant now, List<AllocatorEffect> effects)
    {
        foreach (PeerId worker in unknown)
        {
            WorkerStanding standing = Standing(worker);
            if (standing.AskedAt != Instant.Never && now < standing.AskedAt + AskInterval)
                continue;
            standing.AskedAt = now;
            effects.Add(new AllocatorEffect.Ask(worker));
        }
        unknown.Clear();
    }

    private void NoteAnswer(StandingAd ad, PeerId from, Instant now)
    {
        // A window that waits for all ends with the answers of those who were meant, whoever else answers.
        if (ad.Ad.Audience <= ExplicitAudienceMax && !Audience(ad.Topic).Contains(from))
            return;
        if (ad.Answered.Add(from) && ad.IsGathering)
            answerTicks += ((now - ad.PublishedAt).Ticks - answerTicks) / 8;
    }

    private void ForgetOldAds(Instant now)
    {
        while (aging.TryPeek(out StandingAd? oldest) && now >= oldest.StandsUntil)
        {
            aging.Dequeue();
            ads.Remove(oldest.Ad.Id);
            foreach (TaskGroup named in oldest.Ad.Groups)
                if (groups.TryGetValue(named.Id, out AllocationGroup? group) && group.Ad == oldest)
                {
                    group.Ad = null;
                    group.Advertised = 0;
                }
        }
    }

    private void MarkHunger(Instant now)
    {
        var waiting = new List<AllocationGroup>(hungry.Count);
        foreach (int id in hungry.ToArray())
        {
            AllocationGroup group = groups[id];
            if (demand.Pending(id) == 0)
            {
                hungry.Remove(id);
                group.HungrySince = Instant.Never;
                group.Patient = false;
                continue;
            }
            waiting.Add(group);
        }
        patience.Rank(waiting);
        foreach (AllocationGroup group in waiting)
        {
            if (group.HungrySince == Instant.Never)
            {
                group.HungrySince = now;
            }
            else if (patience.Holds(group, groups.Values, now) != group.Patient)
            {
                group.Patient = !group.Patient;
                group.Advertised = 0;
                group.NextPublish = Instant.Min(group.NextPublish, now);
            }
        }
    }

    /// <summary>A bid rises only on evidence that price was the cause: nobody who could have run it was merely busy.</summary>
    private void RaiseBids(StandingAd ad)
    {
        foreach (TaskGroup named in ad.Ad.Groups)
        {
            if (!groups.TryGetValue(named.Id, out AllocationGroup? group) || group.Ad != ad || group.Ladder.IsAtLimit)
                continue;
            int pending = demand.Pending(named.Id), offers = 0, refusals = 0, busy = 0;
            Price least = Price.LimitMax;
            foreach (GroupAnswer answer in group.Answers.Values)
            {
                if (answer.At < ad.PublishedAt)
                    continue;
                Price ask = answer.Offer?.Ask ?? answer.Refusal!.Ask;
                if (answer.Refusal?.Reason == RefusalReason.Price || (answer.Offer is not null && ask > group.Terms.Limit))
                {
                    refusals++;
                    least = ask < least ? ask : least;
                }
                else if (answer.Offer is { } offer)
                    offers += offer.Count + offer.Backlog;
                else if (answer.Refusal!.Reason is RefusalReason.Busy or RefusalReason.Reserved)
                    busy++;
            }
            // Every topic of ours is heard by all who could serve; what can be wider is the part of them that answers.
            var evidence = new BidEvidence(offers, pending, busy > 0 ? 0 : refusals, AudienceIsWidest: !ad.IsNarrow, least);
            if (group.Ladder.TryRaise(evidence, prng))
                group.Advertised = 0;
        }
    }

    private void Advertise(Instant now, List<AllocatorEffect> effects)
    {
        List<AllocationGroup>? due = null;
        foreach (int id in hungry)
        {
            AllocationGroup group = groups[id];
            if (gathering.ContainsKey(group.Topic) || now < group.NextPublish)
                continue;
            // What an ad that still stands has named already reaches the workers without another one.
            if (demand.Pending(id) <= group.Advertised)
            {
                if (demand.Pending(id) == 0 || now < RenewedAt(group))
                    continue;
                group.Widened = Math.Min(group.Widened + 1, WidenedMax);
            }
            (due ??= []).Add(group);
        }
        if (due is null)
            return;
        foreach (IGrouping<string, AllocationGroup> byTopic in due.GroupBy(g => g.Topic).OrderBy(g => g.Key, StringComparer.Ordinal))
            Publish(byTopic.Key, [.. byTopic.OrderByDescending(g => g.Terms.Priority).ThenBy(g => g.Terms.Submitted).ThenBy(g => g.Id).Take(Ad.GroupsMax)],
                now, effects);
    }

    /// <summary>
    /// When what an ad has named is named again: at its end; in a crowd, where who was not called or lost keeps silent, already when nothing
    /// came of it: to twice as many each second, and when all are called after twice as long each time.
    /// </summary>
    private static Instant RenewedAt(AllocationGroup group)
    {
        if (group.Ad is not { } ad)
            return group.NextPublish;
        if (ad.Ad.Audience <= ExplicitAudienceMax || group.HungrySince > ad.PublishedAt)
            return Instant.Max(group.NextPublish, ad.StandsUntil);
        TimeSpan wait = ad.IsNarrow ? RepublishInterval : TimeSpan.FromTicks(RepublishInterval.Ticks << Math.Min(group.Widened, 5));
        return Instant.Max(group.NextPublish, Instant.Min(ad.PublishedAt + wait, ad.StandsUntil));
    }

    private void Publish(string topic, List<AllocationGroup> batch, Instant now, List<AllocatorEffect> effects)
    {
        int audience = audiences.TryGetValue(topic, out ImmutableArray<PeerId> members) ? members.Length : 0;
        TimeSpan window = TimeSpan.FromTicks(Math.Clamp(answerTicks * 3, WindowMin.Ticks, WindowMax.Ticks));
        long wanted = batch.Sum(g => (long)demand.Pending(g.Id) << g.Widened);
        var ad = new Ad
        {
            Id = new AdId(prng.NextUuid()),
            Scheduler = identity.Scheduler,
            Principal = identity.Principal,
            Epoch = identity.Epoch,
            Sequence = ++sequence,
            Audience = audience,
            AnswerPermille = audience <= ExplicitAudienceMax ? 1000 : (int)Math.Clamp(AnswersWanted * 1000 * Math.Max(wanted, 1) / audience, 1, 1000),
            Stands = Stands,
            Window = window,
            Groups = [.. batch.Select(g => Describe(g.Id, g.Terms, g.Ladder.Bid, g.Estimate, demand.Pending(g.Id), g.Patient, now))],
        };
        var standing = new StandingAd(ad, topic, now, audience, now + window);
        ads.Add(ad.Id, standing);
        aging.Enqueue(standing);
        gathering.Add(topic, standing);
        foreach (AllocationGroup group in batch)
        {
            group.Ad = standing;
            group.Advertised = demand.Pending(group.Id);
            group.NextPublish = now + RepublishInterval + TimeSpan.FromTicks(prng.Between(0, RepublishInterval.Ticks / 4));
        }
        effects.Add(new AllocatorEffect.Publish(topic, ad));
    }

    private static TaskGroup Describe(int id, GroupTerms terms, Price bid, TimeSpan estimate, int count, bool patient, Instant now) => new()
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

    /// <summary>The indices agree, and nothing is kept for a group that is gone.</summary>
    public void CheckInvariants()
    {
        foreach (int id in hungry)
            Invariant.Check(groups.ContainsKey(id));
        Invariant.Check(aging.Count == ads.Count);
        foreach (AllocationGroup group in groups.Values)
        {
            Invariant.Check(group.ActiveWorkers == group.Workers.Values.Count(w => w.Live > 0));
            Invariant.Check(group.Ladder.Bid <= group.Terms.Limit);
        }
    }
}

/// <summary>Who publishes.</summary>
/// <param name="Scheduler">The scheduler as a role.</param>
/// <param name="Principal">Whose work it is.</param>
/// <param name="Epoch">This start of it.</param>
public sealed record AllocatorIdentity(PeerId Scheduler, Principal Principal, Epoch Epoch);
