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
internal sealed class Offering(Arbiter arbiter, PeerId self, Prng random, Capacity capacity, Executor executor, GroupBook groups)
{
    /// <summary>Groups that one round looks at closely beside new ads; in a saturated market a freed place finds a taker among the oldest.</summary>
    private const int CandidatesMax = 64;

    // Ranks within a principal that are told apart in one round; what ranks lower is packed together.
    private const int RanksMax = 8;

    /// <summary>The part of a worker that one principal may hold while another's ad stands: a quarter, in thousandths.</summary>
    private const int HoldsPermille = 250;

    private readonly WorkerPacker packer = new();
    private readonly List<StandingGroup> candidates = [];
    private readonly List<StandingAd> touched = [];
    private readonly List<PackingItem> items = [];
    private readonly List<StandingGroup> packed = [];
    private readonly Dictionary<StandingAd, Answer> answers = [];
    private readonly Dictionary<StandingAd, ResourcePool> decided = [];
    private ResourcePool? unheld;

    private sealed class Answer
    {
        public readonly List<HoldPart> Parts = [];
        public readonly List<RefusalEntry> Refusals = [];
    }

    /// <summary>Makes the offers that can be made now, and the first answers to new ads.</summary>
    public void Run(Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        Collect(now);
        unheld = candidates.Count == 0 ? null : WithoutHolds();
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
        decided.Clear();
    }

