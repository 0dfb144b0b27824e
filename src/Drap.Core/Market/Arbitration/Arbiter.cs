using Drap.Core.Execution;
using Drap.Core.Leases;
using Drap.Core.Market.Pricing;
using Drap.Core.Messages;
using Drap.Core.Nodes;

namespace Drap.Core.Market.Arbitration;

/// <summary>
/// A worker's market side: keeps the ads that stand, answers them at once or after a short window, and offers again when something
/// frees. What it offers firmly is held until it is confirmed or lapses. Not thread-safe.
/// </summary>
internal sealed class Arbiter
{
    /// <summary>Audiences up to this size hear every refusal; in larger ones about <see cref="RefusalsWanted"/> workers refuse aloud.</summary>
    public const int ExplicitAudienceMax = 32;

    private const int RefusalsWanted = 8;

    // After an offer that nobody took the place is most likely taken elsewhere: one more try tells (it is closed then), and few others.
    private static readonly TimeSpan PatienceFirst = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan PatienceFirstOfGangInCrowd = TimeSpan.FromSeconds(4);
    private static readonly TimeSpan PatienceLongest = TimeSpan.FromSeconds(16);

    private readonly PeerId self;
    private readonly Capacity capacity;
    private readonly LeaseTable leases;
    private readonly Executor executor;
    private readonly Demand demand = new();
    private readonly Offering offering;
    private readonly List<Hold> lapsed = [];
    private readonly LapsedHolds late = new();
    private Instant windowEnds = Instant.Never;
    private Instant reofferAt = Instant.Never;
    private bool isDirty;

    public Arbiter(
        PeerId self, WorkerOptions options, Prng random, Capacity capacity, LeaseTable leases, Executor executor, GroupBook groups, PrincipalBook principals)
    {
        this.self = self;
        this.capacity = capacity;
        this.leases = leases;
        this.executor = executor;
        Options = options;
        Pricer = new Pricer(options.Pricing);
        Holds = new HoldTable(capacity, principals);
        Quotas = new Quotas(this, capacity, principals);
        offering = new Offering(this, self, random, capacity, executor, groups);
    }

    public WorkerOptions Options { get; private set; }

    public Pricer Pricer { get; }

    public Overbooking Overbooking { get; } = new();

    public StandingAds Standing { get; } = new();

    public HoldTable Holds { get; }

    public Quotas Quotas { get; }

    /// <summary>The patient task that the worker is kept for; null if none.</summary>
    public Reservation? Reservation { get; set; }

    /// <summary>Why nothing is offered at all; null if it is.</summary>
    public RefusalEntry? Closed { get; set; }

    /// <summary>When the node itself ends: what is thought to run longer is not offered for. Never if it is to stay.</summary>
    public Instant EndsAt { get; set; } = Instant.Never;

    /// <summary>Credit lines of principals; null without.</summary>
    public CreditLines? Credit { get; private set; }

    public Instant NextDeadline => Instant.Min(
        Instant.Min(Holds.NextDeadline, Reservation is null ? Standing.NextWake : Standing.NextDeadline), Instant.Min(windowEnds, reofferAt));

    /// <summary>Something was freed, or changed otherwise: look at the standing ads with the next flush.</summary>
    public void Wake() => isDirty = true;

    /// <summary>New options; who shrinks or grows has given up its holds before.</summary>
    public void Configure(WorkerOptions options)
    {
        Options = options;
        Credit = CreditUnder(options);
        Pricer.Options = options.Pricing;
        Reservation = null;
        executor.BackfillUntil = Instant.Never;
        isDirty = true;
    }

    /// <summary>The lines under the owner's terms now; what was used of them stays used. His own principal's has no end.</summary>
    private CreditLines? CreditUnder(WorkerOptions options)
    {
        if (options.Credit is not { } terms)
            return null;
        CreditLines lines = Credit ?? new CreditLines(terms);
        lines.Change(terms, options.CreditOf.SetItem(options.Sandbox.Owner, CreditTerms.Unlimited));
        return lines;
    }

