using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// Everything that a scheduler knows durably. It changes only by <see cref="Apply(SchedulerRecord)"/>, in the running scheduler as in a replay, so that
/// what is recovered is what was.
/// </summary>
public sealed class SchedulerState
{
    /// <summary>Jobs that have not ended, at once. More are refused: each keeps its spec and its queue in memory.</summary>
    public const int OpenJobsMax = 10_000;

    /// <summary>Tasks in the history of ended jobs; the oldest jobs are dropped beyond it.</summary>
    public const int HistoryTasksMax = 1_000_000;

    /// <summary>How long an ended job is kept.</summary>
    public static readonly TimeSpan HistoryAge = TimeSpan.FromDays(30);

    private readonly SortedDictionary<int, JobRun> byNumber = [];
    private readonly Dictionary<JobId, JobRun> jobs = [];
    private readonly Dictionary<PeerId, int> nodeIndex = [];
    private readonly List<(PeerId Peer, string Name)> nodes = [];

    private readonly Dictionary<AttemptId, OpenAttempt> open = [];
    private readonly SortedSet<(long EndedAt, int Number)> ended = [];

    /// <summary>Attempts that were placed and whose end is not known.</summary>
    public IReadOnlyDictionary<AttemptId, OpenAttempt> Open => open;

    /// <summary>The last epoch.</summary>
    public Epoch Epoch { get; private set; }

    /// <summary>The next job's short number.</summary>
    public int NextNumber { get; private set; } = 1;

    /// <summary>Jobs by their short number, the oldest first.</summary>
    public IReadOnlyCollection<JobRun> Jobs => byNumber.Values;

    /// <summary>Jobs that have not ended.</summary>
    public int OpenJobs { get; private set; }

    /// <summary>Tasks of jobs that have.</summary>
    public long HistoryTasks { get; private set; }

    /// <summary>Looks a job up by its id.</summary>
    public bool TryGet(JobId id, [NotNullWhen(true)] out JobRun? job) => jobs.TryGetValue(id, out job);

    /// <summary>Looks a job up by its short number.</summary>
    public bool TryGet(int number, [NotNullWhen(true)] out JobRun? job) => byNumber.TryGetValue(number, out job);

    /// <summary>A node that ever ran something, by its index in task tables.</summary>
    public (PeerId Peer, string Name) Node(int index) => index < 0 ? (default, "") : nodes[index];

    /// <summary>The index of a node; -1 if it never ran anything.</summary>
    public int IndexOf(PeerId peer) => nodeIndex.GetValueOrDefault(peer, -1);

    /// <summary>Applies one record. A record about a job that is not known is of one that was forgotten, and changes nothing.</summary>
    public void Apply(SchedulerRecord record)
    {
        switch (record)
        {
            case SchedulerRecord.EpochBegan began:
                Epoch = began.Epoch;
                break;
            case SchedulerRecord.Submitted submitted:
                Apply(submitted);
                break;
            case SchedulerRecord.Placed placed when jobs.TryGetValue(placed.Job, out JobRun? job):
                Apply(job, placed);
                break;
            case SchedulerRecord.Ended ended when jobs.TryGetValue(ended.Job, out JobRun? job):
                foreach (EndedAttempt attempt in ended.Attempts)
                    Apply(job, attempt, ended.At);
                break;
            case SchedulerRecord.GangWent went when jobs.TryGetValue(went.Job, out JobRun? job):
                job.Segments[went.Segment].HasGone = true;
                break;
            case SchedulerRecord.Acted acted when jobs.TryGetValue(acted.Job, out JobRun? job):
                Apply(job, acted);
                break;
            case SchedulerRecord.Changed changed when jobs.TryGetValue(changed.Job, out JobRun? job):
                Apply(job, changed.Change);
                break;
            case SchedulerRecord.Closed closed when jobs.TryGetValue(closed.Job, out JobRun? job):
                foreach (int number in closed.Tasks)
                {
                    job.Tasks.SetState(number, closed.State);
                    job.Tasks.SetDetail(number, closed.Detail);
                    job.NewlyDead.Add(number);
                }
                job.ChangedAt = closed.At;
                break;
            case SchedulerRecord.OutputsLost lost when jobs.TryGetValue(lost.Job, out JobRun? job):
                foreach (int number in lost.Tasks)
                    job.Tasks.Lose(number);
                job.ChangedAt = lost.At;
                break;
            case SchedulerRecord.JobOver over when jobs.TryGetValue(over.Job, out JobRun? job):
                Close(job, over);
                break;
            case SchedulerRecord.Reopened reopened:
                foreach (AttemptId attempt in reopened.Attempts)
                    AddOpen(attempt, new OpenAttempt(reopened.Worker, reopened.Ask, reopened.At));
                break;
            case SchedulerRecord.Nodes known:
                foreach (KnownNode node in known.Known)
                    AddNode(node.Peer, node.Name);
                break;
            case SchedulerRecord.Standing standing when jobs.TryGetValue(standing.Job, out JobRun? job):
                Apply(job, standing);
                break;
            case SchedulerRecord.Rows rows when jobs.TryGetValue(rows.Job, out JobRun? job):
                foreach (TaskRow row in rows.Tasks)
                {
                    job.Tasks.SetRow(row);
                    foreach (Vote vote in row.Votes)
                        job.AddVote(row.Number, vote);
                }
                break;
            case SchedulerRecord.Forgotten forgotten when jobs.Remove(forgotten.Job, out JobRun? job):
                byNumber.Remove(job.Number);
                ended.Remove((job.EndedAt.Milliseconds, job.Number));
                HistoryTasks -= job.Tasks.Count;
                break;
        }
    }

