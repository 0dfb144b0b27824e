using System.Runtime.CompilerServices;
using Drap.Api;
using Drap.Node.Blobs;
using Drap.Node.Home;
using Drap.Node.Time;

namespace Drap.Node.Service;

/// <summary>
/// The reading half of a node's service. Blobs are the one thing for which the folder is touched: the store is opened for the time of one
/// call, under its own lock, since its bytes are verified as they are read.
/// </summary>
internal sealed class StoppedService(NodeService inner, HomeFolder home) : INodeService
{
    public Task<NodeDocument> NodeAsync(CancellationToken cancel) => inner.NodeAsync(cancel);

    public Task<JobListDocument> JobsAsync(bool openOnly, int limit, CancellationToken cancel) => inner.JobsAsync(openOnly, limit, cancel);

    public Task<JobId> ResolveAsync(string text, CancellationToken cancel) => inner.ResolveAsync(text, cancel);

    public Task<JobDocument> JobAsync(JobId job, CancellationToken cancel) => inner.JobAsync(job, cancel);

    public Task<TaskListDocument> TasksAsync(JobId job, int from, int limit, bool history, CancellationToken cancel) =>
        inner.TasksAsync(job, from, limit, history, cancel);

    public Task<ExplainDocument> ExplainAsync(JobId job, int? task, CancellationToken cancel) => inner.ExplainAsync(job, task, cancel);

    public async IAsyncEnumerable<JobEvent> EventsAsync(JobId job, bool tasks, [EnumeratorCancellation] CancellationToken cancel)
    {
        JobDocument document = await inner.JobAsync(job, cancel).ConfigureAwait(false);
        yield return new JobEvent { Kind = EventKind.Snapshot, At = BootClock.UtcNow, Job = document.Job, Segments = document.Segments };
        // A job that has not ended would leave its reader waiting for a node that is not there.
        if (document.Job.EndedAt is null)
            throw StoppedPort.NotRunning();
    }

    public IAsyncEnumerable<LogChunk> LogsAsync(JobId job, LogQuery query, CancellationToken cancel) => inner.LogsAsync(job, query, cancel);

    public Task<ResultsDocument> ResultsAsync(JobId job, CancellationToken cancel) => inner.ResultsAsync(job, cancel);

    public Task<LedgerDocument> LedgerAsync(JobId? job, int limit, CancellationToken cancel) => inner.LedgerAsync(job, limit, cancel);

    public Task<UsageDocument> UsageAsync(JobId? job, CancellationToken cancel) => inner.UsageAsync(job, cancel);

    public async Task<BlobDocument> BlobAsync(Cid cid, CancellationToken cancel)
    {
        using BlobStore store = Open();
        return await Desk(store).DescribeAsync(cid, cancel).ConfigureAwait(false);
    }

    public async Task<Stream> OpenBlobAsync(Cid cid, CancellationToken cancel)
    {
        // The stream has its own handle of the file and outlives the store.
        using BlobStore store = Open();
        return await Desk(store).OpenAsync(cid, cancel).ConfigureAwait(false);
    }

    public async Task ExportBlobAsync(Cid cid, PathRequest request, CancellationToken cancel)
    {
        using BlobStore store = Open();
        await Desk(store).ExportAsync(cid, request, cancel).ConfigureAwait(false);
    }

    public async Task<BlobListDocument> BlobsAsync(bool all, CancellationToken cancel)
    {
        using BlobStore store = Open();
        return await Desk(store).ListAsync(all, cancel).ConfigureAwait(false);
    }

    public async Task<BlobDocument> PinBlobAsync(Cid cid, PinRequest request, CancellationToken cancel)
    {
        using BlobStore store = Open();
        return await Desk(store).PinAsync(cid, request, cancel).ConfigureAwait(false);
    }

    public Task<MarketDocument> MarketAsync(bool explain, CancellationToken cancel) => Refused<MarketDocument>();

    public Task<SubmitReply> SubmitAsync(SubmitRequest request, CancellationToken cancel) => Refused<SubmitReply>();

    public Task<PlanDocument> PlanAsync(SubmitRequest request, CancellationToken cancel) => Refused<PlanDocument>();

    public Task<ActionReply> ActAsync(JobId job, ActionRequest request, CancellationToken cancel) => Refused<ActionReply>();

    public Task<ActionReply> ChangeAsync(JobId job, ChangeRequest request, CancellationToken cancel) => Refused<ActionReply>();

    public Task FeedAsync(JobId job, Stream input, CancellationToken cancel) => Refused<bool>();

    public Task<BlobDocument> AddBlobAsync(Stream content, CancellationToken cancel) => Refused<BlobDocument>();

    public Task<BlobDocument> AddPathAsync(PathRequest request, CancellationToken cancel) => Refused<BlobDocument>();

    public Task ShutdownAsync(CancellationToken cancel) => Refused<bool>();

    private BlobDesk Desk(BlobStore store) => new(store, new DataBook(System.IO.Path.Combine(home.BlobFolder, "names")), TimeProvider.System);

    private BlobStore Open()
    {
        try
        {
            return BlobStore.Open(new BlobStoreOptions { Folder = home.BlobFolder });
        }
        catch (Exception e) when (e is BlobStoreException or IOException or UnauthorizedAccessException)
        {
            throw new ApiException(ErrorCodes.Storage, e.Message, home.BlobFolder);
        }
    }

    private static Task<T> Refused<T>() => Task.FromException<T>(StoppedPort.NotRunning());
}
