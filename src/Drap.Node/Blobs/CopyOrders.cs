using System.Collections.Concurrent;
using System.Collections.Immutable;
using Drap.Core.Nodes;
using Drap.Node.Overlay;

namespace Drap.Node.Blobs;

/// <summary>Has workers keep copies of what lies in a scheduler's store, and lets them go with their job.</summary>
internal sealed class CopyOrders : IAsyncDisposable
{
    /// <summary>Copies that are made at once; further ones wait.</summary>
    private const int AtOnce = 32;

    /// <summary>How long one answer may take: outputs of some 100 GB over a fast link. Who needs longer is as good as away.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly IOverlay overlay;
    private readonly Func<JobId, CancellationToken, Task<bool>> isKept;
    private readonly ConcurrentDictionary<JobId, ImmutableHashSet<PeerId>> keepers = new();
    private readonly ConcurrentDictionary<Task, byte> running = [];
    private readonly SemaphoreSlim turns = new(AtOnce);
    private readonly CancellationTokenSource stop = new();

    /// <summary>Answers those that keep copies.</summary>
    /// <param name="overlay">The swarm.</param>
    /// <param name="isKept">Whether the scheduler still knows a job.</param>
    public CopyOrders(IOverlay overlay, Func<JobId, CancellationToken, Task<bool>> isKept)
    {
        (this.overlay, this.isKept) = (overlay, isKept);
        overlay.Handle(CopyWire.Protocol, ServeAsync);
    }

    /// <summary>Has a worker keep a copy; <paramref name="done"/> is told whether it does, on any thread.</summary>
    public void Begin(SchedulerEffect.Copy copy, Action<SchedulerInput.Copied> done) => Run(async () =>
    {
        JobId job = copy.Attempt.Task.Job;
        await turns.WaitAsync(stop.Token).ConfigureAwait(false);
        bool isThere;
        try
        {
            keepers.AddOrUpdate(job, _ => [copy.Keeper], (_, known) => known.Add(copy.Keeper));
            isThere = await AskAsync(overlay, copy.Keeper, CopyQuestion.Keep, job, copy.Blobs, stop.Token).ConfigureAwait(false) == true;
        }
        finally
        {
            turns.Release();
        }
        done(new SchedulerInput.Copied(copy.Attempt, copy.Keeper, isThere));
    });

    /// <summary>The job is forgotten: those that are known to keep something for it are told; others ask.</summary>
    public void LetGo(JobId job)
    {
        if (!keepers.TryRemove(job, out ImmutableHashSet<PeerId>? known))
            return;
        foreach (PeerId keeper in known)
            Run(() => AskAsync(overlay, keeper, CopyQuestion.LetGo, job, [], stop.Token));
    }

    /// <summary>Asks, and gives the answer; null where there is none.</summary>
    public static async Task<bool?> AskAsync(IOverlay overlay, PeerId peer, CopyQuestion what, JobId job, ImmutableArray<WantedBlob> wanted, CancellationToken cancel)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        late.CancelAfter(Patience);
        try
        {
            OverlayStream stream = await overlay.OpenStreamAsync(peer, CopyWire.Protocol, late.Token).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                await stream.WriteAsync(CopyWire.Write(what, job, wanted), late.Token).ConfigureAwait(false);
                await stream.CompleteWritesAsync(late.Token).ConfigureAwait(false);
                byte[] answer = new byte[1];
                return await stream.ReadAsync(answer, late.Token).ConfigureAwait(false) == 1 ? answer[0] == 1 : null;
            }
        }
        catch (Exception e) when (e is IOException || (e is OperationCanceledException && !cancel.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>Breaks off what is under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(running.Keys).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
        turns.Dispose();
    }

    private async Task ServeAsync(PeerId peer, OverlayStream stream, CancellationToken cancel)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        late.CancelAfter(TimeSpan.FromSeconds(20));
        byte[] head = new byte[CopyWire.HeadBytes];
        await stream.ReadExactlyAsync(head, late.Token).ConfigureAwait(false);
        (CopyQuestion what, JobId job, _) = CopyWire.ReadHead(head);
        bool isWanted = what == CopyQuestion.IsWanted && await isKept(job, late.Token).ConfigureAwait(false);
        await stream.WriteAsync(new[] { (byte)(isWanted ? 1 : 0) }, late.Token).ConfigureAwait(false);
    }

    private void Run(Func<Task> work)
    {
        Task task = Task.Run(work, CancellationToken.None);
        running.TryAdd(task, 0);
        _ = task.ContinueWith(done => running.TryRemove(done, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }
}
