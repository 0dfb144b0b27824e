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

    /// <summary>Members ended, were refused or are lost.</summary>
    public void OnGone(IEnumerable<AttemptId> attempts, string why)
    {
        foreach (AttemptId id in attempts)
        {
            if (Find(id) is not { } gang)
                continue;
            gang.Attempts.Remove(id);
            if (!gang.HasGone)
                Break(gang, why);
            else if (gang.Job.Tasks.State(id.Task.Number) != TaskState.Succeeded)
                EndMembers(gang);
            if (gang.Attempts.Count == 0)
                gangs.Remove((gang.Job.Number, gang.Segment.Index));
        }
    }

    /// <summary>After a restart: a gang that had not gone is broken up, since nobody will tell its members to go.</summary>
    public void Recover(JobRun job)
    {
        foreach (SegmentRun segment in job.Segments.Where(s => s.Spec.Nodes is not null && !s.HasGone))
        {
            LeasedAttempt[] members = [.. Enumerable.Range(segment.First, segment.Count)
                .SelectMany(n => context.Leases.OfTask(new TaskId(job.Id, n)))];
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

    /// <summary>One rank failed while others run: they cannot finish without it. They are ended and the gang is placed again as a whole.</summary>
    private void EndMembers(Gang gang)
    {
        if (gang.IsEnding)
            return;
        gang.IsEnding = true;
        bool someSucceeded = Enumerable.Range(gang.Segment.First, gang.Segment.Count).Any(n => gang.Job.Tasks.State(n) == TaskState.Succeeded);
        List<int> rest = [.. gang.Attempts.Select(a => a.Task.Number).Order()];
        placement.CancelAttempts(gang.Job, rest, CancelReason.Superseded, JobDesk.Grace);
        if (!someSucceeded)
            return;
        // An accepted end is never taken back, so what is left of the gang can never be whole again.
        List<int> open = [.. Enumerable.Range(gang.Segment.First, gang.Segment.Count)
            .Where(n => gang.Job.Tasks.State(n) is TaskState.Ready or TaskState.Placed or TaskState.Blocked)];
        if (open.Count == 0)
            return;
        PlacementDesk.Withdraw(gang.Job, open);
        context.Record(new SchedulerRecord.Closed(gang.Job.Id, context.Utc, TaskState.Failed,
            "another rank failed after this gang's first had finished; a gang runs as a whole", [.. open]));
        foreach (int number in open)
            context.Touch(gang.Job, number);
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
