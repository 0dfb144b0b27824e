using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Market.Allocation;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>Takes jobs, does to them what people want, and ends them.</summary>
internal sealed class JobDesk(SchedulerContext context, PlacementDesk placement, MarketDesk market)
{
    /// <summary>Between TERM and KILL of a cancelled attempt: time to write a file away, not more.</summary>
    public static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    private readonly SortedSet<(Instant At, int Job, int Segment)> deadlines = [];

    /// <summary>How often a gang was looked at since a rank of it had changed.</summary>
    public long GangLooks { get; private set; }

    /// <summary>The next deadline by which tasks must have been placed.</summary>
    public Instant NextDeadline => deadlines.Count > 0 ? deadlines.Min.At : Instant.Never;

    public void Submit(SchedulerInput.Submit submit)
    {
        if (context.State.TryGet(submit.Job, out JobRun? known))
        {
            context.EmitDurable(new SchedulerEffect.Done(submit.Ticket, new SchedulerReply.Submitted(known.Id, known.Number, known.Tasks.Count, false)));
            return;
        }
        if (context.ShortOf is { } why)
        {
            Refuse(submit.Ticket, RefusedBecause.NoRoom, $"{why}: what runs goes on and nothing is lost, but no new work is taken until that is over");
            return;
        }
        if (context.State.OpenJobs >= SchedulerState.OpenJobsMax)
        {
            Refuse(submit.Ticket, RefusedBecause.Busy, $"{SchedulerState.OpenJobsMax} jobs have not ended yet; wait for some of them");
            return;
        }
        context.Record(new SchedulerRecord.Submitted(
            submit.Job, context.State.NextNumber, submit.Principal, context.Utc, submit.Json, submit.OutFolder, submit.Secrets.Sealed));
        context.State.TryGet(submit.Job, out JobRun? job);
        job!.SubmittedOn = context.Now;
        job.Secrets = submit.Secrets.Values;
        context.EmitDurable(new SchedulerEffect.Done(submit.Ticket, new SchedulerReply.Submitted(submit.Job, job.Number, job.Tasks.Count, true)));
        Resume(job);
    }

    /// <summary>Puts a job before the market: a new one, or one that the journal knows.</summary>
    public void Resume(JobRun job)
    {
        job.Rebuild(placement.Ready);
        if (job.End == JobEnd.None)
        {
            // An attempt whose end is journaled may have left its task without one; and of several copies only those under way are.
            for (int number = 1; number <= job.Tasks.Count; number++)
                placement.Again(job, number, default, TimeSpan.Zero);
            foreach (SegmentRun segment in job.Segments)
            {
                SetDeadline(job, segment);
                if (segment.Spec.Nodes is not null)
                    context.TouchedGangs.Add((job.Number, segment.Index));
            }
        }
        context.Touch(job);
    }

    /// <summary>
    /// At the start: whoever gave a task its standard input did so through the process that was here before, and nobody gives the rest, or the
    /// whole once more. Such a task would wait for ever.
    /// </summary>
    public void EndUnfed()
    {
        foreach (JobRun job in context.State.Jobs.Where(j => j.End == JobEnd.None && j.Segments.Any(s => s.Spec.Stdin)).ToArray())
        {
            List<int> tasks = [.. Numbers(job, []).Where(n => IsOpen(job.Tasks.State(n)))];
            Close(job, TaskState.Failed, "its standard input went with the node that passed it on; run it anew", tasks);
            placement.CancelAttempts(job, tasks, CancelReason.User, Grace);
        }
    }

    public void Act(SchedulerInput.Act act)
    {
        if (!TryFind(act.Ticket, act.Job, out JobRun? job))
            return;
        if (act.Deed is JobDeed.Rerun or JobDeed.Requeue && job.Segments.Any(s => s.Spec.Stdin))
        {
            Refuse(act.Ticket, RefusedBecause.Conflict, $"job {job.Number} reads standard input, which cannot be given to it a second time; run it anew");
            return;
        }
        if (job.End != JobEnd.None && act.Deed != JobDeed.Rerun)
        {
            Refuse(act.Ticket, RefusedBecause.Conflict, $"job {job.Number} has ended; only rerun is possible");
            return;
        }
        bool whole = act.Tasks.IsEmpty;
        List<int> tasks = [.. WithMates(job, act.Deed, Numbers(job, act.Tasks).Where(n => Concerns(job, n, act.Deed, act.FailedOnly)))];
        int changed = tasks.Count;
        switch (act.Deed)
        {
            case JobDeed.Hold or JobDeed.Release when whole:
                // While a job is held all that waits is, whatever its own state.
                if (job.IsHeld)
                    changed = act.Deed == JobDeed.Hold ? 0 : changed + Numbers(job, []).Count(n => job.Tasks.State(n) is TaskState.Blocked or TaskState.Ready);
                context.Record(new SchedulerRecord.Acted(job.Id, context.Utc, act.Deed, []));
                if (act.Deed == JobDeed.Hold)
                    placement.Hold(job);
                else
                {
                    List<int> held = [.. Numbers(job, []).Where(n => job.Tasks.State(n) == TaskState.Held)];
                    if (held.Count > 0)
                        Do(job, act.Deed, held);
                    placement.WakeAll(job);
                }
                break;
            case JobDeed.Cancel when whole:
                Do(job, act.Deed, tasks);
                break;
            case JobDeed.Rerun:
                Rerun(job, tasks);
                break;
            default:
                if (changed > 0)
                    Do(job, act.Deed, tasks);
                break;
        }
        context.Touch(job);
        context.EmitDurable(new SchedulerEffect.Done(act.Ticket, new SchedulerReply.Acted(job.Id, changed)));
    }

