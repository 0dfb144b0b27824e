using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Journal;
using Drap.Core.Leases;
using Drap.Core.Market.Arbitration;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Worlds;

namespace Drap.Simulator.Hunting;

/// <summary>Faults as whoever builds this house might make them, each of which the hunt has to find (docs/decisions/0360).</summary>
internal static class PlantedFaults
{
    /// <summary>All of them, by name, and the rules of which each breaks one first.</summary>
    public static IReadOnlyList<(string Name, Func<PlantedFault> Make, string Rules)> All { get; } =
    [
        ("message before timer", () => new MessageBeforeTimer(), "lease"),
        ("expired lease renewed", () => new ExpiredLeaseRenewed(), "lease"),
        ("epoch not raised", () => new EpochNotRaised(), "epoch"),
        ("acknowledged before fsync", () => new AcknowledgedBeforeSync(), "durable"),
        ("hold kept after expiry", () => new HoldKept(), "hold"),
        ("confirmed twice", () => new ConfirmedTwice(), "confirm"),
        ("edge fired on an unjournaled result", () => new EdgeOnUnjournaledResult(), "edge durable"),
        ("gang starts in part", () => new GangInPart(), "gang"),
        ("stale result of an exclusive attempt wins", () => new StaleResultWins(), "result exclusive"),
        ("credits rounded down", () => new CreditsRoundedDown(), "credits"),
    ];

    /// <summary>After a wake the heartbeats that waited are taken in before the leases that have run out are ended.</summary>
    private sealed class MessageBeforeTimer : PlantedFault
    {
        public override void BeforeThaw(WorkerNode node, IEnumerable<Message> waits, TimeSpan stood, Instant now)
        {
            foreach (Heartbeat heartbeat in waits.OfType<Heartbeat>())
                for (Lease? lease = node.Leases.First; lease is not null; lease = LeaseTable.After(lease))
                    if (lease.Scheduler.Id == heartbeat.Scheduler && lease.Scheduler.Epoch == heartbeat.Epoch)
                        LeaseTable.TryRenew(lease.Scheduler, heartbeat.Number, heartbeat.Lease, heartbeat.Heard, now);
        }
    }

    /// <summary>A worker's clock stands still in a suspend, as the monotonic one does: leases that ran out meanwhile are renewed by the next heartbeat.</summary>
    private sealed class ExpiredLeaseRenewed : PlantedFault
    {
        public override void BeforeThaw(WorkerNode node, IEnumerable<Message> waits, TimeSpan stood, Instant now)
        {
            for (Lease? lease = node.Leases.First; lease is not null; lease = LeaseTable.After(lease))
                if (lease.State == LeaseState.Live)
                    lease.OwnEnd = lease.End + stood;
        }
    }

    /// <summary>A scheduler comes up in the epoch in which it died: its wall clock stands, and the record of the epoch is overlooked.</summary>
    private sealed class EpochNotRaised : PlantedFault
    {
        public override UtcTime BeforeStart(WorldScheduler scheduler, SchedulerState state, UtcTime utc)
        {
            if (state.Epoch.Value == 0)
                return utc;
            var before = new UtcTime(state.Epoch.Value);
            state.Apply(new SchedulerRecord.EpochBegan(new Epoch(state.Epoch.Value - 1), before));
            return before;
        }
    }

    /// <summary>The journal says that records are safe when it has taken them.</summary>
    private sealed class AcknowledgedBeforeSync : PlantedFault
    {
        public override Func<JournalBatch, bool> LiesOf => _ => true;
    }

    /// <summary>A hold is not let go when its time is over.</summary>
    private sealed class HoldKept : PlantedFault
    {
        private static readonly TimeSpan kept = TimeSpan.FromMinutes(10);

        public override void AfterStep(WorkerNode node, WorkerInput input, Instant now)
        {
            foreach (Hold hold in node.Market.Holds.All)
                if (hold.Expires < now + TimeSpan.FromMilliseconds(1))
                    hold.Expires = now + kept;
        }
    }

    /// <summary>A task that was confirmed to one worker is confirmed to another one that offered.</summary>
    private sealed class ConfirmedTwice : PlantedFault
    {
        private readonly Dictionary<int, (PeerId Worker, OfferId Offer)> offered = [];

        public override SchedulerInput.Received Hears(WorldScheduler scheduler, SchedulerInput.Received message)
        {
            if (message.Message is Offer offer)
                offered[scheduler.Index] = (message.From, offer.Id);
            return message;
        }

        public override IReadOnlyList<SchedulerEffect>? Instead(WorldScheduler scheduler, SchedulerEffect effect)
        {
            if (effect is not SchedulerEffect.Send { Message: Confirm confirm } send || !offered.TryGetValue(scheduler.Index, out (PeerId Worker, OfferId Offer) other)
                || other.Worker == send.To)
                return null;
            offered.Remove(scheduler.Index);
            return [send, new SchedulerEffect.Send(other.Worker, confirm with { Offer = other.Offer })];
        }
    }

