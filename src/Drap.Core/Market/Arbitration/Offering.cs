using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Drap.Core.Execution;
using Drap.Core.Market.Packing;
using Drap.Core.Market.Pricing;
using Drap.Core.Messages;
using Drap.Core.Nodes;

namespace Drap.Core.Market.Arbitration;

/// <summary>
/// One round of offers: looks at the groups that stand, in the order patient, gangs by age, then the others (of each principal its
/// highest priority and earliest deadline first), packs, prices, holds, and sends one offer and one refusal an ad at most.
/// </summary>
internal sealed class Offering
{
    /// <summary>Groups that one round looks at closely beside new ads; in a saturated market a freed place finds a taker among the oldest.</summary>
    private const int CandidatesMax = 64;

    // Ranks within a principal that are told apart in one round; what ranks lower is packed together.
    private const int RanksMax = 8;

    private readonly Arbiter arbiter;
    private readonly PeerId self;
    private readonly Prng random;
    private readonly Capacity capacity;
    private readonly GroupBook groups;
    private readonly Assessor assessor;
    private readonly WorkerPacker packer = new();
    private readonly List<StandingGroup> candidates = [];
    private readonly List<StandingAd> touched = [];
    private readonly List<PackingItem> items = [];
    private readonly List<StandingGroup> packed = [];
    private readonly Dictionary<StandingAd, Answer> answers = [];

    public Offering(Arbiter arbiter, PeerId self, Prng random, Capacity capacity, Executor executor, GroupBook groups)
    {
        this.arbiter = arbiter;
        this.self = self;
        this.random = random;
        this.capacity = capacity;
        this.groups = groups;
        assessor = new Assessor(arbiter, capacity, executor, groups, PromisedTo, InRound);
    }

    private sealed class Answer
    {
        public readonly List<HoldPart> Parts = [];
        public readonly List<RefusalEntry> Refusals = [];
    }

    /// <summary>Makes the offers that can be made now, and the first answers to new ads.</summary>
    public void Run(Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        Collect(now);
        if (candidates.Count > 0)
            assessor.Begin();
        if (candidates.Count > 1)
            candidates.Sort(Compare);
        int next = ServeFirst(now, utc, effects);
        if (candidates.Count - next == 1)
            Serve(candidates[next], int.MaxValue, now, utc);
        else if (candidates.Count > next)
            PackRanks(next, now, utc);
        foreach (StandingAd ad in touched)
            Send(ad, answers[ad], now, effects);
        arbiter.Standing.RemoveEmpty();
        candidates.Clear();
        touched.Clear();
        answers.Clear();
    }

    /// <summary>Answers an ad that only asks for quotes: nothing is held, nothing is kept.</summary>
    public void Quote(StandingAd ad, Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        assessor.Begin();
        var entries = ImmutableArray.CreateBuilder<OfferEntry>();
        var refusals = ImmutableArray.CreateBuilder<RefusalEntry>();
        foreach (StandingGroup group in ad.Groups)
        {
            if (assessor.Assess(group, int.MaxValue, now, utc, out Assessment a) is { } refusal)
                refusals.Add(refusal);
            else
                entries.Add(Entry(group, a with { IsFirm = false }));
        }
        effects.Add(new WorkerEffect.Send(ad.From, new Quote(ad.Ad.Id, entries.ToImmutable(), refusals.ToImmutable())));
    }

    private void Collect(Instant now)
    {
        int old = 0;
        foreach (StandingAd ad in arbiter.Standing.Ads)
        {
            bool isNew = !ad.IsAnswered;
            if (!isNew && now < ad.NextLook)
                continue;
            Instant next = Instant.Never;
            foreach (StandingGroup group in ad.Groups)
            {
                if (group.IsOpen)
                    next = Instant.Min(next, group.NotBefore);
                if (!group.IsOpen || group.Hold is not null || group.NotBefore > now)
                    continue;
                // A full worker passes hundreds of standing groups over at a glance; but never the one for which it keeps itself.
                if (!isNew && arbiter.Reservation?.Group != group && (old >= CandidatesMax || !assessor.IsWorthALook(group, now)))
                    continue;
                candidates.Add(group);
                old += isNew ? 0 : 1;
            }
            if (isNew)
                Touch(ad);
            ad.IsAnswered = true;
            ad.NextLook = next;
        }
    }

    /// <summary>Patient ones, then gangs by age, then the others by principal and rank.</summary>
    private static int Compare(StandingGroup a, StandingGroup b)
    {
        int by = b.IsPatient.CompareTo(a.IsPatient);
        if (by == 0)
            by = b.IsGang.CompareTo(a.IsGang);
        if (by == 0)
            by = a.IsPatient || a.IsGang ? a.SubmittedAt.CompareTo(b.SubmittedAt) : RankOf(a, b);
        if (by == 0)
            by = a.Ad.ReceivedAt.CompareTo(b.Ad.ReceivedAt);
        if (by == 0)
            by = a.Ad.Ad.Id.CompareTo(b.Ad.Ad.Id);
        return by != 0 ? by : a.Group.Id.CompareTo(b.Group.Id);
    }

