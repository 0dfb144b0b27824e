using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// Gives tasks to workers: opens groups for segments, says how many places they want, and chooses tasks for the offers that won. The winning
/// path of a task runs through here to <see cref="ConfirmationDesk"/>: award, record, (persisted,) confirmation, acknowledgement.
/// </summary>
internal sealed class PlacementDesk(SchedulerContext context, ConfirmationDesk confirmations) : IDemand
{
    /// <summary>A confirmation is full at this size: with the largest single task on top (a template of 256 KiB) it still fits a frame of 1 MiB.</summary>
    private const int ConfirmBytesMax = 640 * 1024;

    /// <summary>What one assignment takes beside its template, hosts of a gang left out.</summary>
    private const int AssignmentBytes = 64;

    /// <summary>Lines are looked at for stealing at most this often a group.</summary>
    private static readonly TimeSpan StealInterval = TimeSpan.FromMilliseconds(100);

    private readonly Dictionary<int, PlacementGroup> groups = [];
    private readonly SortedSet<(Instant At, int Job, int Segment)> delays = [];

    /// <summary>Retries whose time comes.</summary>
    public Instant NextDeadline => delays.Count > 0 ? delays.Min.At : Instant.Never;

    /// <summary>A task wants its places: one, or as many as must agree.</summary>
    public void Ready(JobRun job, int number)
    {
        SegmentRun segment = job.SegmentOf(number);
        if (job.Tasks.State(number) == TaskState.Placed)
        {
            Again(job, number, default, TimeSpan.Zero);
            return;
        }
        // An exclusive task that was taken back, or is to run again, waits for the end of the attempt that it had: see Left.
        if (segment.Spec.Exclusive && context.Leases.OfTask(new TaskId(job.Id, number)).Count > 0)
        {
            job.Tasks.SetState(number, TaskState.Blocked);
            return;
        }
        PutInQueue(job, segment, number);
        Wake(job, segment);
    }

    /// <summary>A placed task may lack places: after a fault, a failure, or a silence of a worker. It gets in line for those that it lacks.</summary>
    /// <param name="avoid">Where it should not go for a while, if there is elsewhere.</param>
    /// <param name="delay">How long it waits first.</param>
    public void Again(JobRun job, int number, PeerId avoid, TimeSpan delay)
    {
        SegmentRun segment = job.SegmentOf(number);
        // A task that is ready stands in line for all that it lacks.
        if (job.Tasks.State(number) != TaskState.Placed)
            return;
        if (!job.Readiness.IsReady(number))
        {
            Block(job, [number]);
            return;
        }
        int missing = Missing(job, segment, number);
        if (missing <= 0)
            return;
        if (CopiesOut(job, number) == 0)
            job.Tasks.SetState(number, TaskState.Ready);
        for (; missing > 0; missing--)
            segment.Queue.AddChoosy(number, context.Now, context.Now + delay, avoid, context.Now + delay + AvoidTime);
        if (delay > TimeSpan.Zero)
            delays.Add((context.Now + delay, job.Number, segment.Index));
        Wake(job, segment);
    }

    /// <summary>How long a retry insists on another worker.</summary>
    private static readonly TimeSpan AvoidTime = TimeSpan.FromSeconds(2);

    /// <summary>The task wants no place any more.</summary>
    public void Withdraw(JobRun job, IEnumerable<int> tasks)
    {
        foreach (int number in tasks)
        {
            SegmentRun segment = job.SegmentOf(number);
            if (job.Tasks.State(number) != TaskState.Ready && segment.Queue.ChoosyOf(number) == 0)
                continue;
            segment.Queue.Withdraw(number);
            LookAgain(segment);
        }
    }

