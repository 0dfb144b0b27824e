using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Health;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Messages;
using Drap.Core.Nodes;

namespace Drap.Core.Market.Arbitration;

/// <summary>
/// Turns confirmations into leases. Each gets exactly one answer: all leases stand, some, or none; and each repetition of it the same
/// answer again. What is leased is what was offered, never what the confirmation says of itself.
/// </summary>
internal sealed class Confirmations(Arbiter arbiter, Capacity capacity, LeaseTable leases, Executor executor, Outbox outbox, ComplaintBook complaints)
{
    /// <summary>Answers kept for confirmations that come again: as many as offers can be out.</summary>
    public const int AnswersMax = 1024;

    private readonly TemplateCache templates = new();
    // By who confirms, too: what one says of another's offer is no answer to that one.
    private readonly Dictionary<(PeerId Scheduler, OfferId Offer), (ImmutableArray<AttemptId> Attempts, Message Answer)> answers = [];
    private readonly Queue<(PeerId Scheduler, OfferId Offer)> order = [];

    /// <summary>Answers a confirmation whose epoch is right.</summary>
    public void Handle(PeerId from, Confirm confirm, KnownScheduler scheduler, Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        ImmutableArray<AttemptId> attempts = AttemptsOf(confirm);
        if (!answers.TryGetValue((scheduler.Id, confirm.Offer), out (ImmutableArray<AttemptId> Attempts, Message Answer) given))
        {
            given = (attempts, Decide(from, confirm, scheduler, now, utc, effects));
            Remember((scheduler.Id, confirm.Offer), given);
        }
        else if (!given.Attempts.AsSpan().SequenceEqual(attempts.AsSpan()))
        {
            // An offer is confirmed once. The tasks are named, so that this does not speak of those of the first confirmation.
            given.Answer = new Nack(confirm.Offer, NackReason.UnknownOffer, attempts);
        }
        effects.Add(new WorkerEffect.Send(from, given.Answer));
    }

    private Message Decide(PeerId from, Confirm confirm, KnownScheduler scheduler, Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        if (!arbiter.Holds.TryGet(confirm.Offer, out Hold? hold) || !ReferenceEquals(hold.Scheduler, scheduler)
            || hold.Principal != confirm.Principal)
        {
            arbiter.OnLate(confirm.Offer, scheduler, now);
            return Nothing(confirm, NackReason.UnknownOffer, effects);
        }
        NackReason? reason = arbiter.Closed is not null ? NackReason.Degraded : null;
        // The scheduler closed the group and wanted it again while the first word was on its way: nobody's fault.
        if (confirm.Works.Any(work => hold.Closed.Contains(work.Group)))
            reason = NackReason.UnknownOffer;
        Line[]? lines = reason is null ? Read(confirm, hold, from, effects) : null;
        if (lines is null)
        {
            arbiter.OnBroken(hold, now);
            return Nothing(confirm, reason ?? NackReason.Invalid, effects);
        }
        var refused = ImmutableArray.CreateBuilder<AttemptId>();
        NackReason worst = Grant(confirm, hold, lines, refused, now, utc);
        arbiter.Overbooking.ObserveConfirmation(wasRefused: worst == NackReason.Gone);
        arbiter.OnConfirmed(hold, now);
        int granted = confirm.Tasks.Length - refused.Count;
        effects.Add(new WorkerEffect.Observe(new WorkerObservation.Confirmed(
            confirm.Offer, granted, refused.Count, refused.Count == 0 ? null : worst)));
        if (refused.Count == 0)
            return new Ack(confirm.Offer);
        return new Nack(confirm.Offer, worst, granted == 0 ? [] : refused.ToImmutable());
    }

    private static Nack Nothing(Confirm confirm, NackReason reason, List<WorkerEffect> effects)
    {
        effects.Add(new WorkerEffect.Observe(new WorkerObservation.Confirmed(confirm.Offer, 0, confirm.Tasks.Length, reason)));
        return new Nack(confirm.Offer, reason, []);
    }

    /// <summary>The line of each work; null, with an observation, if the confirmation does not keep to the offer.</summary>
    private Line[]? Read(Confirm confirm, Hold hold, PeerId from, List<WorkerEffect> effects)
    {
        if (Check(confirm, hold) is { } wrong)
            return Bad(wrong);
        var lines = new Line[confirm.Works.Length];
        for (int i = 0; i < lines.Length; i++)
        {
            Work work = confirm.Works[i];
            HoldPart part = PartOf(hold, work.Group)!;
            if (!templates.TryRead(work.Template, out TaskSpec? template, out string? error))
                return Bad($"template of group {work.Group}: {error}");
            if ((template.Handler ?? "") != part.Task.Handler
                || !string.Equals(template.Driver.ToString(), part.Task.Driver, StringComparison.OrdinalIgnoreCase))
                return Bad($"template of group {work.Group}: another driver or handler than was offered for");
            lines[i] = executor.LineOf(new LineTerms(
                hold.Scheduler, part.Group.Key, hold.Principal, template, part.Task.Resources, work.Ask, part.Task.Priority,
                part.Group.Deadline, part.Task.Estimate) { Secrets = work.Secrets });
            lines[i].Here.Ask = part.Entry.Ask;
        }
        return lines;

        Line[]? Bad(string what)
        {
            complaints.Note(from, what);
            effects.Add(new WorkerEffect.Observe(new WorkerObservation.BadMessage(from, MessageKind.Confirm, what)));
            return null;
        }
    }