    /// <summary>An ended job that the bounds on history no longer keep; null if there is none.</summary>
    public JobRun? Expired(UtcTime now)
    {
        foreach ((long at, int number) in ended)
        {
            if (HistoryTasks <= HistoryTasksMax && now - new UtcTime(at) <= HistoryAge)
                return null;
            // One of which something is still being ended waits for that, or its leases would be kept up for nobody.
            if (byNumber[number] is { Open: 0 } job)
                return job;
        }
        return null;
    }

    /// <summary>The state as records: applied to an empty state they make this one.</summary>
    public IEnumerable<SchedulerRecord> ToRecords()
    {
        yield return new SchedulerRecord.EpochBegan(Epoch, default);
        yield return new SchedulerRecord.Nodes([.. nodes.Select(n => new KnownNode(n.Peer, n.Name))]);
        foreach (JobRun job in byNumber.Values)
            foreach (SchedulerRecord record in ToRecords(job))
                yield return record;
        foreach (IGrouping<(JobId Job, OpenAttempt Placed), AttemptId> alike in open
            .OrderBy(o => o.Key).GroupBy(o => (o.Key.Task.Job, o.Value), o => o.Key))
            foreach (AttemptId[] chunk in alike.Chunk(SchedulerRecord.Rows.CountMax))
                yield return new SchedulerRecord.Reopened(alike.Key.Job, alike.Key.Placed.Worker, alike.Key.Placed.Ask, alike.Key.Placed.At, [.. chunk]);
    }

    private static IEnumerable<SchedulerRecord> ToRecords(JobRun job)
    {
        yield return new SchedulerRecord.Submitted(job.Id, job.Number, job.Principal, job.SubmittedAt, [.. JobJson.Write(job.Spec)], job.OutFolder, job.SealedSecrets);
        foreach (JobChange change in job.Changes)
            yield return new SchedulerRecord.Changed(job.Id, job.ChangedAt, change);
        foreach (TaskRow[] rows in Enumerable.Range(1, job.Tasks.Count).Select(n => job.Tasks.Row(n, job.Votes(n)))
            .InParts(SchedulerRecord.Rows.CountMax, SchedulerRecord.BytesMax, r => r.WireBytes))
            yield return new SchedulerRecord.Rows(job.Id, [.. rows]);
        yield return new SchedulerRecord.Standing(job.Id, job.IsHeld, job.End, job.Reason, job.EndedAt, job.ChangedAt, job.Spent,
            [.. job.Segments.Where(s => s.HasGone).Select(s => s.Index)]);
    }

    internal int AddNode(PeerId peer, string name)
    {
        if (!nodeIndex.TryGetValue(peer, out int index))
        {
            nodeIndex[peer] = index = nodes.Count;
            nodes.Add((peer, name));
        }
        else if (name.Length > 0 && nodes[index].Name != name)
        {
            nodes[index] = (peer, name);
        }
        return index;
    }

    private void Apply(SchedulerRecord.Submitted submitted)
    {
        if (jobs.ContainsKey(submitted.Job))
            return;
        // The spec was read and checked before it was journaled: one that cannot be read is a journal of a later version.
        if (!JobJson.TryRead(submitted.Spec.AsSpan(), out JobSpec? spec, out string? error))
            throw new InvariantException($"job {submitted.Job} in the journal cannot be read: {error}");
        var job = new JobRun(submitted.Job, submitted.Number, submitted.Principal, submitted.At, spec, submitted.OutFolder) { SealedSecrets = submitted.Secrets };
        jobs.Add(job.Id, job);
        byNumber.Add(job.Number, job);
        NextNumber = Math.Max(NextNumber, job.Number + 1);
        OpenJobs++;
    }

    private void AddOpen(AttemptId attempt, OpenAttempt placed)
    {
        if (jobs.TryGetValue(attempt.Task.Job, out JobRun? job) && open.TryAdd(attempt, placed))
            job.Open++;
    }

    private void Apply(JobRun job, SchedulerRecord.Placed placed)
    {
        int node = AddNode(placed.Worker, placed.Node);
        foreach (AttemptId attempt in placed.Attempts)
        {
            int number = attempt.Task.Number;
            AddOpen(attempt, new OpenAttempt(placed.Worker, placed.Ask, placed.At));
            job.SegmentOf(number).HasGone = false;
            job.Tasks.Place(number, attempt.Fence.Attempt, node, placed.Ask);
            if (job.Tasks.State(number) is TaskState.Ready or TaskState.Blocked)
                job.Tasks.SetState(number, TaskState.Placed);
        }
        job.ChangedAt = placed.At;
    }