    /// <summary>
    /// What these need must run again first: they get no place until it has. Those under way go on, since they may have what they need. That
    /// a need has failed meanwhile is looked at again: then they never run.
    /// </summary>
    public void Block(JobRun job, IReadOnlyList<int> tasks)
    {
        Withdraw(job, tasks);
        var needs = new List<TaskRange>();
        foreach (int number in tasks)
        {
            if (CopiesOut(job, number) > 0)
                continue;
            SegmentRun segment = job.SegmentOf(number);
            job.Tasks.SetState(number, TaskState.Blocked);
            context.Touch(job, number);
            needs.Clear();
            job.Graph.Needs(segment.Index, number - segment.First, needs);
            foreach (TaskRange range in needs)
                for (int need = job.Graph.NumberOf(range.Segment, range.First); need <= job.Graph.NumberOf(range.Segment, range.Last); need++)
                    if (job.Tasks.State(need) is TaskState.Failed or TaskState.Cancelled or TaskState.Skipped or TaskState.NotPlaced)
                        job.NewlyDead.Add(need);
        }
    }

    /// <summary>Ends the attempts of these tasks; told again with each heartbeat until they have ended.</summary>
    public void CancelAttempts(JobRun job, IEnumerable<int> tasks, CancelReason reason, TimeSpan grace)
    {
        var byWorker = new SortedDictionary<PeerId, List<AttemptId>>();
        foreach (int number in tasks)
            foreach (LeasedAttempt attempt in context.Leases.OfTask(new TaskId(job.Id, number)))
            {
                if (!byWorker.TryGetValue(attempt.Worker, out List<AttemptId>? list))
                    byWorker[attempt.Worker] = list = [];
                list.Add(attempt.Id);
                attempt.Cancelled ??= reason;
            }
        foreach ((PeerId worker, List<AttemptId> attempts) in byWorker)
            foreach (AttemptId[] chunk in attempts.Chunk(Messages.Confirm.TasksMax))
                context.EmitDurable(new SchedulerEffect.Send(worker, new Cancel([.. chunk], reason, grace)));
    }

    /// <summary>After a restart: ends what is under way for tasks that have ended, or were taken back; the word of it may not have gone out.</summary>
    public void CancelUnwanted()
    {
        foreach (IGrouping<JobId, TaskId> tasks in context.Leases.Tasks.Order().GroupBy(t => t.Job).ToArray())
            if (context.State.TryGet(tasks.Key, out JobRun? job))
                CancelAttempts(job, tasks.Select(t => t.Number).Where(n => job.End != JobEnd.None
                    || job.Tasks.State(n) is not (TaskState.Placed or TaskState.Ready)), CancelReason.Settled, JobDesk.Grace);
    }

    /// <summary>All that waits is looked at anew.</summary>
    public void WakeAll(JobRun job)
    {
        foreach (SegmentRun segment in job.Segments)
            if (segment.Queue.Count > 0)
                Wake(job, segment);
    }

    /// <summary>Somebody held the job: what it has before the market wants nothing until it is released.</summary>
    public void Hold(JobRun job)
    {
        foreach (SegmentRun segment in job.Segments)
            LookAgain(segment);
    }

    /// <summary>The segment's terms changed.</summary>
    public void TermsChanged(JobRun job, SegmentRun segment)
    {
        for (int i = 0; i < segment.Groups.Count; i++)
            if (groups.TryGetValue(segment.Groups[i], out PlacementGroup? group))
            {
                context.Allocator.SetTerms(segment.Groups[i], TermsOf(job, segment, group.Variant));
                group.ForgetTemplate();
            }
    }

    /// <summary>Tasks of the job run again, and may leave other outputs than those that templates name.</summary>
    public void ForgetTemplates(JobRun job)
    {
        context.OutputsRemade++;
        foreach (SegmentRun segment in job.Segments)
            foreach (int id in segment.Groups)
                groups[id].ForgetTemplate();
    }

    /// <summary>The job is over: its groups want nothing.</summary>
    public void Retire(JobRun job)
    {
        foreach (SegmentRun segment in job.Segments)
        {
            foreach (int id in segment.Groups)
            {
                groups.Remove(id);
                context.Allocator.Retire(id);
            }
            segment.Groups.Clear();
            segment.Queue.Clear();
        }
        context.Allocator.Forget(job.Number);
    }

