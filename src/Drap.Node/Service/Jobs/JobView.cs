using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Nodes;
using ApiState = Drap.Api.TaskState;
using CoreState = Drap.Core.Jobs.TaskState;

namespace Drap.Node.Service;

/// <summary>
/// A job and its segments as people see them. A summary looks at each task once, some nanoseconds each; those of jobs that have ended
/// are kept beside the job, so that a list of ten thousand does not look at a million tasks.
/// </summary>
internal static class JobView
{
    private static readonly ConditionalWeakTable<JobRun, JobDocument> endedJobs = [];

    public static JobDocument Of(Moment at, JobRun job)
    {
        if (job.End != JobEnd.None && endedJobs.TryGetValue(job, out JobDocument? kept) && kept.Job.EndedAt == job.EndedAt)
            return kept;
        JobDocument document = Make(at, job);
        // What ended after the job did (a cancelled attempt's last words) still costs: kept only once nothing runs.
        if (job.End != JobEnd.None && job.Segments.All(s => s.Live == 0))
            endedJobs.AddOrUpdate(job, document);
        return document;
    }

    public static JobState StateOf(JobRun job) => job.End switch
    {
        JobEnd.Succeeded => JobState.Finished,
        JobEnd.Failed => JobState.Failed,
        JobEnd.Cancelled => JobState.Cancelled,
        JobEnd.NotPlaced or JobEnd.TimedOut => JobState.Expired,
        _ when job.IsHeld => JobState.Held,
        _ when job.Tasks.CountOf(CoreState.Placed) + job.Tasks.CountOf(CoreState.Succeeded) + job.Tasks.CountOf(CoreState.Failed) > 0 => JobState.Running,
        _ => JobState.Waiting,
    };

    private static JobDocument Make(Moment at, JobRun job)
    {
        var segments = ImmutableArray.CreateBuilder<SegmentSummary>(job.Segments.Length);
        var total = new Tally();
        foreach (SegmentRun segment in job.Segments)
        {
            var own = new Tally();
            for (int number = segment.First; number < segment.First + segment.Count; number++)
                own.Add(at, job, number);
            segments.Add(new SegmentSummary { Name = segment.Spec.Name, FirstTask = segment.First, Tasks = own.Counts(), Cost = new Credits(own.Cost) });
            total.Add(own);
        }
        bool hasEnded = job.End != JobEnd.None;
        return new JobDocument
        {
            Job = new JobSummary
            {
                Id = job.Id,
                Number = job.Number,
                Name = job.Spec.Name,
                State = StateOf(job),
                Reason = ReasonOf(job),
                Tasks = total.Counts(),
                Cost = job.Spent,
                Budget = job.Budget.Budget < Credits.LimitMax ? job.Budget.Budget : null,
                Priority = job.Segments.Max(s => s.Spec.Priority),
                SubmittedAt = job.SubmittedAt,
                StartedAt = total.StartedAt,
                EndedAt = hasEnded ? job.EndedAt : null,
                ExpectedAt = hasEnded ? null : total.ExpectedAt(at),
            },
            Segments = segments.MoveToImmutable(),
            OutFolder = job.OutFolder.Length > 0 ? job.OutFolder : null,
        };
    }

    private static Reason? ReasonOf(JobRun job)
    {
        int failed = job.Tasks.CountOf(CoreState.Failed);
        switch (job.End)
        {
            case JobEnd.None:
                return job.IsHeld ? new Reason(ReasonCodes.Held, "held by its user") : null;
            case JobEnd.Succeeded:
                return null;
            case JobEnd.Failed when job.MaxFails is { } most && failed > most && job.Tasks.CountOf(CoreState.Cancelled) > 0:
                return new Reason(ReasonCodes.MaxFails, job.Reason);
            case JobEnd.Failed:
                int first = 1;
                while (first < job.Tasks.Count && job.Tasks.State(first) != CoreState.Failed)
                    first++;
                return new Reason(TaskView.ReasonOf(job, first)?.Code ?? ReasonCodes.ExitCode, job.Reason);
            default:
                string code = job.End == JobEnd.Cancelled ? ReasonCodes.Cancelled : job.End == JobEnd.TimedOut ? ReasonCodes.Timeout : ReasonCodes.NotPlaced;
                return new Reason(code, job.Reason);
        }
    }

    /// <summary>One walk over tasks.</summary>
    private struct Tally
    {
        private int waiting, placing, running, held, finished, failed, cancelled, expired;
        private long wallMicros;
        private long firstStart;

        public long Cost { get; private set; }

        public readonly UtcTime? StartedAt => firstStart > 0 ? new UtcTime(firstStart) : null;

        public void Add(Moment at, JobRun job, int number)
        {
            TaskTable tasks = job.Tasks;
            Cost += tasks.Cost(number).Micro;
            switch (TaskView.StateOf(job, number))
            {
                case ApiState.Waiting: waiting++; break;
                case ApiState.Placing: placing++; break;
                case ApiState.Running: running++; break;
                case ApiState.Held: held++; break;
                case ApiState.Finished:
                    finished++;
                    wallMicros += (long)tasks.Wall(number).TotalMicroseconds;
                    break;
                case ApiState.Failed: failed++; break;
                case ApiState.Cancelled: cancelled++; break;
                default: expired++; break;
            }
            if (tasks.EndedAt(number) is { Milliseconds: > 0 } end && tasks.Tries(number) > 0)
                Start((end + -tasks.Wall(number)).Milliseconds);
            else if (firstStart == 0 && tasks.State(number) == CoreState.Placed && at.Attempts(job, number) is [{ } first, ..])
                Start(at.PlacedAt(first).Milliseconds);
        }

        public void Add(in Tally other)
        {
            waiting += other.waiting;
            placing += other.placing;
            running += other.running;
            held += other.held;
            finished += other.finished;
            failed += other.failed;
            cancelled += other.cancelled;
            expired += other.expired;
            wallMicros += other.wallMicros;
            Cost += other.Cost;
            if (other.firstStart > 0)
                Start(other.firstStart);
        }

        public readonly TaskCounts Counts() => new()
        {
            Total = waiting + placing + running + held + finished + failed + cancelled + expired,
            Waiting = waiting,
            Placing = placing,
            Running = running,
            Held = held,
            Finished = finished,
            Failed = failed,
            Cancelled = cancelled,
            Expired = expired,
        };

        /// <summary>What is left at the mean of what was, on as many places as are used now; a guess, and none before something finished.</summary>
        public readonly UtcTime? ExpectedAt(Moment at)
        {
            int left = waiting + placing + running;
            if (finished == 0 || left == 0 || held > 0 || running == 0)
                return null;
            return at.Utc + TimeSpan.FromMicroseconds((double)wallMicros / finished * left / running);
        }

        private void Start(long at) => firstStart = firstStart == 0 ? at : Math.Min(firstStart, at);
    }
}
