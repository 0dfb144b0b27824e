using System.Collections.Concurrent;

namespace Drap.Node.Blobs;

/// <summary>What is on its way to this node, so that nobody fetches it twice or calls it missing meanwhile. Bounded by who fetches.</summary>
internal sealed class BlobFetches
{
    private readonly ConcurrentDictionary<Cid, TaskCompletionSource> open = new();

    /// <summary>Begins to fetch a blob; false if somebody does already.</summary>
    public bool TryBegin(Cid cid) => open.TryAdd(cid, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));

    /// <summary>It is here, or will not be.</summary>
    public void End(Cid cid)
    {
        if (open.TryRemove(cid, out TaskCompletionSource? done))
            done.SetResult();
    }

    /// <summary>Waits while it is on its way.</summary>
    public Task WhenHereAsync(Cid cid, CancellationToken cancel) =>
        open.TryGetValue(cid, out TaskCompletionSource? coming) ? coming.Task.WaitAsync(cancel) : Task.CompletedTask;
}
