using System.Collections.Immutable;
using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>One decision over the offers that lie before the scheduler: which of them win how much.</summary>
internal sealed class AllocationRound(Allocator allocator, Instant now, List<AllocatorEffect> effects)
{
    private sealed class Candidate(HeldOffer held, OfferEntry entry, ExpectedCost cost)
    {
        public HeldOffer Held { get; } = held;

        public OfferEntry Entry { get; } = entry;

        public ExpectedCost Cost { get; } = cost;

        public int Won { get; set; }
    }

    private readonly Dictionary<OfferId, List<Candidate>> wins = [];
    private readonly List<HeldOffer> winners = [];

    public void Decide(List<HeldOffer> offers)
    {
        var byGroup = new SortedDictionary<int, List<Candidate>>();
        var closed = new List<(HeldOffer Held, List<int> Groups)>();
        foreach (HeldOffer held in offers)
        {
            if (held.Ad is null || now >= held.Ad.StandsUntil)
            {
                effects.Add(new AllocatorEffect.Close(held.Worker, new Closed(held.Offer.Ad, [])));
                continue;
            }
            List<int>? over = null;
            foreach (OfferEntry entry in held.Offer.Entries)
            {
                if (allocator.Group(entry.Group) is not { } group || allocator.Demand.Pending(entry.Group) == 0)
                {
                    (over ??= []).Add(entry.Group);
                    continue;
                }
                if (Verdict(group, held, entry) is { } no)
                {
                    Allocator.Note(group, new GroupAnswer(held.Worker, now, entry, null, no));
                    continue;
                }
                if (!byGroup.TryGetValue(entry.Group, out List<Candidate>? list))
                    byGroup[entry.Group] = list = [];
                list.Add(new Candidate(held, entry, group.CostOf(held.Worker, entry, Trust(held.Worker))));
            }
            if (over is not null)
                closed.Add((held, over));
        }
        foreach (AllocationGroup group in byGroup.Keys.Select(id => allocator.Group(id)!)
            .OrderByDescending(g => g.Terms.Priority).ThenBy(g => g.Terms.Submitted).ThenBy(g => g.Id))
        {
            if (group.Terms.GangSize > 0)
                DecideGang(group, byGroup[group.Id]);
            else
                DecideGroup(group, byGroup[group.Id]);
        }
        foreach (HeldOffer held in winners)
            effects.Add(AwardOf(held));
        foreach ((HeldOffer held, List<int> over) in closed)
            CloseOrSpare(held, over);
    }

    /// <summary>Why an entry cannot win at all; null if it can.</summary>
    private string? Verdict(AllocationGroup group, HeldOffer held, OfferEntry entry)
    {
        if (now >= held.ValidUntil)
            return "the offer was over when it was looked at";
        if (allocator.Standing(held.Worker).Owns is { } owns && owns.CopiesMax(group.Terms.Resources) is var most && entry.Count > most)
        {
            allocator.Doubt(held.Worker);
            return most == 0 ? "is smaller than the task, by what it says of itself" : $"has room for {most} at most, by what it says of itself";
        }
        if (entry.Ask > group.Terms.Limit)
            return $"asks {entry.Ask}, above the limit";
        if (allocator.BackedOff(held.Worker, now) is { } back)
            return $"kept away for {(back.Until - now).TotalSeconds:0} s: {back.Reason}";
        if ((group.Terms.FirmOnly || group.Terms.GangSize > 0) && !entry.Firm)
            return "only firm offers are taken";
        if (group.Terms.Deadline != Instant.Never && now + entry.Start > group.Terms.Deadline)
            return "could not begin before the deadline";
        return null;
    }

    private void DecideGroup(AllocationGroup group, List<Candidate> candidates)
    {
        candidates.Sort(Compare);
        int pending = allocator.Demand.Pending(group.Id);
        foreach (Candidate candidate in candidates)
            pending -= Give(group, candidate, Math.Min(candidate.Entry.Count, pending));
        // Lines are filled only with what no free place wants, and each worker gets at most its share of half of what is left, so that
        // the last tasks are not all in one line (guided self-scheduling, Polychronopoulos and Kuck 1987); but at least what a worker is busy
        // with until it could be given more.
        // Who has served it counts, though nothing of it be there just now: two whose first tasks end at once would else get nearly all and nearly nothing.
        int workers = group.Workers.Count;
        foreach (Candidate candidate in candidates)
            workers += group.Workers.ContainsKey(candidate.Held.Worker) ? 0 : 1;
        int share = Math.Max(group.LineLeast, pending / (2 * workers));
        foreach (Candidate candidate in candidates)
            if (candidate.Entry.Backlog > 0)
                pending -= Give(group, candidate, Math.Min(candidate.Entry.Backlog, share));
    }

