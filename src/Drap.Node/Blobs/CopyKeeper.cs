using System.Collections.Immutable;
using System.Text;
using Drap.Core.Nodes;
using Drap.Node.Overlay;
using Drap.Node.Storage;

namespace Drap.Node.Blobs;

/// <summary>
/// Keeps copies of outputs for schedulers of this worker's own principal, until they forget the job. Whoever was away then is asked each hour; while he
/// does not answer they stay.
/// </summary>
internal sealed class CopyKeeper : IAsyncDisposable
{
    /// <summary>Jobs for which copies are kept: at the limit nothing is kept for more, and the scheduler takes another node.</summary>
    private const int JobsMax = 10_000;

    /// <summary>Questions that are answered at once; each may fetch.</summary>
    private const int AtOnce = 16;

    private static readonly TimeSpan AskEvery = TimeSpan.FromHours(1);

    /// <summary>How long a question may take to come.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly BlobStore blobs;
    private readonly BlobExchange exchange;
    private readonly IOverlay overlay;
    private readonly BlobRights rights;
    private readonly string path;
    private readonly Lock gate = new();
    private readonly Dictionary<JobId, PeerId> jobs = [];
    private readonly SemaphoreSlim turns = new(AtOnce);
    private readonly CancellationTokenSource stop = new();
    private readonly Task asking;

    /// <summary>Begins to keep.</summary>
    public CopyKeeper(BlobStore blobs, BlobExchange exchange, IOverlay overlay, BlobRights rights)
    {
        (this.blobs, this.exchange, this.overlay, this.rights) = (blobs, exchange, overlay, rights);
        path = Path.Combine(blobs.Options.Folder, "kept");
        foreach (string line in File.Exists(path) ? File.ReadAllLines(path) : [])
            if (line.Split(' ') is [string job, string peer] && Guid.TryParse(job, out Guid id) && PeerId.TryParse(peer, out PeerId scheduler))
                jobs[new JobId(id)] = scheduler;
        overlay.Handle(CopyWire.Protocol, ServeAsync);
        asking = AskAllAsync();
    }

    /// <summary>Under which a job's copies are pinned: apart from what its tasks leave here themselves. No job has such an id, whose version is 15.</summary>
    public static JobId OwnerOf(JobId job)
    {
        Span<byte> bytes = stackalloc byte[16];
        job.Value.TryWriteBytes(bytes, bigEndian: true, out _);
        bytes[6] |= 0xf0;
        return new JobId(new Guid(bytes, bigEndian: true));
    }

    /// <summary>Keeps nothing more; what it has stays.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync().ConfigureAwait(false);
        await asking.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
        turns.Dispose();
    }

    private async Task ServeAsync(PeerId peer, OverlayStream stream, CancellationToken cancel)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel, stop.Token);
        await turns.WaitAsync(ended.Token).ConfigureAwait(false);
        try
        {
            using var reading = CancellationTokenSource.CreateLinkedTokenSource(ended.Token);
            reading.CancelAfter(Patience);
            using var reader = new WireReader(stream);
            (CopyQuestion what, JobId job, int count) = CopyWire.ReadHead((await reader.ReadWholeAsync(CopyWire.HeadBytes, reading.Token).ConfigureAwait(false)).Span);
            var wanted = ImmutableArray.CreateBuilder<WantedBlob>(count);
            for (int i = 0; i < count; i++)
                wanted.Add(CopyWire.ReadBlob((await reader.ReadWholeAsync(CopyWire.BlobBytes, reading.Token).ConfigureAwait(false)).Span));
            bool isDone = rights.PrincipalOf(peer) == rights.Self && what switch
            {
                CopyQuestion.Keep => await KeepAsync(peer, job, wanted.ToImmutable(), ended.Token).ConfigureAwait(false),
                CopyQuestion.LetGo => LetGo(job, peer),
                _ => false,
            };
            await stream.WriteAsync(new[] { (byte)(isDone ? 1 : 0) }, ended.Token).ConfigureAwait(false);
        }
        finally
        {
            turns.Release();
        }
    }

    private async Task<bool> KeepAsync(PeerId scheduler, JobId job, ImmutableArray<WantedBlob> wanted, CancellationToken cancel)
    {
        if (!TryNote(job, scheduler))
            return false;
        BlobFetch fetch = await exchange.FetchAsync(scheduler, wanted, rights.Self, OwnerOf(job), cancel).ConfigureAwait(false);
        return fetch.End == FetchEnd.Safe;
    }

    /// <summary>Remembers for whom the job's copies are; before any is here.</summary>
    private bool TryNote(JobId job, PeerId scheduler)
    {
        lock (gate)
        {
            if (jobs.TryGetValue(job, out PeerId known))
                return known == scheduler;
            if (jobs.Count == JobsMax)
                return false;
            jobs[job] = scheduler;
            return TryWrite();
        }
    }

    private bool LetGo(JobId job, PeerId scheduler)
    {
        lock (gate)
        {
            if (!jobs.TryGetValue(job, out PeerId known) || known != scheduler)
                return true;
            blobs.Unpin(OwnerOf(job));
            jobs.Remove(job);
            return TryWrite();
        }
    }

    private bool TryWrite()
    {
        try
        {
            DurableFile.Write(path, Encoding.UTF8.GetBytes(string.Concat(jobs.Select(j => $"{j.Key.Value} {j.Value}\n"))));
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private async Task AskAllAsync()
    {
        using var timer = new PeriodicTimer(AskEvery);
        while (await timer.WaitForNextTickAsync(stop.Token).ConfigureAwait(false))
        {
            KeyValuePair<JobId, PeerId>[] kept;
            lock (gate)
                kept = [.. jobs];
            foreach ((JobId job, PeerId scheduler) in kept)
                if (await CopyOrders.AskAsync(overlay, scheduler, CopyQuestion.IsWanted, job, [], stop.Token).ConfigureAwait(false) == false)
                    LetGo(job, scheduler);
        }
    }
}
