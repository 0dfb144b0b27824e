using Drap.Client;

namespace Drap.Cli.Jobs;

/// <summary>Goes with a job to its end, and says meanwhile why what waits does so.</summary>
internal static class JobWatch
{
    /// <summary>Cancelled, it throws and the job goes on.</summary>
    /// <param name="seen">Told each event that has the job.</param>
    /// <param name="say">Told why tasks wait, when they have waited for a while and when that changes.</param>
    /// <returns>The job as it ended.</returns>
    public static async Task<JobSummary> ToEndAsync(
        INodeService node, JobId job, TimeProvider time, Action<JobEvent> seen, Action<string> say, CancellationToken cancel)
    {
        var why = new WhyItWaits(node, job);
        using var ended = new CancellationTokenSource();
        JobSummary? last = null;
        await using IAsyncEnumerator<JobEvent> events = node.WatchAsync(job, cancel).GetAsyncEnumerator(cancel);
        Task<bool> next = events.MoveNextAsync().AsTask();
        Task? look = null;
        try
        {
            while (true)
            {
                if (look is not null && await Task.WhenAny(next, look) == look)
                {
                    if (await why.LookAsync(cancel) is { } words)
                        say(words);
                    look = Task.Delay(why.Next, time, ended.Token);
                    continue;
                }
                if (!await next)
                    return last!;
                JobEvent e = events.Current;
                seen(e);
                if (e.Job is { } summary)
                {
                    last = summary;
                    if (summary.Tasks.Placing == 0)
                    {
                        look = null;
                        why.Forget();
                    }
                    else
                    {
                        look ??= Task.Delay(why.Next, time, ended.Token);
                    }
                }
                next = events.MoveNextAsync().AsTask();
            }
        }
        finally
        {
            await ended.CancelAsync();
        }
    }
}