    private static int RankOf(StandingGroup a, StandingGroup b)
    {
        int by = a.Ad.Ad.Principal.CompareTo(b.Ad.Ad.Principal);
        if (by == 0)
            by = b.Group.Priority.CompareTo(a.Group.Priority);
        return by != 0 ? by : a.Deadline.CompareTo(b.Deadline);
    }

    /// <summary>Serves those that go before all packing, one by one; returns the index of the first other one.</summary>
    private int ServeFirst(Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        int next = 0;
        while (next < candidates.Count && (candidates[next].IsPatient || candidates[next].IsGang))
        {
            StandingGroup group = candidates[next++];
            if (group.IsGang)
                TakeFromYounger(group, effects);
            Serve(group, int.MaxValue, now, utc);
        }
        return next;
    }

    private void PackRanks(int first, Instant now, UtcTime utc)
    {
        Span<int> ranks = new int[candidates.Count];
        for (int i = first + 1; i < ranks.Length; i++)
        {
            bool same = candidates[i].Ad.Ad.Principal == candidates[i - 1].Ad.Ad.Principal;
            ranks[i] = !same ? 0 : Math.Min(ranks[i - 1] + (RankOf(candidates[i - 1], candidates[i]) == 0 ? 0 : 1), RanksMax);
        }
        for (int rank = 0; rank <= RanksMax; rank++)
        {
            items.Clear();
            packed.Clear();
            for (int i = first; i < ranks.Length; i++)
                if (ranks[i] == rank)
                    AddItem(candidates[i], now, utc);
            if (packed.Count == 1)
                Serve(packed[0], int.MaxValue, now, utc);
            else if (packed.Count > 1)
                PackTogether(now, utc);
        }
    }

    private void AddItem(StandingGroup group, Instant now, UtcTime utc)
    {
        if (assessor.Assess(group, int.MaxValue, now, utc, out Assessment a) is { } refusal)
        {
            Refuse(group, refusal);
            return;
        }
        packed.Add(group);
        bool isHigh = arbiter.Options.Pricing.Reserve.IsHighValue(group.Group.Bid, a.Ask);
        ulong order = arbiter.Quotas.OrderOf(group.Ad.Ad.Principal, Lottery.Draw(self, group.Ad.Ad.Scheduler, group.Group.Id));
        items.Add(new PackingItem(group.Group.Resources, a.Ask.MicroPerHour, Math.Max(a.Count, 1), order, isHigh));
    }

    private void PackTogether(Instant now, UtcTime utc)
    {
        ReadOnlySpan<int> chosen = packer.Pack(
            capacity.Free, arbiter.Options.Pricing.Reserve, CollectionsMarshal.AsSpan(items), PackingStrategy.Hybrid);
        for (int i = 0; i < packed.Count; i++)
            if (chosen[i] > 0)
                Serve(packed[i], chosen[i], now, utc);
        // What was not chosen may still be offered softly, or have a line behind what runs.
        for (int i = 0; i < packed.Count; i++)
            if (chosen[i] == 0)
                Serve(packed[i], int.MaxValue, now, utc);
    }

    private void Serve(StandingGroup group, int most, Instant now, UtcTime utc)
    {
        if (assessor.Assess(group, most, now, utc, out Assessment a) is { } refusal)
        {
            Refuse(group, refusal);
            return;
        }
        if (!a.IsFirm)
            assessor.TakeDecided(group, a.Count);
        var grants = new List<Grant>(a.IsFirm ? a.Count : 0);
        while (a.IsFirm && grants.Count < a.Count && capacity.TryTake(group.Group.Resources) is { } grant)
            grants.Add(grant);
        Invariant.Check(!a.IsFirm || grants.Count == a.Count);
        AnswerOf(group.Ad).Parts.Add(new HoldPart(group, Entry(group, a), grants));
    }

    private void Refuse(StandingGroup group, RefusalEntry refusal)
    {
        AnswerOf(group.Ad).Refusals.Add(refusal);
        if (Eligibility.IsFinal(refusal.Reason))
            arbiter.Standing.Close(group);
    }

    /// <summary>An older gang takes the holds of younger ones, the youngest first, if that makes room for a member.</summary>
    private void TakeFromYounger(StandingGroup gang, List<WorkerEffect> effects)
    {
        if (capacity.Free.Fits(gang.Group.Resources) || capacity.Owed > 0)
            return;
        List<Hold> younger = [.. arbiter.Holds.All.Where(hold =>
            hold.Parts.TrueForAll(part => part.Group.IsGang && part.Group.SubmittedAt > gang.SubmittedAt && part.Group.Key != gang.Key))
            .OrderByDescending(hold => hold.Parts[0].Group.SubmittedAt).ThenBy(hold => hold.Id)];
        ResourcePool pool = capacity.Free.Copy();
        int needed = 0;
        while (needed < younger.Count && !pool.Fits(gang.Group.Resources))
            foreach (HoldPart part in younger[needed++].Parts)
                part.Grants.ForEach(pool.Give);
        if (!pool.Fits(gang.Group.Resources))
            return;
        foreach (Hold hold in younger[..needed])
        {
            arbiter.Holds.Remove(hold);
            effects.Add(new WorkerEffect.Observe(new WorkerObservation.HoldTaken(hold.Id, gang.Ad.Ad.Id)));
        }
    }