    /// <summary>What is wrong with it beside its templates; null if nothing.</summary>
    private static string? Check(Confirm confirm, Hold hold)
    {
        if (confirm.Tasks.IsEmpty || confirm.Lease < LeaseTable.ShortestLease)
            return "no tasks, or no lease to speak of";
        Span<int> places = stackalloc int[hold.Parts.Count];
        foreach (Work work in confirm.Works)
        {
            if (PartOf(hold, work.Group) is not { } part)
                return $"group {work.Group} was not offered";
            bool isBundle = hold.DiscountFrom > 0 && confirm.Tasks.Length >= hold.DiscountFrom;
            long least = isBundle ? (long)((Int128)part.Entry.Ask.MicroPerHour * (1000 - hold.DiscountPermille) / 1000) : part.Entry.Ask.MicroPerHour;
            if (work.Ask.MicroPerHour < least)
                return $"group {work.Group} was offered at {part.Entry.Ask}, not at {work.Ask}";
        }
        foreach (Assignment task in confirm.Tasks)
        {
            if ((uint)task.Work >= (uint)confirm.Works.Length || task.Number < 1 || task.Attempt is < 1 or >= 1 << Fence.AttemptBits)
                return $"task {task.Number}, attempt {task.Attempt} of work {task.Work}: no such thing";
            int index = hold.Parts.FindIndex(part => part.Task.Id == confirm.Works[task.Work].Group);
            places[index]++;
        }
        for (int i = 0; i < places.Length; i++)
            if (places[i] > hold.Parts[i].Entry.Count + (confirm.AwaitGo ? 0 : hold.Parts[i].Entry.Backlog))
                return $"group {hold.Parts[i].Task.Id}: more tasks than were offered";
        return null;
    }

    /// <summary>Grants what can be granted, in the confirmation's order; what cannot is put into <paramref name="refused"/>.</summary>
    private NackReason Grant(
        Confirm confirm, Hold hold, Line[] lines, ImmutableArray<AttemptId>.Builder refused, Instant now, UtcTime utc)
    {
        NackReason worst = NackReason.Invalid;
        foreach (Assignment task in confirm.Tasks)
        {
            Work work = confirm.Works[task.Work];
            HoldPart part = PartOf(hold, work.Group)!;
            var id = new AttemptId(new TaskId(work.Job, task.Number), new Fence(confirm.Epoch, task.Attempt));
            var attempt = new Attempt(id, lines[task.Work], task);
            if (leases.TryGet(id, out _) || outbox.Contains(id))
            {
                refused.Add(id);
                continue;
            }
            Grant? grant = TakePlace(hold, part, now);
            if (grant is null && (confirm.AwaitGo || part.Entry.Backlog == 0 || executor.Waiting >= Executor.WaitingMax))
            {
                refused.Add(id);
                worst = NackReason.Gone;
                continue;
            }
            Invariant.Check(leases.TryAdd(attempt, confirm.Lease, hold.MadeAt, now));
            attempt.Line.Use.Attempts++;
            part.Group.Remaining--;
            part.Taken++;
            Reserve(attempt, utc);
            if (grant is not null)
                executor.Place(attempt, grant, confirm.AwaitGo);
            else
                executor.Enqueue(attempt);
            part.Group.Filled = attempt.Line.Here.Waiting;
        }
        // A gang goes as a whole: if this one does not, a newer ad says so.
        foreach (HoldPart part in hold.Parts)
            if (part.Group.Remaining <= 0 || (part.Group.IsGang && part.Taken > 0))
                arbiter.Standing.Close(part.Group);
        return worst;
    }

    /// <summary>A place that is held, or for a soft offer one that is still free or that nobody can want any more.</summary>
    private Grant? TakePlace(Hold hold, HoldPart part, Instant now)
    {
        if (part.Entry.Firm)
            return part.TakeGrant();
        if (executor.Placed >= Executor.PlacedMax || !part.TakeSoft())
            return null;
        while (!executor.Reserve.Lets(capacity.Free, part.Task.Resources))
            if (!arbiter.GiveUpOlder(hold, now))
                return null;
        return capacity.TryTake(part.Task.Resources);
    }

    private void Reserve(Attempt attempt, UtcTime utc)
    {
        if (arbiter.Credit?.Of(attempt.Principal, utc) is not { } line)
            return;
        // Beyond the line's end the attempt runs on idle resources and is charged all the same.
        TimeSpan estimate = attempt.Line.Here.IsMeasured ? attempt.Line.Here.Mean : attempt.Line.Terms.Estimate;
        line.TryReserve(attempt.Id, attempt.Line.Terms.Ask.For(estimate));
    }

    /// <summary>The attempts that it names; those that make no sense are left out.</summary>
    private static ImmutableArray<AttemptId> AttemptsOf(Confirm confirm) =>
    [
        .. confirm.Tasks.Where(t => (uint)t.Work < (uint)confirm.Works.Length && t.Number >= 1 && t.Attempt is >= 1 and < 1 << Fence.AttemptBits)
            .Select(t => new AttemptId(new TaskId(confirm.Works[t.Work].Job, t.Number), new Fence(confirm.Epoch, t.Attempt))),
    ];

    private void Remember((PeerId, OfferId) offer, (ImmutableArray<AttemptId> Attempts, Message Answer) answer)
    {
        if (order.Count >= AnswersMax)
            answers.Remove(order.Dequeue());
        answers.Add(offer, answer);
        order.Enqueue(offer);
    }

    private static HoldPart? PartOf(Hold hold, int group)
    {
        foreach (HoldPart part in hold.Parts)
            if (part.Task.Id == group)
                return part;
        return null;
    }
}