    /// <summary>Answers an ad that only asks for quotes: nothing is held, nothing is kept.</summary>
    public void Quote(StandingAd ad, Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        unheld = WithoutHolds();
        var entries = ImmutableArray.CreateBuilder<OfferEntry>();
        var refusals = ImmutableArray.CreateBuilder<RefusalEntry>();
        foreach (StandingGroup group in ad.Groups)
        {
            if (Assess(group, int.MaxValue, now, utc, out Assessment a) is { } refusal)
                refusals.Add(refusal);
            else
                entries.Add(Entry(group, a with { IsFirm = false }));
        }
        decided.Clear();
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
                if (!isNew && arbiter.Reservation?.Group != group && (old >= CandidatesMax || !IsWorthALook(group, now)))
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

    private bool IsWorthALook(StandingGroup group, Instant now)
    {
        if (group.IsGang)
            return true;
        if (arbiter.Reservation is not null && IsReservedAgainst(group, ExpectedTime(group), now) && KeptPlaces(group.Group) == 0)
            return false;
        return (executor.Placed < Executor.PlacedMax && capacity.Free.Fits(group.Group.Resources))
            || (arbiter.Holds.Count > 0 && !group.Group.FirmOnly) || WantsBacklog(group, 0, now) > 0;
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
        if (Assess(group, int.MaxValue, now, utc, out Assessment a) is { } refusal)
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
        if (Assess(group, most, now, utc, out Assessment a) is { } refusal)
        {
            Refuse(group, refusal);
            return;
        }
        // Groups of one offer must fit together, also where nothing is held for them.
        if (!a.IsFirm && decided.TryGetValue(group.Ad, out ResourcePool? pool))
            for (int i = 0; i < a.Count && pool.TryTake(group.Group.Resources) is not null; i++)
            {
            }
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

    /// <summary>What would be offered on a group now, or why nothing is.</summary>
    private RefusalEntry? Assess(StandingGroup group, int most, Instant now, UtcTime utc, out Assessment assessment)
    {
        assessment = default;
        TaskGroup task = group.Group;
        if (arbiter.Closed is { } closed)
            return closed with { Group = task.Id };
        if (Eligibility.Judge(task, group.Ad.Ad.Principal, arbiter.Options, capacity.Empty) is { } unfit)
            return unfit;
        if (IsSpent(group.Ad.Ad.Principal, utc))
            return Eligibility.Refuse(task, RefusalReason.Quota, "credit");
        if (arbiter.Quotas.RoomFor(group, InRound(group), out int places, out int tasks) is { } used)
            return Eligibility.Refuse(task, RefusalReason.Quota, used);
        most = Math.Min(most, places);
        TimeSpan expected = ExpectedTime(group);
        if (now + expected > group.Deadline || now >= group.Deadline)
            return Eligibility.Refuse(task, RefusalReason.Deadline);
        if (now + expected > arbiter.EndsAt)
            return Eligibility.Refuse(task, RefusalReason.Draining, "the node ends too soon for its estimate");
        if (IsReservedAgainst(group, expected, now))
            most = Math.Min(most, KeptPlaces(task));
        if (most == 0)
            return Eligibility.Refuse(task, RefusalReason.Reserved);
        int wanted = Wanted(group, most);
        bool onlyFirm = task.FirmOnly || group.IsGang;
        bool isSeldom = arbiter.Quotas.IsSeldom(group.Ad.Ad.Principal);
        bool isFirm = onlyFirm || !isSeldom;
        // Who seldom confirms gets soft offers; where only a firm one is of use, one place.
        int count = Free(group, onlyFirm && isSeldom ? Math.Min(wanted, 1) : wanted, utc);
        if (count > 0 && isFirm)
            count = Fair(group, count);
        if (count == 0 && !onlyFirm)
        {
            count = Math.Max(Decided(group, wanted, utc), Overbooked(group, wanted, utc));
            isFirm = false;
        }
        // Whether it fits comes before what it costs: a full worker's price is no evidence that a higher bid would help.
        if (count == 0 && WantsBacklog(group, 0, now) == 0)
        {
            // What is free and not given is kept: for a device's own work, for better payers, for other principals.
            ImmutableArray<Shortage> shortages = Eligibility.Cut(capacity.Free.Shortages(task.Resources));
            return new RefusalEntry(task.Id, shortages.IsEmpty ? RefusalReason.Reserved : RefusalReason.Busy, shortages, Price.Zero, "");
        }
        BidAnswer answer = count > 0 ? Ask(group, ref count, utc) : arbiter.Pricer.Answer(task.Bid, groups.Find(group.Key)!.Ask);
        if (answer.Kind == BidAnswerKind.Refusal)
            return Eligibility.Refuse(task, RefusalReason.Price, ask: answer.Price);
        int backlog = Math.Clamp(Math.Min(group.Remaining, tasks) - count, 0, WantsBacklog(group, count, now));
        assessment = new Assessment(count, backlog, answer.Price, isFirm && count > 0);
        return null;
    }

    /// <summary>Places that the group wants here, whatever is free.</summary>
    private int Wanted(StandingGroup group, int most)
    {
        TaskGroup task = group.Group;
        int wanted = Math.Min(Math.Min(group.Remaining, most), Confirm.TasksMax);
        wanted = Math.Min(wanted, Executor.PlacedMax - executor.Placed);
        if (arbiter.Holds.Count >= HoldTable.HoldsMax || capacity.Owed > 0)
            return 0;
        if (task.PerWorkerMax > 0)
        {
            GroupRecord? here = groups.Find(group.Key);
            wanted = Math.Min(wanted, task.PerWorkerMax - (here is null ? 0 : here.Placed + here.Waiting));
        }
        return Math.Max(wanted, 0);
    }

    /// <summary>How many fit beside what the reserve keeps. Whether it keeps its share from this group is decided by the ask for one.</summary>
    private int Free(StandingGroup group, int wanted, UtcTime utc) =>
        Room.For(capacity.Free, group.Group.Resources, KeptFrom(group, capacity.Free, utc), wanted);

    private Kept KeptFrom(StandingGroup group, ResourcePool free, UtcTime utc)
    {
        Reserve reserve = arbiter.Options.Pricing.Reserve;
        bool isHigh = reserve.SharePermille > 0 && reserve.IsHighValue(group.Group.Bid, AskFor(group, 1, utc));
        return reserve.KeptFrom(free, isHigh, group.Group.Resources.Gpu is not null);
    }

    /// <summary>While another principal's ad stands here, one principal holds at most a quarter of the worker, and always one task.</summary>
    private int Fair(StandingGroup group, int count)
    {
        Principal principal = group.Ad.Ad.Principal;
        if (!arbiter.Standing.HasOther(principal))
            return count;
        ResourceSum held = arbiter.Holds.HeldBy(principal);
        foreach (StandingAd ad in touched)
            if (ad.Ad.Principal == principal)
                foreach (HoldPart part in answers[ad].Parts)
                    held.Add(part.Task.Resources, part.Grants.Count);
        int room = held.RoomFor(group.Group.Resources, capacity.Empty.Total, HoldsPermille, count);
        return held.IsNothing ? Math.Max(room, 1) : room;
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

    /// <summary>
    /// Places that are held for offers to this very scheduler on older ads. It has decided on those, so a scheduler that places one task
    /// after another finds its losers' places again at once, not when their holds lapse.
    /// </summary>
    private int Decided(StandingGroup group, int wanted, UtcTime utc)
    {
        if (wanted == 0 || !arbiter.Holds.HoldsAny)
            return 0;
        if (!decided.TryGetValue(group.Ad, out ResourcePool? pool))
        {
            decided[group.Ad] = pool = capacity.Free.Copy();
            foreach (Hold hold in arbiter.Holds.All)
                if (hold.IsDecidedBy(group.Ad))
                    foreach (HoldPart part in hold.Parts)
                        part.Grants.ForEach(pool.Give);
        }
        return Room.For(pool, group.Group.Resources, KeptFrom(group, pool, utc), wanted);
    }

    /// <summary>Places that others hold but, going by what was learnt, will mostly not take.</summary>
    private int Overbooked(StandingGroup group, int wanted, UtcTime utc)
    {
        if (wanted == 0 || !arbiter.Holds.HoldsAny)
            return 0;
        int places = Room.For(unheld!, group.Group.Resources, KeptFrom(group, unheld!, utc), wanted);
        return Math.Clamp(arbiter.Overbooking.SoftOffers(places) - arbiter.Holds.SoftPlaces, 0, Math.Min(wanted, places));
    }

    /// <summary>The most that can be offered within the bid, halving; else within the counter margin; the count is 0 if nothing can.</summary>
    private BidAnswer Ask(StandingGroup group, ref int count, UtcTime utc)
    {
        Price bid = group.Group.Bid;
        BidAnswer counter = default;
        int countered = 0;
        for (int n = Math.Max(count, 1); n > 0; n /= 2)
        {
            BidAnswer answer = arbiter.Pricer.Answer(bid, AskFor(group, n, utc));
            if (answer.Kind == BidAnswerKind.Offer)
            {
                count = Math.Min(count, n);
                return answer;
            }
            if (answer.Kind == BidAnswerKind.Counter && countered == 0)
                (counter, countered) = (answer, n);
            if (n == 1 && countered == 0)
                return answer;
        }
        count = Math.Min(count, countered);
        return counter;
    }

    private Price AskFor(StandingGroup group, int count, UtcTime utc)
    {
        ResourceRequest request = group.Group.Resources;
        PriceBreakdown quote = arbiter.Pricer.Quote(unheld!, [new BundlePart(request, count)], utc);
        // The bundle's discount is a term of the offer, not of the price: it holds only if so many are taken.
        return (quote with { Discount = Factor.One }).AskFor(arbiter.Options.Pricing.Table.BaseOf(request, capacity.Empty.Total));
    }

    private int WantsBacklog(StandingGroup group, int offered, Instant now)
    {
        TaskGroup task = group.Group;
        if (task.FirmOnly || group.IsGang || task.PerWorkerMax > 0 || groups.Find(group.Key) is not { IsMeasured: true } here)
            return 0;
        int target = Backlog.For(here.Mean, here.IsMeasured, here.Placed + offered);
        int missing = Math.Min(target - here.Waiting, Executor.WaitingMax - executor.Waiting);
        // A line is no longer than what the places of the group get through before the node ends.
        if (arbiter.EndsAt != Instant.Never && here.Mean > TimeSpan.Zero)
            missing = (int)Math.Min(missing, (arbiter.EndsAt - now).Ticks / here.Mean.Ticks * (here.Placed + offered) - here.Waiting);
        // Half empty, or with an offer that goes out anyway: else each end would make one.
        return missing > 0 && (offered > 0 || here.Waiting <= Math.Min(target, group.Filled) / 2) ? Math.Min(missing, Confirm.TasksMax - offered) : 0;
    }

    private TimeSpan ExpectedTime(StandingGroup group) =>
        groups.Find(group.Key) is { IsMeasured: true } here ? here.Mean : group.Group.Estimate;

    private bool IsReservedAgainst(StandingGroup group, TimeSpan expected, Instant now) =>
        arbiter.Reservation is { } reservation && reservation.Group != group && reservation.Group.Hold is null
        && (expected == TimeSpan.Zero || now + expected > reservation.FitsAt);

    /// <summary>Places that are the devices' own: whoever waits for the worker without wanting one would not get them anyway.</summary>
    private int KeptPlaces(TaskGroup task)
    {
        bool isTheirs = task.Resources.Gpu is not null && arbiter.Reservation!.Group.Group.Resources.Gpu is null;
        return isTheirs ? arbiter.Options.Pricing.Reserve.KeptPlaces(capacity.Free, task.Resources) : 0;
    }

    /// <summary>At the end of its credit line a principal gets only what nobody else wants.</summary>
    private bool IsSpent(Principal principal, UtcTime utc) =>
        arbiter.Credit is { } credit && (credit.Of(principal, utc)?.IsSpent ?? true) && arbiter.Standing.HasOther(principal);

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

    private ResourcePool WithoutHolds() => arbiter.Holds.HoldsAny ? arbiter.WithoutHolds() : capacity.Free.Copy();

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

    /// <summary>What would be offered.</summary>
    /// <param name="Count">Places.</param>
    /// <param name="Backlog">Places in line behind them.</param>
    /// <param name="Ask">The price of each.</param>
    /// <param name="IsFirm">Whether they are held.</param>
    private readonly record struct Assessment(int Count, int Backlog, Price Ask, bool IsFirm);
}
