using System.Runtime.CompilerServices;
using Drap.Api;

namespace Drap.Client;

/// <summary>What can be said in terms of a node's own calls, whether it is near or in this process.</summary>
public static class NodeServiceExtensions
{
    /// <summary>Tasks in one answer: about 2 MB of JSON.</summary>
    private const int pageTasks = 10_000;

    /// <summary>Streams in a row that break with no news, some three seconds: a node that is restarted on purpose is back by then.</summary>
    private const int brokenMax = 6;

    /// <summary>Whether a job has come to its end.</summary>
    public static bool HasEnded(this JobState state) => state is JobState.Finished or JobState.Failed or JobState.Cancelled or JobState.Expired;

    /// <summary>Whether a task has come to its end.</summary>
    public static bool HasEnded(this TaskState state) =>
        state is TaskState.Finished or TaskState.Failed or TaskState.Cancelled or TaskState.Expired;

    /// <summary>
    /// A job's events to its end, by a new stream where one breaks; each stream begins with a snapshot. The last one has a job that has ended.
    /// </summary>
    /// <exception cref="NodeUnreachableException">The node went away and did not come back.</exception>
    public static async IAsyncEnumerable<JobEvent> WatchAsync(this INodeService node, JobId job, [EnumeratorCancellation] CancellationToken cancel)
    {
        for (int broken = 0; ;)
        {
            int events = 0;
            IAsyncEnumerator<JobEvent> stream = node.EventsAsync(job, tasks: false, cancel).GetAsyncEnumerator(cancel);
            await using (stream.ConfigureAwait(false))
            {
                while (await NextAsync(stream, broken).ConfigureAwait(false))
                {
                    events++;
                    yield return stream.Current;
                    if (stream.Current.Job is { } summary && summary.State.HasEnded())
                        yield break;
                }
            }
            // A stream that gave more than its snapshot has worked.
            broken = events > 1 ? 0 : broken + 1;
            await Task.Delay(TimeSpan.FromMilliseconds(50 << Math.Min(broken, 4)), cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Waits until a job has ended, by its events: nothing is polled.</summary>
    /// <exception cref="NodeUnreachableException">The node went away and did not come back.</exception>
    public static async Task<JobSummary> WaitAsync(this INodeService node, JobId job, CancellationToken cancel)
    {
        JobSummary? last = null;
        await foreach (JobEvent e in node.WatchAsync(job, cancel).ConfigureAwait(false))
            last = e.Job ?? last;
        return last!;
    }

    private static async Task<bool> NextAsync(IAsyncEnumerator<JobEvent> stream, int broken)
    {
        try
        {
            return await stream.MoveNextAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (broken < brokenMax && e is NodeUnreachableException or ApiException { Error.Code: ErrorCodes.ShuttingDown })
        {
            return false;
        }
    }

    /// <summary>All tasks of a job by number, page by page.</summary>
    public static async IAsyncEnumerable<TaskSummary> AllTasksAsync(
        this INodeService node, JobId job, bool history, [EnumeratorCancellation] CancellationToken cancel)
    {
        for (int? from = 1; from is { } first;)
        {
            TaskListDocument page = await node.TasksAsync(job, first, pageTasks, history, cancel).ConfigureAwait(false);
            foreach (TaskSummary task in page.Tasks)
                yield return task;
            from = page.Next;
        }
    }

    /// <summary>
    /// Writes a job's results below <paramref name="folder"/>, which is made where it is not there. Files are replaced whole.
    /// </summary>
    /// <exception cref="ApiException">A result cannot be fetched or written, or its path leads out of the folder.</exception>
    public static async Task<ResultsDocument> DeliverAsync(this INodeService node, JobId job, string folder, CancellationToken cancel)
    {
        ResultsDocument results = await node.ResultsAsync(job, cancel).ConfigureAwait(false);
        string root = Path.GetFullPath(folder);
        foreach (ResultItem item in results.Items)
        {
            string path = Path.GetFullPath(Path.Combine(root, item.Path));
            if (!path.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
                throw new ApiException(ErrorCodes.BadRequest, $"the result '{item.Path}' leads out of {root}", item.Path, "a relative path without ..");
            await node.ExportBlobAsync(item.Cid, new PathRequest { Path = path, Executable = item.Executable }, cancel).ConfigureAwait(false);
        }
        return results with { Folder = root };
    }
}