    /// <summary>By when the segment's tasks must have been placed.</summary>
    public static Instant DeadlineOf(JobRun job, SegmentRun segment) =>
        segment.Spec.Deadline is { } deadline ? job.SubmittedOn + deadline : Instant.Never;

    /// <inheritdoc/>
    public int Pending(int group) => groups.TryGetValue(group, out PlacementGroup? g) ? Allowed(g, g.Segment.Queue.Count) : 0;

    /// <inheritdoc/>
    public int PendingFor(int group, PeerId worker) =>
        groups.TryGetValue(group, out PlacementGroup? g) ? Allowed(g, g.Segment.Queue.CountFor(worker, context.Now, HasCopy(g))) : 0;

    /// <summary>Looks at what waited for its time.</summary>
    public void Tick()
    {
        while (delays.Count > 0 && delays.Min.At <= context.Now)
        {
            (Instant _, int number, int index) = delays.Min;
            delays.Remove(delays.Min);
            if (context.State.TryGet(number, out JobRun? job) && job.Segments[index].Queue.Release(context.Now))
                Wake(job, job.Segments[index]);
        }
    }

    /// <summary>An offer won: its tasks are chosen, recorded, and confirmed when that is durable.</summary>
    public void Award(AllocatorEffect.Award award)
    {
        if (confirmations.IsOpen(award.Offer))
            return;
        var entries = new List<(PlacementGroup, AwardEntry, List<int>)>(award.Entries.Length);
        int room = Messages.Confirm.TasksMax;
        foreach (AwardEntry entry in award.Entries)
        {
            if (!groups.TryGetValue(entry.Group, out PlacementGroup? group))
                continue;
            int wanted = Math.Min(Math.Min(entry.Count, room), Allowed(group, int.MaxValue));
            List<int> tasks = group.Segment.Queue.Take(award.Worker, wanted, context.Now, HasCopy(group));
            room -= tasks.Count;
            entries.Add((group, entry, tasks));
        }
        Confirm(award, entries, []);
    }

    /// <summary>A whole gang has offers: its ranks are given out together; the attempts that came of it.</summary>
    public (JobRun Job, SegmentRun Segment, List<AttemptId> Members)? AwardGang(AllocatorEffect.AwardGang award)
    {
        if (!groups.TryGetValue(award.Group, out PlacementGroup? group) || Pending(award.Group) < group.Segment.Count
            || award.Members.Any(m => confirmations.IsOpen(m.Offer)))
            return null;
        var shares = new List<(AllocatorEffect.Award Award, List<int> Tasks)>();
        string[] hosts = new string[group.Segment.Count];
        foreach (AllocatorEffect.Award member in award.Members)
        {
            List<int> tasks = group.Segment.Queue.Take(member.Worker, member.Entries[0].Count, Instant.Never, HasCopy(group));
            shares.Add((member, tasks));
            foreach (int task in tasks)
                hosts[task - group.Segment.First] = context.Names.TryGetValue(member.Worker, out SchedulerInput.Named? named) ? named.Host : "";
        }
        var members = new List<AttemptId>();
        foreach ((AllocatorEffect.Award member, List<int> tasks) in shares)
            members.AddRange(Confirm(member, [(group, member.Entries[0], tasks)], [.. hosts]));
        return (group.Job, group.Segment, members);
    }

    /// <summary>Chooses what can be placed of what was won, with the full price set aside, and confirms it; the attempts, or none if nothing came of it.</summary>
    private ImmutableArray<AttemptId> Confirm(
        AllocatorEffect.Award award, List<(PlacementGroup Group, AwardEntry Entry, List<int> Tasks)> entries, ImmutableArray<string> hosts)
    {
        var chosen = new List<Choice>();
        ImmutableArray<byte> last = default;
        int bytes = 0;
        foreach ((PlacementGroup group, AwardEntry entry, List<int> tasks) in entries)
            foreach (int number in tasks)
            {
                // What passes one frame waits for the next offer; a single task always fits one.
                if (bytes >= ConfirmBytesMax)
                {
                    PutInQueue(group.Job, group.Segment, number);
                    Wake(group.Job, group.Segment);
                    continue;
                }
                if (TemplateOf(group, number) is not { } template || !TryReserve(group, number, entry))
                    continue;
                bytes += AssignmentBytes + (template == last ? 0 : template.Length + group.SecretBytes);
                last = template;
                chosen.Add(new Choice(group, entry, number, template));
            }
        return chosen.Count == 0 ? [] : confirmations.Open(award, chosen, hosts);
    }

