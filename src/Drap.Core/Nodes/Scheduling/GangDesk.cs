using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// Starts gangs in two phases: all members are confirmed and hold their places; only when each has acknowledged and the journal says so,
/// all are told to go. If one is refused or lost before that, all are released and the gang is advertised anew.
/// </summary>
internal sealed class GangDesk(SchedulerContext context, PlacementDesk placement, LeaseDesk leases)
{
    /// <summary>A start that nobody confirmed is told again.</summary>
    private static readonly TimeSpan GoInterval = TimeSpan.FromSeconds(1);

    private readonly SortedDictionary<(int Job, int Segment), Gang> gangs = [];

    /// <summary>When something has to be told again.</summary>
    public Instant NextDeadline => gangs.Count == 0 ? Instant.Never : gangs.Values.Min(g => g.NextGo);

    public void Award(AllocatorEffect.AwardGang award)
    {
        if (placement.AwardGang(award) is not var (job, segment, members))
            return;
        var gang = new Gang(job, segment, members);
        gangs[(job.Number, segment.Index)] = gang;
        // A rank that could not be placed (the budget, a bad template) breaks the gang at once.
        if (gang.Attempts.Count < segment.Count)
            Break(gang, "a member of the gang could not be placed");
    }

    /// <summary>Members acknowledged; when all have, the journal is told, and then they are.</summary>
    public void OnAck(ImmutableArray<AttemptId> attempts)
    {
        foreach (AttemptId id in attempts)
            if (Find(id) is { } gang)
                gang.Waiting.Remove(id);
        foreach (Gang gang in gangs.Values.Where(g => g is { HasGone: false, Waiting.Count: 0 }).ToArray())
        {
            gang.HasGone = true;
            context.Record(new SchedulerRecord.GangWent(gang.Job.Id, gang.Segment.Index, context.Utc));
            Tell(gang);
        }
    }

    /// <summary>Members that are under way no more, for whatever cause: what becomes of the others.</summary>
    public void Settle()
    {
        // Breaking one up makes more members leave, which join the list.
        for (int i = 0; i < context.LeftGangs.Count; i++)
        {
            AttemptId id = context.LeftGangs[i];
            if (Find(id) is not { } gang)
                continue;
            gang.Attempts.Remove(id);
            if (!gang.HasGone)
                Break(gang, "another member of the gang ended, was refused or is lost");
            else if (gang.Job.Tasks.State(id.Task.Number) != TaskState.Succeeded)
                EndMembers(gang);
            if (gang.Attempts.Count == 0)
                gangs.Remove((gang.Job.Number, gang.Segment.Index));
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
            LeasedAttempt[] members = [.. Enumerable.Range(segment.First, segment.Count)
                .SelectMany(n => context.Leases.OfTask(new TaskId(job.Id, n)))];
            if (members.Length == 0)
                continue;
            if (segment.HasGone)
            {
                var gang = new Gang(job, segment, [.. members.GroupBy(m => m.Worker).OrderBy(g => g.Key)
                    .Select(g => (g.Key, g.Select(m => m.Id).ToImmutableArray()))]) { HasGone = true };
                gangs[(job.Number, segment.Index)] = gang;
                Tell(gang);
                if (Enumerable.Range(segment.First, segment.Count).Any(n => job.Tasks.State(n) is not (TaskState.Placed or TaskState.Succeeded)))
                    EndMembers(gang);
                continue;
            }
            foreach (IGrouping<PeerId, LeasedAttempt> worker in members.GroupBy(m => m.Worker).OrderBy(g => g.Key))
            {
                context.EmitDurable(new SchedulerEffect.Send(worker.Key, new Release([.. worker.Select(m => m.Id)])));
                leases.GiveBack(worker.Key, [.. worker.Select(m => m.Id)], "the scheduler restarted before the gang had gone");
            }
        }
    }

    public void Tick()
    {
        foreach (Gang gang in gangs.Values.Where(g => g.NextGo <= context.Now).ToArray())
            Tell(gang);
    }

    private void Tell(Gang gang)
    {
        gang.NextGo = Instant.Never;
        foreach (IGrouping<PeerId, LeasedAttempt> worker in gang.Attempts.Order()
            .Select(id => context.Leases.TryGet(id, out LeasedAttempt? a) ? a : null).OfType<LeasedAttempt>()
            .Where(a => a.Phase != LeasePhase.Running).GroupBy(a => a.Worker).OrderBy(g => g.Key))
        {
            gang.NextGo = context.Now + GoInterval;
            context.EmitDurable(new SchedulerEffect.Send(worker.Key, new Go([.. worker.Select(a => a.Id)])));
        }
    }

    /// <summary>One rank failed while others run: they cannot finish without it. They are ended and the gang is placed again as a whole, if no rank has its end yet.</summary>
    private void EndMembers(Gang gang)
    {
        if (gang.IsEnding)
            return;
        gang.IsEnding = true;
        List<int> rest = [.. gang.Attempts.Select(a => a.Task.Number).Order()];
        placement.CancelAttempts(gang.Job, rest, CancelReason.Superseded, JobDesk.Grace);
    }

    private void Break(Gang gang, string why)
    {
        gangs.Remove((gang.Job.Number, gang.Segment.Index));
        foreach ((PeerId worker, ImmutableArray<AttemptId> attempts) in gang.Members)
        {
            ImmutableArray<AttemptId> left = [.. attempts.Where(a => context.Leases.TryGet(a, out _))];
            if (left.IsEmpty)
                continue;
            context.EmitDurable(new SchedulerEffect.Send(worker, new Release(left)));
            leases.GiveBack(worker, left, why);
        }
    }

    private Gang? Find(AttemptId id) =>
        gangs.Count > 0 && context.State.TryGet(id.Task.Job, out JobRun? job)
        && gangs.TryGetValue((job.Number, job.SegmentOf(id.Task.Number).Index), out Gang? gang) && gang.Attempts.Contains(id)
            ? gang
            : null;

    private sealed class Gang(JobRun job, SegmentRun segment, List<(PeerId Worker, ImmutableArray<AttemptId> Attempts)> members)
    {
        public JobRun Job { get; } = job;

        public SegmentRun Segment { get; } = segment;

        public List<(PeerId Worker, ImmutableArray<AttemptId> Attempts)> Members { get; } = members;

        public HashSet<AttemptId> Attempts { get; } = [.. members.SelectMany(m => m.Attempts)];

        public HashSet<AttemptId> Waiting { get; } = [.. members.SelectMany(m => m.Attempts)];

        public bool HasGone { get; set; }

        public bool IsEnding { get; set; }

        public Instant NextGo { get; set; } = Instant.Never;
    }
}