    public void Change(SchedulerInput.Change change)
    {
        if (!TryFind(change.Ticket, change.Job, out JobRun? job))
            return;
        JobChange values = change.Values;
        if (values.Segment.Length > 0 && !job.Segments.Any(s => s.Spec.Name == values.Segment))
        {
            Refuse(change.Ticket, RefusedBecause.NotFound,
                $"job {job.Number} has no segment {values.Segment}; it has {string.Join(", ", job.Segments.Select(s => s.Spec.Name))}");
            return;
        }
        if (job.End != JobEnd.None)
        {
            Refuse(change.Ticket, RefusedBecause.Conflict, $"job {job.Number} has ended");
            return;
        }
        if (values.Budget is { } budget && budget < job.Budget.Spent + job.Budget.Reserved)
        {
            Refuse(change.Ticket, RefusedBecause.Conflict,
                $"the budget cannot be below the {job.Budget.Spent + job.Budget.Reserved} that are spent and set aside");
            return;
        }
        context.Record(new SchedulerRecord.Changed(job.Id, context.Utc, values));
        foreach (SegmentRun segment in job.Segments)
        {
            segment.ShortOf = null;
            SetDeadline(job, segment);
            placement.TermsChanged(job, segment);
        }
        placement.WakeAll(job);
        context.Touch(job);
        context.EmitDurable(new SchedulerEffect.Done(change.Ticket, new SchedulerReply.Acted(job.Id, 1)));
    }

    /// <summary>Closes what found no place by its deadline.</summary>
    public void Expire()
    {
        while (deadlines.Count > 0 && deadlines.Min.At <= context.Now)
        {
            (Instant at, int number, int index) = deadlines.Min;
            deadlines.Remove((at, number, index));
            if (!context.State.TryGet(number, out JobRun? job) || job.End != JobEnd.None)
                continue;
            SegmentRun segment = job.Segments[index];
            // It was moved.
            if (PlacementDesk.DeadlineOf(job, segment) > context.Now)
            {
                SetDeadline(job, segment);
                continue;
            }
            List<int> late = [];
            for (int task = segment.First; task < segment.First + segment.Count; task++)
                if (job.Tasks.State(task) is TaskState.Ready or TaskState.Blocked or TaskState.Held && job.Tasks.Tries(task) == 0)
                    late.Add(task);
            if (late.Count > 0)
                Close(job, TaskState.NotPlaced, $"not placed within {Duration.Format(segment.Spec.Deadline!.Value)} of the submit{LastWords(job, segment)}", late);
            // What is left was placed in time: should it have to be placed again, the deadline is met already.
            placement.TermsChanged(job, segment);
        }
    }

    /// <summary>Ends jobs that are over, or that have failed too often.</summary>
    public void EndJobs()
    {
        foreach (int number in context.Touched.ToArray())
        {
            if (!context.State.TryGet(number, out JobRun? job) || job.End != JobEnd.None)
                continue;
            CloseUnpaid(job);
            do
                CloseDoomed(job);
            while (CloseBrokenGangs(job));
            if (job.MaxFails is { } most && job.Tasks.CountOf(TaskState.Failed) > most && !job.Tasks.IsOver)
            {
                List<int> rest = [.. Numbers(job, []).Where(n => IsOpen(job.Tasks.State(n)))];
                Close(job, TaskState.Cancelled, $"more than {most} tasks of the job failed", rest);
                placement.CancelAttempts(job, rest, CancelReason.User, Grace);
            }
            if (job.Tasks.IsOver)
                End(job);
        }
        context.Touched.Clear();
        context.TouchedGangs.Clear();
    }

    /// <summary>Drops history beyond its bounds.</summary>
    public void ForgetOld()
    {
        while (context.State.Expired(context.Utc) is { } old)
        {
            context.Record(new SchedulerRecord.Forgotten(old.Id));
            context.EmitDurable(new SchedulerEffect.Forget(old.Id));
        }
    }