    /// <summary>An ad came that was not heard before, in the scheduler's epoch.</summary>
    public void OnAd(PeerId from, Ad ad, KnownScheduler scheduler, Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        ulong draw = Lottery.Draw(self, ad.Id);
        if (!ad.QuoteOnly && Reservation is null && Lottery.Permille(draw) >= ad.AnswerPermille && !ad.Groups.Any(group => group.Patient))
        {
            Standing.CloseOlder(ad);
            return;
        }
        TimeSpan stands = ad.Stands <= TimeSpan.Zero ? StandingAds.StandsDefault : ad.Stands;
        var standing = new StandingAd(ad, scheduler, from, draw, now)
        {
            Expires = now + (stands < StandingAds.StandsMax ? stands : StandingAds.StandsMax),
        };
        if (ad.QuoteOnly)
        {
            offering.Quote(standing, now, utc, effects);
            return;
        }
        if (Standing.Find(ad.Id) is not null)
            return;
        Standing.Add(standing);
        if (Reservation is { Group.IsOpen: false } && Standing.Find(Reservation.Group.Key) is { IsPatient: true } newer)
            Reservation.Group = newer;
        ForgetReservation();
        Skip(standing);
        OpenWindow(ad, now);
        isDirty = true;
    }

    /// <summary>The scheduler wants no more of an ad, or of groups of it; what is held for them is free.</summary>
    public void OnClosed(PeerId from, Closed closed)
    {
        foreach (Hold hold in Holds.All.Where(hold => hold.Ad == closed.Ad && hold.To == from).ToArray())
        {
            foreach (HoldPart part in hold.Parts.ToArray())
                if (closed.Groups.IsEmpty || closed.Groups.Contains(part.Task.Id))
                    Settle(hold, part);
        }
        if (Standing.Find(closed.Ad) is not { } ad || ad.From != from)
            return;
        foreach (StandingGroup group in ad.Groups)
            if (closed.Groups.IsEmpty || closed.Groups.Contains(group.Group.Id))
                Standing.Close(group);
        Standing.RemoveEmpty();
        ForgetReservation();
        isDirty = true;
    }

    /// <summary>A gang needs its holds for longer: granted once, for as long as the longest hold at most.</summary>
    public void OnExtend(PeerId from, Extend extend, Instant now)
    {
        if (!Holds.TryGet(extend.Offer, out Hold? hold) || hold.To != from || hold.IsExtended || !hold.Parts.TrueForAll(p => p.Task.GangSize > 0))
            return;
        hold.IsExtended = true;
        TimeSpan granted = extend.For < HoldTable.Longest ? extend.For : HoldTable.Longest;
        hold.Expires = Instant.Max(hold.Expires, now + granted);
    }

    /// <summary>
    /// An offer was confirmed: what it did not take is free. A group of which less was taken than was offered is not offered on at once, since
    /// its scheduler has what it wants; until one of its tasks ends here.
    /// </summary>
    public void OnConfirmed(Hold hold, Instant now)
    {
        Learn(hold, won: true);
        // What the scheduler's window took is no part of the round trip; better is what was measured below the market.
        TimeSpan answered = now - hold.MadeAt - hold.Window;
        if (!hold.Scheduler.IsRttMeasured)
            hold.Scheduler.Rtt.Observe(answered > TimeSpan.Zero ? answered : TimeSpan.Zero);
        foreach (HoldPart part in hold.Parts)
            if (part.Taken >= part.Entry.Count + part.Entry.Backlog)
                Answered(part.Group);
            else
                BackOff(part.Group, now);
        GiveBack(hold);
    }

    /// <summary>A confirmation came for an offer that is not out: if that had lapsed, its scheduler is farther than was believed, and the next hold is longer.</summary>
    public void OnLate(OfferId offer, KnownScheduler scheduler, Instant now)
    {
        if (late.Answered(offer, scheduler, now) is { } answered && !scheduler.IsRttMeasured)
            scheduler.Rtt.Observe(answered);
    }

    /// <summary>A confirmation did not keep to its offer: what was held is free, and its scheduler waits for the next offer as after a lapse.</summary>
    public void OnBroken(Hold hold, Instant now)
    {
        foreach (HoldPart part in hold.Parts)
            BackOff(part.Group, now);
        GiveBack(hold);
    }

    /// <summary>A task of a group ended here: the group's next ones may have its place without a new ad.</summary>
    public void OnEnded(GroupKey key)
    {
        if (Standing.Find(key) is { } group)
            (group.NotBefore, group.Backoff) = (Instant.Zero, TimeSpan.Zero);
        isDirty = true;
    }