    /// <summary>A result counts for the tasks that wait for it before it is in the journal; nobody else is told before.</summary>
    private sealed class EdgeOnUnjournaledResult : PlantedFault
    {
        public override Func<JournalBatch, bool> LiesOf => HoldsEnd;

        public override IReadOnlyList<SchedulerEffect>? Instead(WorldScheduler scheduler, SchedulerEffect effect) => effect switch
        {
            SchedulerEffect.Send { Message: ResultAck ack } when ack.Attempts.Any(scheduler.Durable!.State.Open.ContainsKey) => [],
            SchedulerEffect.Send { Message: Confirm confirm } when !confirm.Tasks.All(t => IsSafe(scheduler, confirm, t) || Waits(scheduler, confirm, t)) => [],
            _ => null,
        };

        private static bool IsSafe(WorldScheduler scheduler, Confirm confirm, Assignment task) =>
            scheduler.Durable!.State.TryGet(confirm.Works[task.Work].Job, out JobRun? job) && job.Tasks.Attempts(task.Number) >= task.Attempt;

        /// <summary>Whether what the task needs has not ended, as far as the disk knows.</summary>
        private static bool Waits(WorldScheduler scheduler, Confirm confirm, Assignment task)
        {
            if (!scheduler.Durable!.State.TryGet(confirm.Works[task.Work].Job, out JobRun? job))
                return false;
            var needs = new List<TaskRange>();
            (int segment, int index) = job.Graph.Locate(task.Number);
            job.Graph.Needs(segment, index, needs);
            return needs.Exists(n => Enumerable.Range(n.First, n.Last - n.First + 1).Any(i => job.Tasks.State(job.Graph.NumberOf(n.Segment, i)) != TaskState.Succeeded));
        }

        /// <summary>Of a job that is taken it does not lie: that would be another fault.</summary>
        private static bool HoldsEnd(JournalBatch batch)
        {
            bool holdsEnd = false;
            ReadOnlyMemory<byte> rest = batch.Records;
            while (RecordCodec.TryRead(ref rest, out JournalRecord record))
            {
                if (!SchedulerRecords.TryRead(record, out SchedulerRecord? read, out _) || read is SchedulerRecord.Submitted)
                    return false;
                holdsEnd |= read is SchedulerRecord.Ended;
            }
            return holdsEnd;
        }
    }

    /// <summary>The members of a gang are told to go as they are confirmed, each for itself.</summary>
    private sealed class GangInPart : PlantedFault
    {
        public override IReadOnlyList<SchedulerEffect>? Instead(WorldScheduler scheduler, SchedulerEffect effect)
        {
            if (effect is not SchedulerEffect.Send { Message: Confirm { AwaitGo: true } confirm } send)
                return null;
            // Past the check of what is said: it is what the workers do that shows it.
            ImmutableArray<AttemptId> members =
                [.. confirm.Tasks.Select(t => new AttemptId(new TaskId(confirm.Works[t.Work].Job, t.Number), new Fence(confirm.Epoch, t.Attempt)))];
            scheduler.World.Simulation.After(TimeSpan.Zero, () => scheduler.World.Network.Send(scheduler.Index, scheduler.World.IndexOf(send.To), new Go(members)));
            return null;
        }
    }

    /// <summary>Of an exclusive task the result of an attempt that was given up counts as that of the one that runs.</summary>
    private sealed class StaleResultWins : PlantedFault
    {
        public override SchedulerInput.Received Hears(WorldScheduler scheduler, SchedulerInput.Received message)
        {
            if (message.Message is not Result result || scheduler.State is not { } state)
                return message;
            foreach (AttemptResult entry in result.Entries)
            {
                TaskId task = entry.Attempt.Task;
                if (entry.Outcome != Outcome.Succeeded || state.Open.ContainsKey(entry.Attempt) || !state.TryGet(task.Job, out JobRun? job) || !job.SegmentOf(task.Number).Spec.Exclusive)
                    continue;
                foreach ((AttemptId current, OpenAttempt open) in state.Open)
                    if (current.Task == task)
                        return new SchedulerInput.Received(open.Worker, result with { Entries = [entry with { Attempt = current }] });
            }
            return message;
        }
    }

    /// <summary>A bill is its price times its time, cut off instead of rounded up.</summary>
    private sealed class CreditsRoundedDown : PlantedFault
    {
        public override WorkerEffect Makes(WorkerEffect effect) => effect is WorkerEffect.Send { Message: Receipt receipt } send
            ? send with { Message = receipt with { Entries = [.. receipt.Entries.Select(e => e with { Amount = new Credits((long)((Int128)e.Price.MicroPerHour * e.Billed.Ticks / TimeSpan.TicksPerHour)) })] } }
            : effect;
    }
}
