using System.Collections.Immutable;
using Drap.Core.Groups;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>Brings what happens to gangs' members to their gangs, and does what these say: records that one has gone, tells, releases, ends.</summary>
internal sealed class GangDesk(SchedulerContext context, PlacementDesk placement, LeaseDesk leases)
{
    private readonly SortedDictionary<(int Job, int Segment), Run> runs = [];
    private readonly SortedSet<(Instant At, int Job, int Segment)> due = [];

    /// <summary>When something has to be told again.</summary>
    public Instant NextDeadline => due.Count > 0 ? due.Min.At : Instant.Never;

    /// <summary>How often a gang was looked at since its time had come.</summary>
    public long Looks { get; private set; }

    public void Award(AllocatorEffect.AwardGang award)
    {
        if (placement.AwardGang(award) is not var (job, segment, attempts))
            return;
        var run = new Run(job, segment, new Gang(attempts, segment.Count));
        Keep(run);
        // A rank that could not be placed (the budget, a bad template) breaks the gang at once.
        if (!run.Gang.IsWhole)
            Obey(run, run.Gang.Break(), "a member of the gang could not be placed");
    }

    /// <summary>Members acknowledged; when all have, the journal is told, and then they are.</summary>
    public void OnAck(ImmutableArray<AttemptId> attempts)
    {
        foreach (AttemptId id in attempts)
            if (Find(id) is { } run && run.Gang.Acknowledge(id))
            {
                context.Record(new SchedulerRecord.GangWent(run.Job.Id, run.Segment.Index, context.Utc));
                Tell(run);
            }
    }

    /// <summary>Members that are under way no more, for whatever cause: what becomes of the others.</summary>
    public void Settle()
    {
        // Breaking one up makes more members leave, which join the list.
        for (int i = 0; i < context.LeftGangs.Count; i++)
        {
            AttemptId id = context.LeftGangs[i];
            if (Find(id) is { } run)
                Obey(run, run.Gang.Leave(id, run.Job.Tasks.State(id.Task.Number) == TaskState.Succeeded), "another member of the gang ended, was refused or is lost");
        }
        context.LeftGangs.Clear();
    }

    /// <summary>
    /// After a restart: a gang that had gone is told so again, since not all may have heard it. One that had not is broken up: which of its
    /// members have acknowledged is not known any more.
    /// </summary>
    public void Recover(JobRun job)
    {
        foreach (SegmentRun segment in job.Segments.Where(s => s.Spec.Nodes is not null))
        {
            AttemptId[] members = [.. Enumerable.Range(segment.First, segment.Count)
                .SelectMany(n => context.Leases.OfTask(new TaskId(job.Id, n))).Select(a => a.Id)];
            if (members.Length == 0)
                continue;
            if (!segment.HasGone)
            {
                Release(members, "the scheduler restarted before the gang had gone");
                continue;
            }
            var run = new Run(job, segment, Gang.Recovered(members, segment.Count));
            Keep(run);
            Tell(run);
            if (Enumerable.Range(segment.First, segment.Count).Any(n => job.Tasks.State(n) is not (TaskState.Placed or TaskState.Succeeded)))
                Obey(run, run.Gang.EndOthers(), "");
        }
    }

    public void Tick()
    {
        while (due.Count > 0 && due.Min.At <= context.Now)
        {
            Looks++;
            Tell(runs[(due.Min.Job, due.Min.Segment)]);
        }
    }

    private void Keep(Run run)
    {
        Drop(run);
        runs.Add((run.Job.Number, run.Segment.Index), run);
    }

    private void Drop(Run run)
    {
        if (runs.Remove((run.Job.Number, run.Segment.Index), out Run? old))
            due.Remove((old.Gang.NextTell, old.Job.Number, old.Segment.Index));
    }

    private void Obey(Run run, GangVerdict verdict, string why)
    {
        if (verdict is GangVerdict.Breaks or GangVerdict.Over)
            Drop(run);
        if (verdict == GangVerdict.Breaks)
            Release([.. run.Gang.Members], why);
        // It is placed again as a whole, if no rank has its end yet.
        if (verdict == GangVerdict.Ends)
            placement.CancelAttempts(run.Job, run.Gang.Members.Select(m => m.Task.Number), CancelReason.Superseded, JobDesk.Grace);
    }

    private void Tell(Run run)
    {
        due.Remove((run.Gang.NextTell, run.Job.Number, run.Segment.Index));
        foreach ((PeerId worker, ImmutableArray<AttemptId> told) in ByWorker(run.Gang.Tell(IsOver, context.Now)))
            context.EmitDurable(new SchedulerEffect.Send(worker, new Go(told)));
        if (run.Gang.NextTell != Instant.Never)
            due.Add((run.Gang.NextTell, run.Job.Number, run.Segment.Index));

        bool IsOver(AttemptId id) => !context.Leases.TryGet(id, out LeasedAttempt? attempt) || attempt.Phase is LeasePhase.Running or LeasePhase.Delivering;
    }

    private void Release(IReadOnlyList<AttemptId> members, string why)
    {
        foreach ((PeerId worker, ImmutableArray<AttemptId> released) in ByWorker(members).ToArray())
        {
            context.EmitDurable(new SchedulerEffect.Send(worker, new Release(released)));
            leases.GiveBack(worker, released, why);
        }
    }

    /// <summary>Those of the attempts that are under way, by worker.</summary>
    private IEnumerable<(PeerId Worker, ImmutableArray<AttemptId> Attempts)> ByWorker(IReadOnlyList<AttemptId> attempts) =>
        attempts.Select(id => context.Leases.TryGet(id, out LeasedAttempt? a) ? a : null).OfType<LeasedAttempt>()
            .GroupBy(a => a.Worker).OrderBy(g => g.Key).Select(g => (g.Key, g.Select(a => a.Id).ToImmutableArray()));

    private Run? Find(AttemptId id) =>
        runs.Count > 0 && context.State.TryGet(id.Task.Job, out JobRun? job)
        && runs.TryGetValue((job.Number, job.SegmentOf(id.Task.Number).Index), out Run? run) && run.Gang.Has(id)
            ? run
            : null;

    private sealed record Run(JobRun Job, SegmentRun Segment, Gang Gang);
}