    private int Give(AllocationGroup group, Candidate candidate, int count)
    {
        PeerId worker = candidate.Held.Worker;
        // Taken, but not in this round of plain groups: a gang has it.
        if (count <= 0 || (candidate.Held.IsTaken && !wins.ContainsKey(candidate.Held.Offer.Id)))
            return 0;
        group.Workers.TryGetValue(worker, out GroupWorker? part);
        int live = (part?.Live ?? 0) + candidate.Won;
        if (live == 0 && group.Terms.WorkersMax > 0 && group.ActiveWorkers + newWorkers >= group.Terms.WorkersMax)
            return 0;
        if (group.Terms.PerWorkerMax > 0)
            count = Math.Min(count, group.Terms.PerWorkerMax - live);
        count = Math.Min(count, allocator.Demand.PendingFor(group.Id, worker) - candidate.Won);
        if (count <= 0)
            return 0;
        if (live == 0)
            newWorkers++;
        candidate.Won += count;
        if (!wins.TryGetValue(candidate.Held.Offer.Id, out List<Candidate>? won))
        {
            wins[candidate.Held.Offer.Id] = won = [];
            winners.Add(candidate.Held);
            candidate.Held.IsTaken = true;
        }
        if (!won.Contains(candidate))
            won.Add(candidate);
        allocator.Fed(group, count, now);
        return count;
    }

    private int newWorkers;

    /// <summary>Gathers firm offers until they make up the whole gang; until then asks once for each to be held longer.</summary>
    private void DecideGang(AllocationGroup group, List<Candidate> candidates)
    {
        group.GangOffers.RemoveAll(o => now >= o.ValidUntil || candidates.Any(c => c.Held.Worker == o.Worker));
        group.GangOffers.AddRange(candidates.Select(c => c.Held));
        group.GangOffers.RemoveAll(o => o.IsTaken);
        var members = group.GangOffers
            .Select(h => (Held: h, Entry: h.Offer.Entries.First(e => e.Group == group.Id)))
            .Select(m => new Candidate(m.Held, m.Entry, group.CostOf(m.Held.Worker, m.Entry, Trust(m.Held.Worker))))
            .ToList();
        members.Sort(Compare);
        int wanted = group.Terms.GangSize;
        var awards = ImmutableArray.CreateBuilder<AllocatorEffect.Award>();
        foreach (Candidate member in members)
        {
            int count = Math.Min(member.Entry.Count, wanted);
            if (group.Terms.PerWorkerMax > 0)
                count = Math.Min(count, group.Terms.PerWorkerMax);
            if (count == 0 || (group.Terms.WorkersMax > 0 && awards.Count >= group.Terms.WorkersMax))
                break;
            wanted -= count;
            awards.Add(new AllocatorEffect.Award(member.Held.Worker, member.Held.Offer.Id,
                [new AwardEntry(group.Id, count, member.Entry.Ask)], DiscountOf(member.Held.Offer)));
        }
        if (wanted == 0)
        {
            foreach (HeldOffer held in group.GangOffers)
                held.IsTaken |= awards.Any(a => a.Offer == held.Offer.Id);
            group.GangOffers.Clear();
            allocator.Fed(group, group.Terms.GangSize, now);
            effects.Add(new AllocatorEffect.AwardGang(group.Id, awards.ToImmutable()));
            return;
        }
        foreach (HeldOffer held in group.GangOffers.Where(h => !h.Extended))
        {
            held.Extended = true;
            held.ValidUntil += held.Offer.Valid;
            effects.Add(new AllocatorEffect.KeepHold(held.Worker, new Extend(held.Offer.Id, held.Offer.Valid)));
        }
    }

    private AllocatorEffect.Award AwardOf(HeldOffer held)
    {
        List<Candidate> won = wins[held.Offer.Id];
        return new AllocatorEffect.Award(held.Worker, held.Offer.Id,
            [.. won.OrderBy(c => c.Entry.Group).Select(c => new AwardEntry(c.Entry.Group, c.Won, c.Entry.Ask))], DiscountOf(held.Offer));
    }

    private void CloseOrSpare(HeldOffer held, List<int> over)
    {
        // All of the ad's groups that want nothing, not only those it offered on: it would offer on each of the others in turn.
        ImmutableArray<int> closed = [.. held.Ad!.Ad.Groups.Select(g => g.Id).Where(id => allocator.Group(id) is null || allocator.Demand.Pending(id) == 0)];
        effects.Add(new AllocatorEffect.Close(held.Worker, new Closed(held.Offer.Ad, closed)));
        // Their ads stand with this worker no more: what they want from now on is not what those have named.
        foreach (int id in closed)
            if (allocator.Group(id) is { } group)
                group.Advertised = 0;
        // Who offers no more than a place in line is busy itself: with two of them each would steal from the other in turn.
        foreach (OfferEntry entry in held.Offer.Entries)
            if (entry.Count > 0 && over.Contains(entry.Group) && allocator.Group(entry.Group) is { ActiveWorkers: > 0 })
                effects.Add(new AllocatorEffect.Spare(held.Worker, entry.Group, entry.Count));
    }

    private int Trust(PeerId worker) => allocator.Standing(worker).TrustPermille;

    private static BundleDiscount DiscountOf(Offer offer) => new(offer.DiscountFrom, offer.DiscountPermille);

    private static int Compare(Candidate a, Candidate b)
    {
        int byCost = a.Cost.CompareTo(b.Cost);
        return byCost != 0 ? byCost : a.Held.Worker.CompareTo(b.Held.Worker);
    }
}