    /// <summary>Gives up all offers: their confirmations will find them gone.</summary>
    public void GiveUpHolds()
    {
        foreach (Hold hold in Holds.All.ToArray())
            Holds.Remove(hold);
        isDirty = true;
    }

    /// <summary>Lets lapse what nobody confirmed, and forgets what is old.</summary>
    public void RunDue(Instant now, List<WorkerEffect> effects)
    {
        Holds.CollectDue(now, lapsed);
        foreach (Hold hold in lapsed)
        {
            Learn(hold, won: false);
            foreach (HoldPart part in hold.Parts)
                BackOff(part.Group, now);
            Holds.Remove(hold);
            late.Add(hold);
            effects.Add(new WorkerEffect.Observe(new WorkerObservation.HoldLapsed(hold.Id)));
            isDirty = true;
        }
        lapsed.Clear();
        if (now >= Standing.NextDeadline)
        {
            isDirty |= now >= Standing.NextWake;
            Standing.RunDue(now);
            ForgetReservation();
        }
        if (now >= windowEnds)
        {
            windowEnds = Instant.Never;
            isDirty = true;
        }
        if (now >= reofferAt)
        {
            reofferAt = Instant.Never;
            isDirty = true;
        }
    }

    /// <summary>Offers what can be offered, unless a window is open.</summary>
    public void Flush(Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        ForgetReservation();
        if (!isDirty || (now < windowEnds && windowEnds != Instant.Never && Closed is null))
            return;
        isDirty = false;
        if (Closed is null && capacity.Owed == 0)
            UpdateReservation(now);
        offering.Run(now, utc, effects);
        ForgetReservation();
        // Once its place is held for it, nothing else needs to wait.
        executor.BackfillUntil = Reservation is { Group.Hold: null } reserved ? reserved.FitsAt : Instant.Never;
        reofferAt = NextTurn(now);
    }

    public static bool RefusesAloud(StandingAd ad) =>
        ad.Ad.Audience <= ExplicitAudienceMax || Math.BigMul(ad.Draw, (ulong)ad.Ad.Audience, out _) < RefusalsWanted;

    public void CheckInvariants()
    {
        Standing.CheckInvariants();
        Holds.CheckInvariants();
        Overbooking.CheckInvariants();
        Invariant.Check(Reservation is null || Reservation.Group.IsOpen || Reservation.Group.Hold is not null);
    }

    /// <summary>
    /// In a crowd only a drawn part answers; the others keep silent until a newer ad names the group again, with a greater chance: who
    /// answered uncalled could not know that the place is long taken, and most would ask in vain. Nor do they keep the ad, but for what is patient.
    /// </summary>
    private static void Skip(StandingAd ad)
    {
        if (Lottery.Permille(ad.Draw) < ad.Ad.AnswerPermille)
            return;
        ad.IsAnswered = true;
        foreach (StandingGroup group in ad.Groups)
            group.NotBefore = ad.Expires;
    }

    /// <summary>
    /// Answers at once when nothing is buffered and the demand of the last 50 ms fits, or there is nothing else to choose from; else gathers
    /// for at most 50 ms, and for at most half of the time in which the scheduler gathers answers.
    /// </summary>
    private void OpenWindow(Ad ad, Instant now)
    {
        var sum = new ResourceSum();
        foreach (TaskGroup group in ad.Groups)
            if (Eligibility.Judge(group, ad.Principal, Options, capacity.Empty) is null)
                sum.Add(group.Resources, group.Count);
        if (sum.IsNothing || Closed is not null)
            return;
        demand.Add(ad.Scheduler, sum, now);
        if (windowEnds == Instant.Never && (!demand.HasRivals || demand.Fits(capacity.Free)))
            return;
        TimeSpan window = ad.Window > TimeSpan.Zero ? new TimeSpan(Math.Min(ad.Window.Ticks / 2, Demand.Window.Ticks)) : Demand.Window;
        windowEnds = Instant.Min(windowEnds, now + window);
    }

    /// <summary>
    /// A soft offer was confirmed and its place is not free: gives up the oldest offer to the same scheduler on an older ad. The link keeps
    /// order, so had it won, its confirmation would have come first. False if there is none.
    /// </summary>
    public bool GiveUpOlder(Hold confirmed, Instant now)
    {
        foreach (Hold hold in Holds.All)
        {
            if (hold.MadeAt > confirmed.MadeAt || !hold.IsDecidedBy(confirmed.Parts[0].Group.Ad))
                continue;
            Learn(hold, won: false);
            foreach (HoldPart part in hold.Parts)
                BackOff(part.Group, now);
            Holds.Remove(hold);
            return true;
        }
        return false;
    }