    private void End(JobRun job)
    {
        TaskTable tasks = job.Tasks;
        (JobEnd end, string reason) = (JobEnd.Succeeded, "");
        if (tasks.CountOf(TaskState.Failed) is > 0 and int failed)
        {
            int first = Numbers(job, []).First(n => tasks.State(n) == TaskState.Failed);
            bool timedOut = Numbers(job, []).All(n =>
                tasks.State(n) != TaskState.Failed || tasks.History(n) is [.., { Outcome: Outcome.TimedOut }]);
            end = timedOut ? JobEnd.TimedOut : JobEnd.Failed;
            reason = failed == 1 ? $"task {first} failed: {tasks.Detail(first)}" : $"{failed} tasks failed; the first is {first}: {tasks.Detail(first)}";
        }
        else if (tasks.CountOf(TaskState.NotPlaced) is > 0 and int late)
        {
            int first = Numbers(job, []).First(n => tasks.State(n) == TaskState.NotPlaced);
            (end, reason) = (JobEnd.NotPlaced, $"{late} of {tasks.Count} tasks found no place by their deadline; task {first}: {tasks.Detail(first)}");
        }
        else if (tasks.CountOf(TaskState.Cancelled) is > 0 and int cancelled)
        {
            (end, reason) = (JobEnd.Cancelled, $"{cancelled} of {tasks.Count} tasks were cancelled");
        }
        else if (tasks.CountOf(TaskState.Skipped) is > 0 and int skipped)
        {
            // What they needed has been run again since, and they were not.
            (end, reason) = (JobEnd.Failed, $"{skipped} of {tasks.Count} tasks were skipped; rerun them");
        }
        context.Record(new SchedulerRecord.JobOver(job.Id, context.Utc, end, reason));
        placement.Retire(job);
        job.Secrets = null;
    }

    private void CloseDoomed(JobRun job)
    {
        // One that runs again meanwhile dooms nobody: a replay brings up all that ever were.
        job.NewlyDead.RemoveAll(n => IsOpen(job.Tasks.State(n)) || job.Tasks.State(n) == TaskState.Succeeded);
        if (job.NewlyDead.Count == 0)
            return;
        List<int> doomed = job.Doomed(job.NewlyDead);
        job.NewlyDead.Clear();
        if (doomed.Count > 0)
            Close(job, TaskState.Skipped, "a task that it needs did not succeed", doomed);
        job.NewlyDead.Clear();
    }

    /// <summary>
    /// A gang runs as a whole: when a rank of it has come to its end for good, those that are not under way can never start any more.
    /// True if some were closed, since others may need them.
    /// </summary>
    private bool CloseBrokenGangs(JobRun job)
    {
        bool any = false;
        foreach ((_, int index) in context.TouchedGangs.GetViewBetween((job.Number, 0), (job.Number, int.MaxValue)).ToArray())
        {
            context.TouchedGangs.Remove((job.Number, index));
            GangLooks++;
            SegmentRun gang = job.Segments[index];
            List<int> waiting = [];
            int ended = 0, lost = 0;
            for (int rank = gang.First; rank < gang.First + gang.Count; rank++)
            {
                TaskState state = job.Tasks.State(rank);
                if (state is TaskState.Ready or TaskState.Blocked or TaskState.Held)
                    waiting.Add(rank);
                else if (state != TaskState.Placed)
                    ended = ended == 0 || state != TaskState.Succeeded ? rank : ended;
                if (state is not (TaskState.Placed or TaskState.Succeeded))
                    lost++;
            }
            if (ended == 0 || waiting.Count == 0 || lost == 0)
                continue;
            TaskState end = job.Tasks.State(ended);
            Close(job, end == TaskState.Succeeded ? TaskState.Failed : end, end == TaskState.Succeeded
                ? "another rank failed after this gang's first had finished; a gang runs as a whole"
                : $"rank {ended - gang.First} is {end}; a gang runs as a whole", waiting);
            any = true;
        }
        return any;
    }

    /// <summary>Nothing of the job is under way that could give some of its budget back: what the rest does not bear will never be placed.</summary>
    private void CloseUnpaid(JobRun job)
    {
        bool isUsedUp = job.Budget.Available <= Credits.Zero;
        if ((!isUsedUp && !job.IsShort) || job.Segments.Any(s => s.Live > 0))
            return;
        job.IsShort = false;
        foreach (SegmentRun segment in job.Segments)
        {
            if (!isUsedUp && segment.ShortOf is null)
                continue;
            Credits? need = segment.ShortOf;
            segment.ShortOf = null;
            List<int> waiting = [.. Enumerable.Range(segment.First, segment.Count).Where(n => job.Tasks.State(n) is TaskState.Ready or TaskState.Placed)];
            if (waiting.Count > 0)
                Close(job, TaskState.Failed, isUsedUp
                    ? $"the budget of {job.Budget.Budget} credits is used up"
                    : $"the budget of {job.Budget.Budget} credits is too small: {job.Budget.Spent} are spent, and {need} must be set aside for the task before it starts", waiting);
        }
    }

