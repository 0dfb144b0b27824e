using System.Runtime.CompilerServices;
using Drap.Api;

namespace Drap.Client;

/// <summary>What can be said in terms of a node's own calls, whether it is near or in this process.</summary>
public static class NodeServiceExtensions
{
    /// <summary>Tasks in one answer: about 2 MB of JSON.</summary>
    private const int pageTasks = 10_000;

    /// <summary>Whether a job has come to its end.</summary>
    public static bool HasEnded(this JobState state) => state is JobState.Finished or JobState.Failed or JobState.Cancelled or JobState.Expired;

    /// <summary>Whether a task has come to its end.</summary>
    public static bool HasEnded(this TaskState state) =>
        state is TaskState.Finished or TaskState.Failed or TaskState.Cancelled or TaskState.Expired;

    /// <summary>Waits until a job has ended, by its events: nothing is polled. A connection that breaks is made again.</summary>
    /// <exception cref="NodeUnreachableException">The node went away and did not come back.</exception>
    public static async Task<JobSummary> WaitAsync(this INodeService node, JobId job, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                await foreach (JobEvent e in node.EventsAsync(job, tasks: false, cancel).WithCancellation(cancel).ConfigureAwait(false))
                    if (e.Job is { } summary && summary.State.HasEnded())
                        return summary;
            }
            catch (NodeUnreachableException)
            {
                // The next call retries, and throws when there is nobody.
            }
            JobDocument document = await node.JobAsync(job, cancel).ConfigureAwait(false);
            if (document.Job.State.HasEnded())
                return document.Job;
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
            await node.ExportBlobAsync(item.Cid, new PathRequest { Path = path }, cancel).ConfigureAwait(false);
        }
        return results with { Folder = root };
    }
}
