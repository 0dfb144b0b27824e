using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Drap.Node.Blobs;
using Drap.Node.Service;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>Collects blobs that nothing keeps: each hour, and at a scheduler's node when a job's history is dropped.</summary>
internal sealed class BlobKeeper : ISchedulerWatcher, IAsyncDisposable
{
    /// <summary>What may stay as a cache of inputs to come, and a tenth of the disk where that is less.</summary>
    public const long CacheBytesMax = 10L << 30;

    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    /// <summary>Jobs are dropped many at a time; one collection then serves them all.</summary>
    private static readonly TimeSpan Delay = TimeSpan.FromSeconds(10);

    private readonly BlobStore blobs;
    private readonly ILogger logger;
    private readonly CancellationTokenSource stop = new();
    private readonly SemaphoreSlim wanted = new(0, 1);
    private readonly IDisposable? watching;
    private readonly Task running;

    /// <summary>Begins to look after a store.</summary>
    /// <param name="scheduler">Whose jobs keep blobs; null at a worker.</param>
    /// <param name="blobs">The store.</param>
    /// <param name="logger">For its lines.</param>
    public BlobKeeper(ISchedulerPort? scheduler, BlobStore blobs, ILogger logger)
    {
        this.blobs = blobs;
        this.logger = logger;
        watching = scheduler?.Watch(this);
        running = Task.Run(RunAsync);
    }

    /// <summary>What the cache may hold on this disk.</summary>
    public static long CacheBytes(long diskBytes) => Math.Min(CacheBytesMax, diskBytes / 10);

    public void Changed(JobId job, ImmutableArray<int> tasks, bool hasEnded)
    {
    }

    public void StdinRoom(AttemptId attempt, long until)
    {
    }

    public void Stopped()
    {
    }

    public void Forget(JobId job)
    {
        if (wanted.CurrentCount == 0)
            wanted.Release();
    }

    public async ValueTask DisposeAsync()
    {
        watching?.Dispose();
        await stop.CancelAsync().ConfigureAwait(false);
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
        wanted.Dispose();
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "a disk that fails here fails others too, who tell; the next hour tries again")]
    private async Task RunAsync()
    {
        while (true)
        {
            await wanted.WaitAsync(Interval, stop.Token).ConfigureAwait(false);
            await Task.Delay(Delay, stop.Token).ConfigureAwait(false);
            try
            {
                CollectionResult result = await blobs.CollectAsync(CacheBytes(new DriveInfo(blobs.Options.Folder).TotalSize), stop.Token).ConfigureAwait(false);
                HostLog.Collected(logger, result.Deleted, result.FreedBytes);
            }
            catch (Exception e) when (e is not OperationCanceledException)
            {
                HostLog.CollectFailed(logger, e.Message);
            }
        }
    }
}
