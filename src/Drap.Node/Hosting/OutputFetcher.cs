using Drap.Core.Nodes;
using Drap.Node.Blobs;

namespace Drap.Node.Hosting;

/// <summary>
/// Brings what attempts left to the scheduler's node, so that results may count. Where workers put it into this node's own store, there is nothing to
/// bring, only to look whether it is there.
/// </summary>
/// <param name="blobs">This node's store.</param>
/// <param name="exchange">The way to other nodes' stores; null where all share one.</param>
/// <param name="copies">Has other nodes keep copies; null where all share a store. Disposed with this.</param>
internal sealed class OutputFetcher(BlobStore blobs, BlobExchange? exchange, CopyOrders? copies) : IAsyncDisposable
{
    private readonly CancellationTokenSource stop = new();
    private readonly Lock gate = new();
    private readonly HashSet<Task> running = [];

    /// <summary>Begins; as many may be under way as the scheduler's machine lets wait.</summary>
    /// <param name="fetch">What is wanted.</param>
    /// <param name="done">Takes the answer; on any thread, perhaps before this returns.</param>
    public void Begin(SchedulerEffect.Fetch fetch, Action<SchedulerInput.Fetched> done)
    {
        if (exchange is null)
        {
            Cid missing = fetch.Blobs.FirstOrDefault(b => !blobs.IsComplete(b.Content)).Content;
            done(missing.IsNone
                ? new SchedulerInput.Fetched(fetch.Attempt, FetchEnd.Safe, "")
                : new SchedulerInput.Fetched(fetch.Attempt, FetchEnd.Gone, $"it does not have {missing}"));
            return;
        }
        lock (gate)
        {
            Task task = RunAsync(exchange, fetch, done);
            running.Add(task);
            task.ContinueWith(Forget, CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        }
    }

    /// <summary>Has another node keep a copy.</summary>
    public void Begin(SchedulerEffect.Copy copy, Action<SchedulerInput.Copied> done)
    {
        if (copies is null)
            done(new SchedulerInput.Copied(copy.Attempt, copy.Keeper, IsKept: false));
        else
            copies.Begin(copy, done);
    }

    /// <summary>Nobody needs copies of what the job's tasks left any more.</summary>
    public void LetGo(JobId job) => copies?.LetGo(job);

    /// <summary>Breaks off what is under way; its workers keep it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (copies is not null)
            await copies.DisposeAsync().ConfigureAwait(false);
        await stop.CancelAsync().ConfigureAwait(false);
        Task[] left;
        lock (gate)
            left = [.. running];
        await Task.WhenAll(left).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
    }

    private async Task RunAsync(BlobExchange from, SchedulerEffect.Fetch fetch, Action<SchedulerInput.Fetched> done)
    {
        BlobFetch end;
        try
        {
            end = await from.FetchAsync(fetch.Holder, fetch.Blobs, from.ProverOf(fetch.Holder), fetch.Attempt.Task.Job, stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return; // The node ends: nobody waits for the answer.
        }
        // A worker that does not give what it made does not have it, for all that it is worth.
        done(new SchedulerInput.Fetched(fetch.Attempt, end.IsRefused ? FetchEnd.Gone : end.End, end.Why));
    }

    private void Forget(Task task)
    {
        lock (gate)
            running.Remove(task);
    }
}
