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
/// one <see cref="Decide"/> and one <see cref="Advertise"/>; the effects of each are performed, in order, before the next call. What a call changes
/// shows then, so that a batch of inputs makes one decision and one ad (the batcher sends at once when no window is open). A call costs what it
/// concerns: who waits without being due is not looked at.
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

    /// <summary>After a worker refused what it had offered, the group is named again no sooner than this, and each further time in a row than twice as long; half as much again of jitter.</summary>
    public static readonly TimeSpan RefusedInterval = TimeSpan.FromMilliseconds(100);

    private readonly Prng prng;
    private readonly AdBook ads;
    private readonly WorkerStandings workers = new();
    private readonly Dictionary<int, AllocationGroup> groups = [];
    private readonly Reach reach;
    private readonly Dictionary<int, JobServers> servers = [];
    private readonly Advertiser advertiser;
    private readonly List<HeldOffer> late = [];
    private int nextGroup = 1;
    private long answerTicks = WindowMin.Ticks / 3;

    /// <summary>An allocator with no groups.</summary>
    /// <param name="identity">Who publishes.</param>
    /// <param name="prng">For names of ads and for jitter.</param>
    /// <param name="demand">Who knows the tasks.</param>
    public Allocator(AllocatorIdentity identity, Prng prng, IDemand demand)
    {
        this.prng = prng;
        Demand = demand;
        ads = new AdBook(identity, prng);
        reach = new Reach(prng);
        advertiser = new Advertiser(ads, reach, demand, prng);
    }

    /// <summary>How often a group was looked at so far: what a step costs beside its input. It grows with what changes, not with what waits.</summary>
    public long Looks => advertiser.Looks;

    /// <summary>Opens a group of a job and returns its number; null when there are <see cref="GroupsMax"/>.</summary>
    /// <param name="terms">What is asked for and offered.</param>
    /// <param name="topic">Where it is advertised.</param>
    /// <param name="job">The job; its groups' next ads go straight to the workers that serve any of them.</param>
    public int? Open(GroupTerms terms, string topic, int job)
    {
        if (groups.Count >= GroupsMax)
            return null;
        int id = nextGroup++;
        groups.Add(id, new AllocationGroup(id, terms, advertiser.Line(topic), ServersOf(job)));
        return id;
    }

    /// <summary>A worker has attempts of a job from before the scheduler's start.</summary>
    public void Serves(int job, PeerId worker) => ServersOf(job).Served(worker);

    /// <summary>The job has ended, and its groups are retired: who served it does not matter any more.</summary>
    public void Forget(int job) => servers.Remove(job);

    /// <summary>The job's owner changed the terms; the bid starts anew from them.</summary>
    public void SetTerms(int group, GroupTerms terms)
    {
        AllocationGroup g = groups[group];
        if (terms.Bid != g.Terms.Bid || terms.Limit != g.Terms.Limit)
            g.Ladder = new BidLadder(terms.Bid, terms.Limit, BidSteps.Default);
        bool isHungry = g.HungrySince != Instant.Never;
        g.Line.Drop(g);
        g.Line.Patience.Leave(g);
        g.Terms = terms;
        if (isHungry)
        {
            g.Line.Patience.Enter(g);
            g.Line.Schedule(g, Instant.Zero, again: false);
        }
        advertiser.Renew(g);
    }

    /// <summary>The group wants nothing any more.</summary>
    public void Retire(int group)
    {
        if (!groups.Remove(group, out AllocationGroup? g))
            return;
        g.IsRetired = true;
        Advertiser.Leave(g);
        g.ActiveWorkers = 0;
        g.Line.Patience.RunningChanged(g);
    }

    /// <summary>The group wants more places, or fewer; the count is asked for at the flush.</summary>
    public void Wake(int group)
    {
        if (groups.TryGetValue(group, out AllocationGroup? g))
            advertiser.Touch(g);
    }

    /// <summary>
    /// Tasks of the group came back unstarted, mostly because another worker stands idle: they are advertised at once. How often that
    /// happens is bounded by how often anybody steals.
    /// </summary>
    public void Returned(int group)
    {
        if (groups.TryGetValue(group, out AllocationGroup? g))
            advertiser.Renew(g);
    }

    /// <summary>
    /// A worker refused tasks that its offer had won: its hold had run out before the confirmation came, or the place was gone. The group is named
    /// again soon, not only with the next regular ad; if it happens again and again, as on a disk that stays slow, no sooner than that.
    /// </summary>
    public void Refused(int group, Instant now)
    {
        if (!groups.TryGetValue(group, out AllocationGroup? g))
            return;
        long ticks = Math.Min(RefusedInterval.Ticks << Math.Min(g.RefusedInRow++, 4), RepublishInterval.Ticks);
        g.NextPublish = Instant.Min(g.NextPublish, now + TimeSpan.FromTicks(ticks + prng.Between(0, ticks / 2)));
        advertiser.Touch(g);
    }

    /// <summary>A worker acknowledged what its offer had won.</summary>
    public void Acknowledged(int group)
    {
        if (groups.TryGetValue(group, out AllocationGroup? g))
            g.RefusedInRow = 0;
    }

    /// <summary>
    /// Who hears a topic now. A newcomer is told of what waits: at once, or in large audiences, where many come and go, with others once a second.
    /// </summary>
    public void SetAudience(string topic, ImmutableArray<PeerId> members, Instant now)
    {
        TopicLine line = advertiser.Line(topic);
        HashSet<PeerId> before = [.. line.Members];
        PeerId[] newcomers = [.. members.Where(m => !before.Contains(m))];
        line.Members = members;
        if (newcomers.Length == 0)
            return;
        workers.Doubt(newcomers);
        line.WelcomeAt = Instant.Min(line.WelcomeAt, members.Length <= ExplicitAudienceMax ? now : Instant.Max(now, line.NextWelcome));
    }

    /// <summary>So many workers are thought to be in a region, or under <see cref="Market.Audience.GlobalRegion"/> in the whole swarm.</summary>
    public void SetSwarmSize(string region, int workers) => reach.SetSize(region, workers);

    /// <summary>Where these tasks are advertised first: in the region that they must run in, if it is known, else at home.</summary>
    public string TopicOf(GroupTerms terms, string home) =>
        Topics.ForTask(terms.Resources, terms.Placement.Region is { Length: > 0 } region && reach.Knows(region) ? region : home);

    /// <summary>Where somebody who only asks is to ask, and how many hear it.</summary>
    public (string Topic, int Audience) Ask(string topic)
    {
        Audible audible = reach.For(advertiser.Line(topic), 1, 0);
        return (audible.Topic, audible.Count);
    }

    /// <summary>A worker said what it owns. Offers of more than that do not win; before it has said, it is taken at its word.</summary>
    public void Owns(PeerId worker, NodeResources resources) => Standing(worker).Owns = resources;

    /// <summary>Who hears a topic, as far as is known.</summary>
    public ImmutableArray<PeerId> Audience(string topic) => advertiser.Line(topic).Members;

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
    public Ad QuoteAd(GroupTerms terms, int group, int count, int audience) =>
        ads.Quote(AdBook.Describe(group, terms, terms.Bid, terms.Estimate, count, patient: false, Instant.Zero), audience);

    /// <summary>Everyone who hears any topic, in order.</summary>
    public ImmutableArray<PeerId> AllMembers() => [.. advertiser.Lines.SelectMany(l => l.Members).Distinct().Order()];

    /// <summary>An offer came.</summary>
    public void OnOffer(PeerId from, Offer offer, Instant now)
    {
        if (ads.Find(offer.Ad) is not { } ad)
        {
            late.Add(new HeldOffer(from, offer, null, now));
            return;
        }
        if (!ad.TryMeet(offer.Id))
            return;
        NoteAnswer(ad, from, now);
        foreach (OfferEntry entry in offer.Entries)
            if (groups.TryGetValue(entry.Group, out AllocationGroup? group))
            {
                Note(group, new GroupAnswer(from, now, entry, null, ""));
                group.Servers.Offered(from);
            }
        var held = new HeldOffer(from, offer, ad, now);
        if (ad.IsGathering)
            ad.Offers.Add(held);
        else
            late.Add(held);
    }

    /// <summary>A refusal came.</summary>
    public void OnRefusal(PeerId from, Refusal refusal, Instant now)
    {
        if (ads.Find(refusal.Ad) is not { } ad)
            return;
        NoteAnswer(ad, from, now);
        foreach (RefusalEntry entry in refusal.Entries)
            if (groups.TryGetValue(entry.Group, out AllocationGroup? group))
                Note(group, new GroupAnswer(from, now, null, entry, ""));
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
        g.Servers.Served(worker);
        g.Line.Patience.RunningChanged(g);
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
        g.Servers.Served(worker);
        if (wall > TimeSpan.Zero)
            g.Measure(part, wall);
        g.Line.Patience.RunningChanged(g);
    }

    /// <summary>Workers with more than one task of a group under way, in no order: of these some may stand in line.</summary>
    public IEnumerable<PeerId> WithSeveral(int group) =>
        groups.TryGetValue(group, out AllocationGroup? g) ? g.Workers.Where(w => w.Value.Live > 1).Select(w => w.Key) : [];

    /// <summary>A worker failed an attempt, or is gone: nothing is given to it for a time.</summary>
    public void Fault(PeerId worker, Instant now, string reason) => Standing(worker).Failed(now, reason);

    /// <summary>A worker refused what its own offer had won. Now and then that comes of a race; who does nothing else offers what it cannot keep.</summary>
    public void RefusedBy(PeerId worker, Instant now) => Standing(worker).Refused(now);

    /// <summary>A worker took what its offer had won.</summary>
    public void TakenBy(PeerId worker) => Standing(worker).Took();

    /// <summary>A worker finished an attempt.</summary>
    public void Success(PeerId worker) => Standing(worker).Succeeded();

    /// <summary>Why nothing is given to a worker now; null if it may get work.</summary>
    public (Instant Until, string Reason)? BackedOff(PeerId worker, Instant now) => workers.BackedOff(worker, now);

    /// <summary>How long the group's tasks run, as far as is known.</summary>
    public TimeSpan Estimate(int group) => groups.TryGetValue(group, out AllocationGroup? g) ? g.Estimate : TimeSpan.Zero;

    /// <summary>The group's bid of today, whether it is called patient, and since when it waits.</summary>
    public (Price Bid, bool Patient, Instant HungrySince) Describe(int group) =>
        groups.TryGetValue(group, out AllocationGroup? g) ? (g.Ladder.Bid, g.Patient, g.HungrySince) : default;

    /// <summary>The last answer of each worker about a group, by worker.</summary>
    public IReadOnlyList<GroupAnswer> Answers(int group) =>
        groups.TryGetValue(group, out AllocationGroup? g) ? [.. g.Answers.Values.OrderBy(a => a.Worker)] : [];

    /// <summary>When <see cref="Decide"/> and <see cref="Advertise"/> have something to do even if nothing comes in.</summary>
    public Instant NextDeadline => advertiser.NextDeadline;

    /// <summary>Decides on the offers that came in.</summary>
    public void Decide(Instant now, List<AllocatorEffect> effects)
    {
        ForgetOldAds(now);
        List<HeldOffer>? decide = null;
        List<StandingAd>? closed = null, told = null;
        foreach (TopicLine line in advertiser.Lines)
        {
            if (line.Gathering is not { } ad || !ad.MayClose(now))
                continue;
            ads.Close(ad);
            line.Gathering = null;
            (decide ??= []).AddRange(ad.Offers);
            ad.Offers.Clear();
            (closed ??= []).Add(ad);
        }
        while (advertiser.TakeTold(now) is { } direct)
        {
            (decide ??= []).AddRange(direct.Offers);
            direct.Offers.Clear();
            (told ??= []).Add(direct);
        }
        if (late.Count > 0)
        {
            (decide ??= []).AddRange(late);
            late.Clear();
        }
        if (decide is not null)
            new AllocationRound(this, now, effects).Decide(decide);
        foreach (StandingAd ad in closed ?? [])
            OnWindowClosed(ad, now);
        // What those said who were asked by themselves is no evidence for a higher bid: the audience was not at its widest.
        foreach (StandingAd ad in told ?? [])
            foreach (TaskGroup named in ad.Ad.Groups)
                if (groups.TryGetValue(named.Id, out AllocationGroup? group) && group.Ad == ad)
                    advertiser.OnToldClosed(group, wasInVain: group.Advertised >= named.Count, now);
    }

    /// <summary>Advertises what waits. What was decided has been performed before, so that nobody is called for places that are given.</summary>
    public void Advertise(Instant now, List<AllocatorEffect> effects)
    {
        workers.AskUnknown(now, effects);
        advertiser.Run(worker => workers.BackedOff(worker, now) is null, TimeSpan.FromTicks(Math.Clamp(answerTicks * 3, WindowMin.Ticks, WindowMax.Ticks)), now, effects);
    }

    internal IDemand Demand { get; }

    /// <summary>What a worker owns has to be asked for: it is new, or offers what it cannot have.</summary>
    internal void Doubt(PeerId worker) => workers.Doubt([worker]);

    internal AllocationGroup? Group(int id) => groups.GetValueOrDefault(id);

    internal WorkerStanding Standing(PeerId worker) => workers.Of(worker);

    /// <summary>The group got places.</summary>
    internal void Fed(AllocationGroup group, int count, Instant now)
    {
        group.Advertised = Math.Max(0, group.Advertised - count);
        if (group.HungrySince != Instant.Never)
        {
            group.Line.Patience.Waited(now - group.HungrySince);
            group.Line.Patience.Leave(group);
            (group.HungrySince, group.Patient) = (now, false);
            group.Line.Patience.Enter(group);
        }
        group.Widened = 0;
        group.ToldInVain = 0;
        advertiser.Touch(group);
    }

    /// <summary>Keeps a worker's answer, and what follows from it for those that wait.</summary>
    internal static void Note(AllocationGroup group, GroupAnswer answer)
    {
        bool wasHopeful = group.IsHopeful;
        group.Answer(answer);
        if (group.IsHopeful != wasHopeful)
            group.Rank?.HopeChanged(group);
        group.Line.Count(group);
    }

    private void NoteAnswer(StandingAd ad, PeerId from, Instant now)
    {
        // A window that waits for all ends with the answers of those who were meant, whoever else answers.
        if (ad.Ad.Audience <= ExplicitAudienceMax && !ad.Audience.Members.IsEmpty && !ad.Audience.Members.Contains(from))
            return;
        if (!ad.Answered.Add(from) || !ad.IsGathering)
            return;
        answerTicks += ((now - ad.AskedAt).Ticks - answerTicks) / 8;
        // Once, with the last of them; what is over by its time is taken then.
        if (ad.IsDirect && now < ad.WindowEnd && ad.MayClose(now))
            advertiser.Answered(ad);
    }

    private void OnWindowClosed(StandingAd ad, Instant now)
    {
        List<(AllocationGroup Group, int Named, int Left)> still = [];
        foreach (TaskGroup named in ad.Ad.Groups)
            if (groups.TryGetValue(named.Id, out AllocationGroup? group) && group.Ad == ad)
            {
                OnWindowClosed(group, ad);
                // What was just won is still in its line: it is taken out when this is performed.
                still.Add((group, named.Count, Math.Min(group.Advertised, Demand.Pending(group.Id))));
            }
        if (ad.IsNarrow && still.Count > 0)
            advertiser.SeekMore(ad, still, still[0].Group.Line, now);
    }

    private void OnWindowClosed(AllocationGroup group, StandingAd ad)
    {
        if (!group.Ladder.IsAtLimit && group.Ladder.TryRaise(group.Evidence(ad, Demand.Pending(group.Id)), prng))
        {
            group.IsOutdated = true;
            advertiser.Touch(group);
        }
        if (group.AwaitsAnswers)
            advertiser.Touch(group);
    }

    private JobServers ServersOf(int job)
    {
        if (!servers.TryGetValue(job, out JobServers? found))
            servers[job] = found = new JobServers();
        return found;
    }

    private void ForgetOldAds(Instant now)
    {
        while (ads.TakeOld(now) is { } old)
            foreach (TaskGroup named in old.Ad.Groups)
                if (groups.TryGetValue(named.Id, out AllocationGroup? group))
                    Forget(group, old);
    }

    private void Forget(AllocationGroup group, StandingAd old)
    {
        if (group.HeardAd == old)
        {
            group.HeardAd = null;
            group.Line.Count(group);
        }
        if (group.Ad != old)
            return;
        group.Ad = null;
        group.Advertised = 0;
        advertiser.Touch(group);
    }

    /// <summary>The indices agree, and nothing is kept for a group that is gone.</summary>
    public void CheckInvariants()
    {
        ads.CheckInvariants();
        foreach (IGrouping<TopicLine, AllocationGroup> line in groups.Values.GroupBy(g => g.Line))
            line.Key.CheckInvariants([.. line]);
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
