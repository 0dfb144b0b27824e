using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Market.Pricing;
using Drap.Core.Messages;

namespace Drap.Core.Market.Arbitration;

/// <summary>What would be offered on one group now: how many places, firm or soft, how long a line behind them, at what price; or why nothing is.</summary>
/// <param name="arbiter">Whose worker it is.</param>
/// <param name="capacity">What it has.</param>
/// <param name="executor">What it runs.</param>
/// <param name="groups">What is known of each group here.</param>
/// <param name="promisedTo">What the present round has put into offers to a principal.</param>
/// <param name="inRound">What it has put into offers to a group's principal.</param>
internal sealed class Assessor(Arbiter arbiter, Capacity capacity, Executor executor, GroupBook groups, Func<Principal, ResourceSum> promisedTo, Func<StandingGroup, RoundUse> inRound)
{
    /// <summary>The part of a worker that one principal may hold while another's ad stands: a quarter, in thousandths.</summary>
    private const int HoldsPermille = 250;

    private readonly Dictionary<StandingAd, ResourcePool> decided = [];
    private ResourcePool? unheld;

    /// <summary>A round begins: what was looked up in the one before is over.</summary>
    public void Begin()
    {
        decided.Clear();
        unheld = arbiter.Holds.HoldsAny ? arbiter.WithoutHolds() : capacity.Free.Copy();
    }

    /// <summary>Groups of one offer must fit together, also where nothing is held for them.</summary>
    public void TakeDecided(StandingGroup group, int count)
    {
        if (decided.TryGetValue(group.Ad, out ResourcePool? pool))
            for (int i = 0; i < count && pool.TryTake(group.Group.Resources) is not null; i++)
            {
            }
    }

    /// <summary>Whether something might be offered on a group that stands, at a glance.</summary>
    public bool IsWorthALook(StandingGroup group, Instant now)
    {
        if (group.IsGang)
            return true;
        if (arbiter.Reservation is not null && IsReservedAgainst(group, ExpectedTime(group), now) && KeptPlaces(group.Group) == 0)
            return false;
        return (executor.Placed < Executor.PlacedMax && capacity.Free.Fits(group.Group.Resources))
            || (arbiter.Holds.Count > 0 && !group.Group.FirmOnly) || WantsBacklog(group, 0, now) > 0;
    }

    /// <summary>What would be offered on a group now, or why nothing is.</summary>
    public RefusalEntry? Assess(StandingGroup group, int most, Instant now, UtcTime utc, out Assessment assessment)
    {
        assessment = default;
        TaskGroup task = group.Group;
        if (arbiter.Closed is { } closed)
            return closed with { Group = task.Id };
        if (Eligibility.Judge(task, group.Ad.Ad.Principal, arbiter.Options, capacity.Empty) is { } unfit)
            return unfit;
        if (IsSpent(group.Ad.Ad.Principal, utc))
            return Eligibility.Refuse(task, RefusalReason.Quota, "credit");
        if (arbiter.Quotas.RoomFor(group, inRound(group), out int places, out int tasks) is { } used)
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
        held.Add(promisedTo(principal));
        int room = held.RoomFor(group.Group.Resources, capacity.Empty.Total, HoldsPermille, count);
        return held.IsNothing ? Math.Max(room, 1) : room;
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
}

/// <summary>What would be offered.</summary>
/// <param name="Count">Places.</param>
/// <param name="Backlog">Places in line behind them.</param>
/// <param name="Ask">The price of each.</param>
/// <param name="IsFirm">Whether they are held.</param>
internal readonly record struct Assessment(int Count, int Backlog, Price Ask, bool IsFirm);