    /// <summary>A worker has room, and others have long lines: some of what stands there is asked back.</summary>
    public void Steal(AllocatorEffect.Spare spare)
    {
        if (!groups.TryGetValue(spare.Group, out PlacementGroup? group) || context.Now < group.NextSteal)
            return;
        group.NextSteal = context.Now + StealInterval;
        IEnumerable<LeasedAttempt> lines = context.Allocator.WithSeveral(spare.Group).Where(worker => worker != spare.Worker)
            .SelectMany(worker => context.Leases.TryOf(worker)?.Attempts.Values.AsEnumerable() ?? []).Where(a => a.Group == spare.Group && a.Phase == LeasePhase.Leased);
        IGrouping<PeerId, LeasedAttempt>? longest = lines.GroupBy(a => a.Worker).MaxBy(g => (g.Count(), g.Key));
        if (longest is null || longest.Count() < 2)
            return;
        // The last in line are the furthest from their start; half of it, so that both are done at about the same time.
        context.Emit(new SchedulerEffect.Send(longest.Key,
            new Steal([.. longest.Select(a => a.Id).OrderDescending().Take(Math.Min(Math.Max(spare.Count, longest.Count() / 2), 1024))])));
    }

    /// <summary>An attempt is over, and its lease is out of the book: it frees its place in the segment's limit.</summary>
    public void Left(JobRun job, LeasedAttempt attempt, TimeSpan wall)
    {
        int number = attempt.Id.Task.Number;
        SegmentRun segment = job.SegmentOf(number);
        segment.Live--;
        context.Allocator.Ended(attempt.Group, attempt.Worker, wall);
        if (segment.Spec.Nodes is not null)
            context.LeftGangs.Add(attempt.Id);
        if (segment.Spec.Exclusive && job.End == JobEnd.None)
            job.Reopen(number, Ready);
        if (segment.Spec.Concurrency is not null && segment.Queue.Count > 0)
            Wake(job, segment);
        if (job.IsShort)
            TryAgain(job);
    }

    /// <summary>An attempt gave back some of what was set aside for it: what the budget did not bear before is advertised once more.</summary>
    private void TryAgain(JobRun job)
    {
        job.IsShort = false;
        foreach (SegmentRun segment in job.Segments)
        {
            if (segment.ShortOf is null)
                continue;
            segment.ShortOf = null;
            if (segment.Queue.Count == 0)
                continue;
            Wake(job, segment);
            foreach (int group in segment.Groups)
                context.Allocator.Returned(group);
        }
    }

    /// <summary>Groups of a segment, for <c>explain</c>.</summary>
    public IEnumerable<(int Group, int Variant)> GroupsOf(SegmentRun segment) =>
        segment.Groups.Where(groups.ContainsKey).Select(id => (id, groups[id].Variant));

    /// <summary>What would be bid for a segment, or an alternative of it.</summary>
    public GroupTerms TermsOf(JobRun job, SegmentRun segment, int variant) =>
        SegmentTerms.Of(segment.Spec, variant, context.Options.Prices, DeadlineOf(job, segment), job.SubmittedOn, context.Now);

    private void Wake(JobRun job, SegmentRun segment)
    {
        if (segment.Groups.Count == 0)
            for (int variant = 0; variant <= segment.Spec.Alternatives.Length; variant++)
            {
                GroupTerms terms = TermsOf(job, segment, variant);
                if (context.Allocator.Open(terms, context.Allocator.TopicOf(terms, context.Options.Region), job.Number) is not { } id)
                    break;
                groups[id] = new PlacementGroup(job, segment, variant);
                segment.Groups.Add(id);
            }
        LookAgain(segment);
    }

