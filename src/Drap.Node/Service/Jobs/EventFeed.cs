using System.Runtime.CompilerServices;
using Drap.Api;
using Drap.Core.Jobs;
using Drap.Core.Nodes;
using Drap.Node.Time;

namespace Drap.Node.Service;

/// <summary>A job's events, as a stream that ends with the job.</summary>
internal sealed class EventFeed(ISchedulerPort port, JobWatch watch)
{
    /// <summary>Between two events about the job itself: ten a second is more than an eye follows.</summary>
    private static readonly TimeSpan jobInterval = TimeSpan.FromMilliseconds(100);

    public async IAsyncEnumerable<JobEvent> EventsAsync(JobId id, bool tasks, [EnumeratorCancellation] CancellationToken cancel)
    {
        // Before the snapshot, so that nothing falls between the two.
        using JobWatch.Listener listener = watch.Listen(id, tasks, tasks ? null : jobInterval);
        (JobEvent snapshot, bool hasEnded) = await SnapshotAsync(id, cancel).ConfigureAwait(false);
        yield return snapshot;
        long last = Environment.TickCount64;
        bool isOwed = false;
        while (!hasEnded)
        {
            TimeSpan due = TimeSpan.FromMilliseconds(last + (long)jobInterval.TotalMilliseconds - Environment.TickCount64);
            await listener.WaitAsync(isOwed ? (due > TimeSpan.Zero ? due : TimeSpan.Zero) : Timeout.InfiniteTimeSpan, cancel).ConfigureAwait(false);
            (bool hasNews, bool hasEnd, bool hasGap, List<int> changed) = listener.Take();
            isOwed |= hasNews;
            if (hasGap)
            {
                yield return new JobEvent { Kind = EventKind.Gap, At = BootClock.UtcNow };
                (snapshot, hasEnded) = await SnapshotAsync(id, cancel).ConfigureAwait(false);
                yield return snapshot;
                (last, isOwed) = (Environment.TickCount64, false);
                continue;
            }
            bool isDue = isOwed && Environment.TickCount64 - last >= jobInterval.TotalMilliseconds;
            // Each look is a turn of the scheduler: none for news that are to be told later.
            if (hasNews && !hasEnd && !isDue && changed.Count == 0)
                continue;
            (List<JobEvent> events, hasEnded, bool toldJob) = await port.ReadAsync(
                (node, now) => Read(new Moment(node, now, BootClock.UtcNow), id, changed, isDue), cancel).ConfigureAwait(false);
            foreach (JobEvent happened in events)
                yield return happened;
            if (toldJob)
                (last, isOwed) = (Environment.TickCount64, false);
        }
    }

    private async Task<(JobEvent, bool HasEnded)> SnapshotAsync(JobId id, CancellationToken cancel) => await port.ReadAsync(
        (node, now) =>
        {
            var at = new Moment(node, now, BootClock.UtcNow);
            JobRun job = at.Job(id);
            return (OfJob(at, job, EventKind.Snapshot), job.End != JobEnd.None);
        }, cancel).ConfigureAwait(false);

    private static (List<JobEvent> Events, bool HasEnded, bool ToldJob) Read(Moment at, JobId id, List<int> changed, bool isDue)
    {
        JobRun job = at.Job(id);
        bool hasEnded = job.End != JobEnd.None;
        var events = new List<JobEvent>(changed.Count + 1);
        foreach (int number in changed)
            events.Add(new JobEvent { Kind = EventKind.Task, At = at.Utc, Task = TaskView.Of(at, job, number) });
        if (hasEnded || isDue)
            events.Add(OfJob(at, job, EventKind.Job));
        return (events, hasEnded, hasEnded || isDue);
    }

    private static JobEvent OfJob(Moment at, JobRun job, EventKind kind)
    {
        JobDocument document = JobView.Of(at, job);
        return new JobEvent { Kind = kind, At = at.Utc, Job = document.Job, Segments = document.Segments };
    }
}