    /// <summary>What the market said last to a segment, which after its end nobody can ask any more.</summary>
    private string LastWords(JobRun job, SegmentRun segment) =>
        LastAnswers.Say(market.Explain(job, segment).SelectMany(g => g.Answers), context.NameOf) is { Length: > 0 } said ? $"; last heard: {said}" : "";

    private void Close(JobRun job, TaskState state, string detail, List<int> tasks)
    {
        placement.Withdraw(job, tasks);
        context.Record(new SchedulerRecord.Closed(job.Id, context.Utc, state, detail, [.. tasks]));
        foreach (int task in tasks)
            context.Touch(job, task);
    }

    private void Do(JobRun job, JobDeed deed, List<int> tasks)
    {
        placement.Withdraw(job, tasks);
        context.Record(new SchedulerRecord.Acted(job.Id, context.Utc, deed, [.. tasks]));
        foreach (int task in tasks)
            context.Touch(job, task);
        if (deed is JobDeed.Cancel or JobDeed.Requeue)
            placement.CancelAttempts(job, tasks, CancelReason.User, Grace);
        if (deed is JobDeed.Release or JobDeed.Requeue)
            foreach (int task in tasks)
                job.Reopen(task, placement.Ready);
    }

    private void Rerun(JobRun job, List<int> tasks)
    {
        if (tasks.Count == 0)
            return;
        if (job.End != JobEnd.None)
            context.Record(new SchedulerRecord.JobOver(job.Id, context.Utc, JobEnd.None, ""));
        context.Record(new SchedulerRecord.Acted(job.Id, context.Utc, JobDeed.Rerun, [.. tasks]));
        foreach (int task in tasks)
            context.Touch(job, task);
        placement.ForgetTemplates(job);
        // What needs a task that is not among them, and did not succeed, is skipped again rather than left to wait for it.
        job.NewlyDead.AddRange(Enumerable.Range(1, job.Tasks.Count));
        Resume(job);
    }

    private static bool Concerns(JobRun job, int number, JobDeed deed, bool failedOnly)
    {
        TaskState state = job.Tasks.State(number);
        return deed switch
        {
            JobDeed.Cancel => IsOpen(state),
            JobDeed.Hold => state is TaskState.Blocked or TaskState.Ready,
            JobDeed.Release => state is TaskState.Held,
            JobDeed.Requeue => state is TaskState.Placed,
            _ => !IsOpen(state) && (!failedOnly || state != TaskState.Succeeded),
        };
    }

    /// <summary>A gang is ended, taken back and run again as a whole.</summary>
    private static IEnumerable<int> WithMates(JobRun job, JobDeed deed, IEnumerable<int> tasks)
    {
        if (deed is JobDeed.Hold or JobDeed.Release || !job.Segments.Any(s => s.Spec.Nodes is not null))
            return tasks;
        return tasks.SelectMany(n => job.SegmentOf(n) is { Spec.Nodes: not null } gang
            ? Enumerable.Range(gang.First, gang.Count).Where(rank => Concerns(job, rank, deed, failedOnly: false))
            : [n]).Distinct().Order();
    }

    private static bool IsOpen(TaskState state) => state is TaskState.Blocked or TaskState.Ready or TaskState.Placed or TaskState.Held;

    private static IEnumerable<int> Numbers(JobRun job, ImmutableArray<TaskSpan> spans) =>
        spans.IsEmpty
            ? Enumerable.Range(1, job.Tasks.Count)
            : spans.SelectMany(s => Enumerable.Range(s.First, Math.Max(0, s.Last - s.First + 1)))
                .Where(n => n >= 1 && n <= job.Tasks.Count).Distinct().Order();

    private void SetDeadline(JobRun job, SegmentRun segment)
    {
        Instant at = PlacementDesk.DeadlineOf(job, segment);
        if (at != Instant.Never)
            deadlines.Add((at, job.Number, segment.Index));
    }

    private bool TryFind(Ticket ticket, JobId id, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out JobRun? job)
    {
        if (context.State.TryGet(id, out job))
            return true;
        Refuse(ticket, RefusedBecause.NotFound, $"there is no job {id}");
        return false;
    }

    private void Refuse(Ticket ticket, RefusedBecause because, string message) =>
        context.Emit(new SchedulerEffect.Done(ticket, new SchedulerReply.Refused(because, message)));
}