    private OfferEntry Entry(StandingGroup group, Assessment a)
    {
        GroupRecord? here = groups.Find(group.Key);
        return new OfferEntry
        {
            Group = group.Group.Id,
            Count = a.Count,
            Backlog = a.Backlog,
            Ask = a.Ask,
            Firm = a.IsFirm,
            Start = a.Count == 0 && here is { Placed: > 0 } ? new TimeSpan(here.Mean.Ticks * (here.Waiting + 1) / here.Placed) : TimeSpan.Zero,
            Guaranteed = arbiter.Options.Guaranteed,
            Measured = here?.Median ?? TimeSpan.Zero,
        };
    }

    private void Send(StandingAd ad, Answer answer, Instant now, List<WorkerEffect> effects)
    {
        if (answer.Parts.Count > 0)
            SendOffer(ad, answer.Parts, now, effects);
        if (answer.Refusals.Count > 0 && !ad.IsRefused && Arbiter.RefusesAloud(ad))
            effects.Add(new WorkerEffect.Send(ad.From, new Refusal(ad.Ad.Id, [.. answer.Refusals.OrderBy(entry => entry.Group)])));
        ad.IsRefused = true;
    }

    private void SendOffer(StandingAd ad, List<HoldPart> parts, Instant now, List<WorkerEffect> effects)
    {
        TimeSpan rtt = ad.Scheduler.Rtt.Value;
        var length = new TimeSpan(Math.Min(ad.Ad.Window.Ticks, HoldTable.Longest.Ticks) + rtt.Ticks * 4 + 50 * TimeSpan.TicksPerMillisecond);
        length = length < HoldTable.Longest ? length : HoldTable.Longest;
        int tasks = parts.Sum(part => part.Entry.Count + part.Entry.Backlog);
        BundleDiscount discount = arbiter.Options.Pricing.Discount;
        bool isBundle = discount.Permille > 0 && tasks >= discount.Threshold;
        var hold = new Hold(new OfferId(random.NextUuid()), ad, arbiter.Quotas.UseOf(ad.Ad.Principal), now, now + length)
        {
            DiscountFrom = isBundle ? discount.Threshold : 0,
            DiscountPermille = isBundle ? discount.Permille : 0,
        };
        hold.Parts.AddRange(parts.OrderBy(part => part.Task.Id));
        arbiter.Holds.Add(hold);
        effects.Add(new WorkerEffect.Send(ad.From, new Offer
        {
            Id = hold.Id,
            Ad = ad.Ad.Id,
            Entries = [.. hold.Parts.Select(part => part.Entry)],
            Valid = length - rtt,
            DiscountFrom = hold.DiscountFrom,
            DiscountPermille = hold.DiscountPermille,
        }));
        effects.Add(new WorkerEffect.Observe(new WorkerObservation.Offered(
            hold.Id, ad.Ad.Id, parts.Sum(part => part.Grants.Count), parts.Sum(part => part.SoftCount), parts.Sum(part => part.Entry.Backlog))));
    }

    /// <summary>What this round has put into offers to a principal.</summary>
    private ResourceSum PromisedTo(Principal principal)
    {
        ResourceSum sum = default;
        foreach (StandingAd ad in touched)
            if (ad.Ad.Principal == principal)
                foreach (HoldPart part in answers[ad].Parts)
                    sum.Add(part.Task.Resources, part.Grants.Count);
        return sum;
    }

    /// <summary>What this round offers to the group's principal so far.</summary>
    private RoundUse InRound(StandingGroup group)
    {
        int offers = 0, tasks = 0;
        var held = new ResourceSum();
        foreach (StandingAd ad in touched)
        {
            if (ad.Ad.Principal != group.Ad.Ad.Principal || answers[ad].Parts.Count == 0)
                continue;
            offers += ad == group.Ad ? 0 : 1;
            foreach (HoldPart part in answers[ad].Parts)
            {
                tasks += part.Tasks;
                held.Add(part.Task.Resources, part.Entry.Count);
            }
        }
        return new RoundUse(offers, tasks, held);
    }

    private Answer AnswerOf(StandingAd ad)
    {
        Touch(ad);
        return answers[ad];
    }

    private void Touch(StandingAd ad)
    {
        if (!answers.TryAdd(ad, new Answer()))
            return;
        touched.Add(ad);
    }
}