    internal void Apply(JobRun job, EndedAttempt ended, UtcTime at)
    {
        AttemptResult result = ended.Result;
        if (open.Remove(result.Attempt, out OpenAttempt placed))
            job.Open--;
        int number = result.Attempt.Task.Number;
        int node = AddNode(ended.Worker, "");
        job.Tasks.End(number, result, ended.Verdict, node, placed.Ask, ended.Cost, at);
        job.Spent += ended.Cost;
        job.ChangedAt = at;
        switch (ended.Verdict)
        {
            case Verdict.Accepted:
                job.Tasks.Accept(number, result.Outputs);
                job.ClearVotes(number);
                break;
            case Verdict.Voted:
                job.AddVote(number, new Vote(result.Attempt, ended.Worker, result.Outputs));
                break;
            case Verdict.FailedForGood:
                job.Tasks.CountFailure(number);
                job.Tasks.SetState(number, TaskState.Failed);
                job.NewlyDead.Add(number);
                break;
            case Verdict.Failed:
                job.Tasks.CountFailure(number);
                break;
        }
    }

    private static void Apply(JobRun job, SchedulerRecord.Acted acted)
    {
        job.ChangedAt = acted.At;
        if (acted.Tasks.IsEmpty && acted.Deed is JobDeed.Hold or JobDeed.Release)
        {
            job.IsHeld = acted.Deed == JobDeed.Hold;
            return;
        }
        foreach (int number in acted.Tasks)
        {
            switch (acted.Deed)
            {
                case JobDeed.Cancel:
                    job.Tasks.SetState(number, TaskState.Cancelled);
                    job.NewlyDead.Add(number);
                    break;
                case JobDeed.Hold:
                    job.Tasks.SetState(number, TaskState.Held);
                    break;
                case JobDeed.Release or JobDeed.Requeue:
                    job.Tasks.SetState(number, TaskState.Blocked);
                    break;
                case JobDeed.Rerun:
                    job.Tasks.Reset(number);
                    job.ClearVotes(number);
                    break;
            }
        }
    }

    private void Apply(JobRun job, SchedulerRecord.Standing standing)
    {
        job.IsHeld = standing.Held;
        job.ChangedAt = standing.ChangedAt;
        job.Spent = standing.Spent;
        foreach (int gang in standing.GoneGangs)
            job.Segments[gang].HasGone = true;
        if (standing.End != JobEnd.None)
            Close(job, new SchedulerRecord.JobOver(job.Id, standing.EndedAt, standing.End, standing.Reason));
    }

    private static void Apply(JobRun job, JobChange change)
    {
        job.Changes.Add(change);
        if (change.Budget is { } budget)
            job.Budget.TryChange(budget);
        if (change.MaxFails is { } maxFails)
            job.MaxFails = maxFails;
        foreach (SegmentRun segment in job.Segments)
        {
            if (change.Segment.Length > 0 && segment.Spec.Name != change.Segment)
                continue;
            segment.Spec = segment.Spec with
            {
                Priority = change.Priority ?? segment.Spec.Priority,
                Bid = change.Bid ?? segment.Spec.Bid,
                Limit = change.Limit ?? segment.Spec.Limit,
                Timeout = change.Timeout ?? segment.Spec.Timeout,
                Retries = change.Retries ?? segment.Spec.Retries,
                // As in a job file, a gang has none: it runs as a whole.
                Concurrency = segment.Spec.Nodes is null ? change.Concurrency ?? segment.Spec.Concurrency : null,
                Deadline = change.Deadline ?? segment.Spec.Deadline,
            };
        }
    }

    private void Close(JobRun job, SchedulerRecord.JobOver over)
    {
        bool wasOpen = job.End == JobEnd.None;
        ended.Remove((job.EndedAt.Milliseconds, job.Number));
        job.End = over.End;
        job.Reason = over.Reason;
        job.EndedAt = over.At;
        if (wasOpen && over.End != JobEnd.None)
        {
            OpenJobs--;
            HistoryTasks += job.Tasks.Count;
        }
        else if (!wasOpen && over.End == JobEnd.None)
        {
            OpenJobs++;
            HistoryTasks -= job.Tasks.Count;
        }
        if (over.End != JobEnd.None)
            ended.Add((over.At.Milliseconds, job.Number));
    }
}

/// <summary>Where an attempt was placed, for how much, and when.</summary>
/// <param name="Worker">The worker.</param>
/// <param name="Ask">The price agreed.</param>
/// <param name="At">When; zero where a snapshot of an earlier version does not tell.</param>
public readonly record struct OpenAttempt(PeerId Worker, Price Ask, UtcTime At);
