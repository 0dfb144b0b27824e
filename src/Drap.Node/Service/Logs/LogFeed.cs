using System.Runtime.CompilerServices;
using Drap.Api;
using Drap.Core.Jobs;
using Drap.Core.Nodes;
using LogChunk = Drap.Api.LogChunk;
using TaskRange = Drap.Api.TaskRange;

namespace Drap.Node.Service;

/// <summary>
/// What tasks wrote, as a stream: first what is there, task by task; with follow then what comes, as it comes, until the tasks asked for
/// have ended.
/// </summary>
/// <param name="port">Where the tasks' states are.</param>
/// <param name="watch">News of the job; null where nothing happens any more.</param>
/// <param name="logs">Makes a reader of a job's file.</param>
/// <param name="flush">Completes when all that was written so far can be read.</param>
/// <param name="watchLog">Calls back when more of a job's log can be read.</param>
internal sealed class LogFeed(
    ISchedulerPort port, JobWatch? watch, Func<JobId, LogReader> logs, Func<Task> flush, Func<JobId, Action, IDisposable>? watchLog)
{
    /// <summary>
    /// Pieces that are put in the order of their tasks at once: 160 MB. A longer log comes in several rounds, each in order.
    /// </summary>
    private const int PiecesMax = 4_000_000;

    /// <summary>Between two looks at whether all tasks have ended: each walks over them.</summary>
    private static readonly TimeSpan endInterval = TimeSpan.FromMilliseconds(50);

    public async IAsyncEnumerable<LogChunk> LogsAsync(JobId job, LogQuery query, [EnumeratorCancellation] CancellationToken cancel)
    {
        bool follow = query.Follow && watch is not null && watchLog is not null;
        using JobWatch.Listener? listener = follow ? watch!.Listen(job, tasks: false) : null;
        using IDisposable? watching = follow ? watchLog!(job, listener!.Wake) : null;
        Wanted wanted = await WantedAsync(job, query, cancel).ConfigureAwait(false);
        await flush().WaitAsync(cancel).ConfigureAwait(false);
        using LogReader reader = logs(job);
        var emitted = new Dictionary<(int Task, int Attempt, int Stream), long>();
        foreach (List<LogPiece> round in Rounds(reader, wanted))
        {
            if (query.TailBytes is { } tail)
                KeepTails(round, tail, emitted);
            foreach (LogPiece piece in round)
                if (Make(reader, piece, emitted) is { } chunk)
                {
                    cancel.ThrowIfCancellationRequested();
                    yield return chunk;
                }
        }
        if (!follow)
            yield break;
        wanted = wanted with { IsFollowing = true };
        while (true)
        {
            // In this order: what was written before the tasks had ended is read after we know that they have.
            bool hasEnded = await HasEndedAsync(job, query, cancel).ConfigureAwait(false);
            if (hasEnded)
                await flush().WaitAsync(cancel).ConfigureAwait(false);
            while (reader.TryNext(out LogPiece piece))
                if (wanted.Takes(piece) && Make(reader, piece, emitted) is { } chunk)
                    yield return chunk;
            if (hasEnded)
                yield break;
            await listener!.WaitAsync(Timeout.InfiniteTimeSpan, cancel).ConfigureAwait(false);
            listener.Take();
            await Task.Delay(endInterval, cancel).ConfigureAwait(false);
        }
    }

    private async Task<Wanted> WantedAsync(JobId id, LogQuery query, CancellationToken cancel) => await port.ReadAsync(
        (node, _) =>
        {
            TaskTable tasks = node.State.TryGet(id, out JobRun? job) ? job.Tasks : throw Refuse.NoJob(id);
            int[] attempts = new int[tasks.Count];
            foreach (int number in Numbers(query.Tasks, tasks.Count))
                attempts[number - 1] = query.Attempt ?? Math.Max(1, TaskView.TellingAttempt(tasks, number));
            return new Wanted(attempts, query.Stream switch { LogStream.Stdout => 1, LogStream.Stderr => 2, _ => 0 }, query.Attempt is not null, false);
        }, cancel).ConfigureAwait(false);

    private async Task<bool> HasEndedAsync(JobId id, LogQuery query, CancellationToken cancel) => await port.ReadAsync(
        (node, _) =>
        {
            if (!node.State.TryGet(id, out JobRun? job) || job.End != JobEnd.None)
                return true;
            foreach (int number in Numbers(query.Tasks, job.Tasks.Count))
                if (!TaskView.IsOver(job.Tasks.State(number)))
                    return false;
            return true;
        }, cancel).ConfigureAwait(false);

    private static IEnumerable<int> Numbers(IReadOnlyList<TaskRange> ranges, int count)
    {
        if (ranges.Count == 0)
            ranges = [new TaskRange(1, count)];
        foreach (TaskRange range in ranges)
            for (int number = Math.Max(1, range.First); number <= Math.Min(count, range.Last); number++)
                yield return number;
    }

    private static IEnumerable<List<LogPiece>> Rounds(LogReader reader, Wanted wanted)
    {
        var round = new List<LogPiece>();
        while (reader.TryNext(out LogPiece piece))
        {
            if (!wanted.Takes(piece))
                continue;
            round.Add(piece);
            if (round.Count == PiecesMax)
            {
                Order(round);
                yield return round;
                round.Clear();
            }
        }
        Order(round);
        yield return round;
    }

    private static void Order(List<LogPiece> round) => round.Sort((a, b) => (a.Task, a.Attempt, a.Position).CompareTo((b.Task, b.Attempt, b.Position)));

    /// <summary>Drops from each task's pieces those before the last <paramref name="tail"/> bytes.</summary>
    private static void KeepTails(List<LogPiece> round, long tail, Dictionary<(int, int, int), long> emitted)
    {
        var kept = new List<LogPiece>();
        for (int i = round.Count - 1, task = 0; i >= 0; i--)
        {
            long have = 0;
            task = round[i].Task;
            for (; i >= 0 && round[i].Task == task; i--)
            {
                if (have < tail)
                    kept.Add(round[i]);
                else
                    emitted[Key(round[i])] = Math.Max(emitted.GetValueOrDefault(Key(round[i])), round[i].Offset + round[i].Length);
                have += round[i].Length;
            }
            i++;
        }
        kept.Reverse();
        round.Clear();
        round.AddRange(kept);
    }

    /// <summary>The piece with what came twice cut off; null if all of it did.</summary>
    private static LogChunk? Make(LogReader reader, LogPiece piece, Dictionary<(int, int, int), long> emitted)
    {
        long expected = emitted.GetValueOrDefault(Key(piece));
        long end = piece.Offset + piece.Length;
        if (end <= expected)
            return null;
        int skip = (int)Math.Max(0, expected - piece.Offset);
        emitted[Key(piece)] = end;
        return new LogChunk
        {
            Task = piece.Task,
            Attempt = piece.Attempt,
            Stream = piece.Stream == 2 ? LogStream.Stderr : LogStream.Stdout,
            Offset = piece.Offset + skip,
            Dropped = Math.Max(0, piece.Offset - expected),
            Data = reader.Read(piece, skip),
        };
    }

    private static (int, int, int) Key(LogPiece piece) => (piece.Task, piece.Attempt, piece.Stream);

    /// <summary>Which pieces are wanted.</summary>
    /// <param name="Attempts">By task: the attempt; 0 for none of it.</param>
    /// <param name="Stream">1 or 2; 0 for both.</param>
    /// <param name="IsFixed">That attempt and no later one.</param>
    /// <param name="IsFollowing">Later attempts too.</param>
    private sealed record Wanted(int[] Attempts, int Stream, bool IsFixed, bool IsFollowing)
    {
        public bool Takes(LogPiece piece)
        {
            if (piece.Task < 1 || piece.Task > Attempts.Length || Attempts[piece.Task - 1] is not (> 0 and int attempt))
                return false;
            return (Stream == 0 || piece.Stream == Stream)
                && (piece.Attempt == attempt || (!IsFixed && IsFollowing && piece.Attempt > attempt));
        }
    }
}
