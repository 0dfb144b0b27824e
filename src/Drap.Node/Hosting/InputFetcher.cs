using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Core.Nodes;
using Drap.Node.Blobs;

namespace Drap.Node.Hosting;

/// <summary>Brings the inputs of attempts to their worker before they are launched. Attempts that wait hold their resources, so these bound them.</summary>
internal sealed class InputFetcher(BlobExchange exchange) : IDisposable
{
    private readonly ConcurrentDictionary<AttemptId, (Task Task, CancellationTokenSource Cancel)> waiting = new();

    /// <summary>
    /// Begins to fetch what an attempt takes and is not here; false where all of it is. <paramref name="done"/> is called with how it ended, on any
    /// thread, unless <see cref="TryCancel"/> was faster.
    /// </summary>
    public bool TryBegin(AttemptRun run, Action<AttemptRun, BlobFetch> done)
    {
        ImmutableArray<WantedBlob> lacking = [.. run.Task.Inputs.SelectMany(i => i.Parts)
            .Select(p => Cid.TryParse(p.Cid, out Cid cid) ? cid : default).Where(c => !c.IsNone && !exchange.Has(c, run.Order.Principal)).Distinct().Select(c => new WantedBlob(c, Durable: false, run.Task.Public))];
        if (lacking.IsEmpty)
            return false;
        var cancel = new CancellationTokenSource();
        var begin = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        waiting[run.Order.Attempt] = (FetchAsync(), cancel);
        begin.SetResult();
        return true;

        async Task FetchAsync()
        {
            await begin.Task.ConfigureAwait(false);
            BlobFetch end;
            try
            {
                end = await exchange.FetchAsync(run.Order.Holder, lacking, run.Order.Principal, owner: null, cancel.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            if (waiting.TryRemove(run.Order.Attempt, out _))
                done(run, end);
            cancel.Dispose();
        }
    }

    /// <summary>The attempt is not wanted any more; false if it does not wait here.</summary>
    public bool TryCancel(AttemptId attempt)
    {
        if (!waiting.TryRemove(attempt, out (Task Task, CancellationTokenSource Cancel) fetch))
            return false;
        fetch.Cancel.Cancel();
        return true;
    }

    /// <summary>Breaks off what is under way; those attempts never start.</summary>
    public void Dispose()
    {
        foreach ((AttemptId attempt, (Task task, _)) in waiting)
            if (TryCancel(attempt))
                task.Wait();
    }
}
