using System.Collections.Concurrent;
using Drap.Api;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using LogChunk = Drap.Core.Messages.LogChunk;

namespace Drap.Node.Service;

/// <summary>
/// Sends a person's input to a task, never more than its worker said that it has room for. Bytes that were sent are not kept: an input that an
/// attempt has read a part of cannot be given to a second one.
/// </summary>
internal sealed class StdinFeed(ISchedulerPort port, JobWatch watch)
{
    private readonly ConcurrentDictionary<AttemptId, long> rooms = [];

    /// <summary>A worker has room; on the loop's thread.</summary>
    public void Room(AttemptId attempt, long until)
    {
        rooms.AddOrUpdate(attempt, until, (_, before) => Math.Max(before, until));
        watch.Changed(attempt.Task.Job, [], hasEnded: false);
    }

    /// <summary>The job is gone; on the loop's thread.</summary>
    public void Forget(JobId job)
    {
        foreach (AttemptId attempt in rooms.Keys)
            if (attempt.Task.Job == job)
                rooms.TryRemove(attempt, out _);
    }

    public async Task FeedAsync(JobId job, Stream input, CancellationToken cancel)
    {
        using JobWatch.Listener listener = watch.Listen(job, tasks: false);
        byte[] buffer = new byte[LogChunk.BytesMax];
        AttemptId? attempt = null;
        long sent = 0;
        while (true)
        {
            Target target = await TargetAsync(job, cancel).ConfigureAwait(false);
            if (target.HasEnded)
                return;
            if (attempt is not null && target.Attempt is not null && target.Attempt != attempt && sent > 0)
                throw new ApiException(ErrorCodes.Conflict, $"the task was placed again after {sent} bytes of its input had been read; they cannot be sent twice", job.ToString(), "run it anew");
            attempt = target.Attempt ?? attempt;
            if (target.Attempt is not { } to || !rooms.TryGetValue(to, out long until) || until <= sent)
            {
                await listener.WaitAsync(Timeout.InfiniteTimeSpan, cancel).ConfigureAwait(false);
                listener.Take();
                continue;
            }
            int count = await input.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, until - sent)), cancel).ConfigureAwait(false);
            port.Post(new SchedulerInput.Stdin(new StdinChunk(to, sent, [.. buffer.AsSpan(0, count)], End: count == 0)));
            if (count == 0)
                return;
            sent += count;
        }
    }

    private async Task<Target> TargetAsync(JobId id, CancellationToken cancel) => await port.ReadAsync(
        (node, _) =>
        {
            JobRun job = node.State.TryGet(id, out JobRun? found) ? found : throw Refuse.NoJob(id);
            SegmentRun segment = job.Segments.FirstOrDefault(s => s.Spec.Stdin) ?? throw new ApiException(
                ErrorCodes.Conflict, $"job {job.Number} reads no standard input", id.ToString(), "a job whose only task has 'stdin' set");
            if (job.End != JobEnd.None || TaskView.IsOver(job.Tasks.State(segment.First)))
                return new Target(true, null);
            LeasedAttempt? last = node.AttemptsOf(new TaskId(id, segment.First)).MaxBy(a => a.Id);
            return new Target(false, last?.Id);
        }, cancel).ConfigureAwait(false);

    private readonly record struct Target(bool HasEnded, AttemptId? Attempt);
}
