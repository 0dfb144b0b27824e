using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>A task that was chosen for an offer.</summary>
/// <param name="Group">Its group.</param>
/// <param name="Entry">What the offer won of the group.</param>
/// <param name="Number">The task.</param>
/// <param name="Template">What it runs.</param>
internal readonly record struct Choice(PlacementGroup Group, AwardEntry Entry, int Number, ImmutableArray<byte> Template);

/// <summary>
/// Makes attempts of chosen tasks: records them, confirms the offer when the record is durable, again until it is answered, and takes the
/// answer.
/// </summary>
internal sealed class ConfirmationDesk(SchedulerContext context)
{
    /// <summary>A confirmation that was not answered is sent again after this, then twice, four times … as long.</summary>
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    private readonly Dictionary<OfferId, OpenConfirm> open = [];
    private readonly PriorityQueue<OfferId, Instant> resend = new();

    /// <summary>When the next confirmation is to be sent again.</summary>
    public Instant NextDeadline => resend.TryPeek(out _, out Instant at) ? at : Instant.Never;

    /// <summary>Whether the offer is confirmed, and not answered.</summary>
    public bool IsOpen(OfferId offer) => open.ContainsKey(offer);

    /// <summary>Records attempts of the chosen tasks, which stand by group, and confirms them. How many they are says which price is agreed.</summary>
    public ImmutableArray<AttemptId> Open(AllocatorEffect.Award award, List<Choice> chosen, ImmutableArray<string> hosts)
    {
        var works = ImmutableArray.CreateBuilder<Work>();
        var assignments = ImmutableArray.CreateBuilder<Assignment>(chosen.Count);
        var attempts = ImmutableArray.CreateBuilder<AttemptId>(chosen.Count);
        for (int first = 0, next; first < chosen.Count; first = next)
        {
            (PlacementGroup group, AwardEntry entry, _, _) = chosen[first];
            Price ask = award.Discount.Of(entry.Ask, chosen.Count);
            TimeSpan reserved = MoneyDesk.FirstPeriod(context.Allocator.Estimate(entry.Group));
            for (next = first; next < chosen.Count && chosen[next].Group == group; next++)
            {
                (_, _, int number, ImmutableArray<byte> template) = chosen[next];
                if (works.Count == 0 || works[^1].Group != entry.Group || works[^1].Template != template)
                    works.Add(new Work(group.Job.Id, entry.Group, ask, template, group.Secrets));
                AttemptId id = context.NextAttempt(group.Job, number);
                context.Leases.Add(new LeasedAttempt(id, award.Worker, entry.Group, ask) { PlacedAt = context.Now, ReservedFor = reserved }, context.Now);
                attempts.Add(id);
                int index = number - group.Segment.First;
                assignments.Add(new Assignment
                {
                    Work = works.Count - 1,
                    Number = number,
                    Attempt = id.Fence.Attempt,
                    Index = index,
                    ArrayNumber = JobForm.Number(group.Segment.Spec, index),
                    Hosts = hosts,
                });
                context.Touch(group.Job, number);
            }
            ImmutableArray<AttemptId> placed = [.. attempts.Skip(first)];
            context.Record(new SchedulerRecord.Placed(group.Job.Id, award.Worker, context.NameOf(award.Worker), ask, context.Utc, placed));
            group.Segment.Live += placed.Length;
            context.Allocator.Placed(entry.Group, award.Worker, placed.Length);
        }
        var confirm = new Confirm
        {
            Offer = award.Offer,
            Scheduler = context.Options.Scheduler,
            Principal = context.Options.Principal,
            Epoch = context.Epoch,
            Lease = LeaseBook.LeaseTime,
            AwaitGo = !hosts.IsEmpty,
            Works = works.ToImmutable(),
            Tasks = assignments.MoveToImmutable(),
        };
        open[award.Offer] = new OpenConfirm(award.Worker, confirm, attempts.MoveToImmutable());
        resend.Enqueue(award.Offer, context.Now + Retry);
        context.EmitDurable(new SchedulerEffect.Send(award.Worker, confirm));
        return open[award.Offer].Attempts;
    }

    /// <summary>Sends again what was not answered.</summary>
    public void Tick()
    {
        while (resend.TryPeek(out OfferId offer, out Instant at) && at <= context.Now)
        {
            resend.Dequeue();
            if (!open.TryGetValue(offer, out OpenConfirm? confirm))
                continue;
            if (!confirm.Attempts.Any(a => context.Leases.TryGet(a, out _)))
            {
                open.Remove(offer);
                continue;
            }
            confirm.Tries++;
            context.Emit(new SchedulerEffect.Send(confirm.Worker, confirm.Message));
            resend.Enqueue(offer, context.Now + TimeSpan.FromTicks(Retry.Ticks << Math.Min(confirm.Tries, 5)));
        }
    }

    /// <summary>The worker took a confirmation; the attempts that stand now.</summary>
    public ImmutableArray<AttemptId> OnAck(PeerId from, Ack ack)
    {
        if (!open.TryGetValue(ack.Offer, out OpenConfirm? confirm) || confirm.Worker != from)
            return [];
        open.Remove(ack.Offer);
        foreach (Work work in confirm.Message.Works)
            context.Allocator.Acknowledged(work.Group);
        var unwanted = ImmutableArray.CreateBuilder<AttemptId>();
        foreach (AttemptId id in confirm.Attempts)
        {
            if (!context.Leases.TryGet(id, out LeasedAttempt? attempt))
            {
                unwanted.Add(id);
            }
            else if (attempt.Phase == LeasePhase.Confirmed)
            {
                context.Leases.Acknowledge(attempt, context.Now);
                if (context.State.TryGet(id.Task.Job, out JobRun? job))
                    context.Touch(job, id.Task.Number);
            }
        }
        // Taken back meanwhile, and the word of it may have come before the confirmation; what has ended by itself is not there any more.
        if (unwanted.Count > 0)
            context.Emit(new SchedulerEffect.Send(from, new Release(unwanted.ToImmutable())));
        return confirm.Attempts;
    }

    /// <summary>The worker refused a confirmation, or some of its tasks: those attempts never were.</summary>
    public ImmutableArray<AttemptId> OnNack(PeerId from, Nack nack)
    {
        if (!open.TryGetValue(nack.Offer, out OpenConfirm? confirm) || confirm.Worker != from)
            return [];
        ImmutableArray<AttemptId> refused = nack.Refused.IsEmpty ? confirm.Attempts : [.. nack.Refused.Intersect(confirm.Attempts)];
        if (refused.Length == confirm.Attempts.Length)
            open.Remove(nack.Offer);
        else
            open[nack.Offer] = confirm with { Attempts = [.. confirm.Attempts.Except(refused)] };
        return refused;
    }

    private sealed record OpenConfirm(PeerId Worker, Confirm Message, ImmutableArray<AttemptId> Attempts)
    {
        public int Tries { get; set; }
    }
}