    /// <summary>The segment wants more places, or fewer.</summary>
    public void LookAgain(SegmentRun segment)
    {
        foreach (int group in segment.Groups)
            context.Allocator.Wake(group);
    }

    private int Allowed(PlacementGroup group, int places)
    {
        if (context.ShortOf is not null)
            return 0;
        if (group.Job.IsHeld || group.Job.End != JobEnd.None)
            return 0;
        if (group.Job.Budget.Available <= Credits.Zero)
        {
            // All of it is set aside: looked at again when an attempt gives some of it back.
            group.Segment.ShortOf ??= new Credits(1);
            group.Job.IsShort = true;
            return 0;
        }
        // It would be offered, won and let go again, as fast as messages go: nothing changes before an attempt gives some of its money back.
        if (group.Segment.ShortOf is { } need && group.Job.Budget.Available < need)
            return 0;
        if (group.Segment.Spec.Concurrency is { } most)
            places = Math.Min(places, most - group.Segment.Live);
        // A gang goes as a whole or not at all.
        if (group.Segment.Spec.Nodes is { } nodes && places < nodes)
            return 0;
        return Math.Max(places, 0);
    }

    private Func<int, PeerId, bool> HasCopy(PlacementGroup group) => (number, worker) =>
        group.Segment.Spec.Accept.Of > 1
        && (group.Job.Votes(number).Any(v => v.Worker == worker)
            || context.Leases.OfTask(new TaskId(group.Job.Id, number)).Any(a => a.Worker == worker));

    private int CopiesOut(JobRun job, int number)
    {
        int copies = 0;
        foreach (LeasedAttempt attempt in context.Leases.OfTask(new TaskId(job.Id, number)))
            if (attempt is { Replaced: false, Cancelled: null })
                copies++;
        return copies;
    }

    /// <summary>Places that the task should have or stand in line for, and does not.</summary>
    private int Missing(JobRun job, SegmentRun segment, int number) =>
        segment.Spec.Accept.Of - job.Votes(number).Count - CopiesOut(job, number) - segment.Queue.ChoosyOf(number);

    private void PutInQueue(JobRun job, SegmentRun segment, int number)
    {
        if (segment.Spec.Accept.Of == 1)
            segment.Queue.Add(number);
        else
            for (int i = Missing(job, segment, number); i > 0; i--)
                segment.Queue.AddChoosy(number, context.Now, context.Now, default, context.Now);
    }

    /// <summary>Sets the task's full price aside; false, and the task is in line again, if the budget does not bear it.</summary>
    private bool TryReserve(PlacementGroup group, int number, AwardEntry entry)
    {
        TimeSpan period = MoneyDesk.FirstPeriod(context.Allocator.Estimate(entry.Group));
        Credits need = Billing.Amount(entry.Ask, period);
        if (group.Job.Budget.TryReserve(context.NextAttempt(group.Job, number), need))
            return true;
        PutInQueue(group.Job, group.Segment, number);
        group.Segment.ShortOf = need;
        group.Job.IsShort = true;
        context.Touch(group.Job);
        return false;
    }

    /// <summary>What a task runs; null if it cannot be made, which fails the task for good: its job's fault, the same at each try.</summary>
    private ImmutableArray<byte>? TemplateOf(PlacementGroup group, int number)
    {
        if (group.TryMakeTemplate(number, context.Options.Unseal, out ImmutableArray<byte> template, out string? error))
            return template;
        if (group.Segment.Queue.ChoosyOf(number) > 0)
            group.Segment.Queue.Withdraw(number);
        context.Record(new SchedulerRecord.Closed(group.Job.Id, context.Utc, TaskState.Failed, error, [number]));
        context.Touch(group.Job, number);
        return null;
    }
}