    private void GiveBack(Hold hold)
    {
        Holds.Remove(hold);
        Standing.RemoveEmpty();
        ForgetReservation();
        isDirty = true;
    }

    /// <summary>One group of an offer is settled by the scheduler's word.</summary>
    private void Settle(Hold hold, HoldPart part)
    {
        Learn(hold, won: false);
        hold.Closed.Add(part.Task.Id);
        Holds.Remove(hold, part);
    }

    private void Learn(Hold hold, bool won)
    {
        Overbooking.ObserveOffer(won);
        Pricer.Market.ObserveOwn(won);
        hold.Use.Wins.Observe(hold.Rivals, won);
        hold.Use.Missed = won ? 0 : Math.Min(hold.Use.Missed + 1000 / hold.Rivals, Quotas.MissedMax);
    }

    private void BackOff(StandingGroup group, Instant now)
    {
        bool isCrowd = group.Ad.Ad.Audience > ExplicitAudienceMax;
        TimeSpan first = isCrowd ? PatienceFirstOfGangInCrowd : PatienceFirst;
        TimeSpan next = group.Backoff == TimeSpan.Zero ? first : new TimeSpan(group.Backoff.Ticks * 4);
        Answered(group);
        group.Backoff = next < PatienceLongest ? next : PatienceLongest;
        // In a crowd somebody else has the place. If not, a newer ad says so; only a gang needs offers of many at one time.
        group.NotBefore = isCrowd && !group.IsGang ? Instant.Max(now, group.Ad.Expires) : now + group.Backoff;
    }

    /// <summary>The scheduler took its place, or let it go: the worker is kept for the group no longer.</summary>
    private void Answered(StandingGroup group)
    {
        group.Backoff = TimeSpan.Zero;
        group.IsPatient = false;
        if (Reservation?.Group == group)
            EndReservation();
    }

    private void UpdateReservation(Instant now)
    {
        if (Reservation is null && Patient(now) is { } group)
            Reservation = new Reservation(group, now);
        if (Reservation is null)
            return;
        Reservation.Update(Holds.HoldsAny ? WithoutHolds() : capacity.Free, Options.Pricing.Reserve, leases, now);
    }

    /// <summary>The oldest patient group that would fit an empty node and does not fit now.</summary>
    private StandingGroup? Patient(Instant now)
    {
        if (Standing.Patient == 0)
            return null;
        foreach (StandingAd ad in Standing.Ads)
            foreach (StandingGroup group in ad.Groups)
                if (group.IsOpen && group.IsPatient && group.Hold is null && group.NotBefore <= now
                    && !Options.Pricing.Reserve.Lets(capacity.Free, group.Group.Resources)
                    && Eligibility.Judge(group.Group, ad.Ad.Principal, Options, capacity.Empty) is null)
                    return group;
        return null;
    }

    /// <summary>A reservation ends with its ad; a newer ad of the same group keeps it.</summary>
    private void ForgetReservation()
    {
        if (Reservation is null || Reservation.Group.IsOpen || Reservation.Group.Hold is not null)
            return;
        EndReservation();
    }

    private void EndReservation()
    {
        Reservation = null;
        executor.BackfillUntil = Instant.Never;
        isDirty = true;
    }

    /// <summary>What would be free if no offer were out: what prices and reservations are reckoned from.</summary>
    public ResourcePool WithoutHolds()
    {
        ResourcePool pool = capacity.Free.Copy();
        foreach (Grant grant in Holds.Grants)
            pool.Give(grant);
        return pool;
    }

    private Instant NextTurn(Instant now)
    {
        Instant next = Instant.Never;
        foreach (StandingAd ad in Standing.Ads)
        {
            // What waits for the ad's end is not looked at then, but gone.
            if (ad.NextLook > now)
            {
                next = ad.NextLook < ad.Expires ? Instant.Min(next, ad.NextLook) : next;
                continue;
            }
            foreach (StandingGroup group in ad.Groups)
                if (group.IsOpen && group.Hold is null && group.NotBefore > now && group.NotBefore < ad.Expires)
                    next = Instant.Min(next, group.NotBefore);
        }
        return next;
    }
}
