using System.Collections.Immutable;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Market;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Node.Blobs;
using Drap.Node.Home;
using Drap.Node.Identity;
using Drap.Node.Overlay;
using Drap.Node.Service;
using Drap.Node.Time;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>The scheduler of a home: its loop, what it keeps there, and what it does for its user.</summary>
internal sealed class HomeScheduler : IAsyncDisposable
{
    /// <summary>A process that serves one run ends this long after its last job: what follows at once still finds it.</summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromMilliseconds(50);

    /// <summary>One in the background stays this long after the last question, so that the next command finds it warm.</summary>
    private static readonly TimeSpan BackgroundIdleTime = TimeSpan.FromSeconds(15);

    private readonly LogStore logs;
    private readonly NodeService service;
    private readonly BlobKeeper keeper;
    private readonly TimeSpan idleTime;
    private readonly string region;
    private readonly Principal principal;
    private OutputFetcher? outputs;
    private BlobExchange? exchange;
    private BlobNotices? notices;

    /// <summary>Opens what the home holds; nothing runs yet.</summary>
    /// <param name="home">The home, whose lock the caller holds.</param>
    /// <param name="self">Its name on the overlay, and as a scheduler.</param>
    /// <param name="region">Where its ads go.</param>
    /// <param name="principal">Who is behind it.</param>
    /// <param name="mode">How long it stays; see <see cref="NodeHostOptions.Mode"/>.</param>
    /// <param name="journal">Its journal; disposed with this.</param>
    /// <param name="logger">For its lines.</param>
    /// <param name="failed">Its machine broke.</param>
    /// <param name="shutdown">Ends the node that it is part of.</param>
    public HomeScheduler(HomeFolder home, PeerId self, string region, Principal principal, string mode, SchedulerJournal journal, ILogger logger, Action<Exception> failed, Func<Task> shutdown)
    {
        this.region = region;
        this.principal = principal;
        idleTime = mode == "background" ? BackgroundIdleTime : IdleTime;
        Blobs = BlobStore.Open(new BlobStoreOptions { Folder = home.BlobFolder, IsShort = IsShort });
        logs = new LogStore(home.LogFolder) { IsShort = IsShort };
        logs.Failed += (job, e) => HostLog.LogFailed(logger, job, e.Message);
        var terms = new SchedulerOptions { Scheduler = self, Principal = principal, Region = region, Unseal = (job, bytes) => SecretKey.Open(home.SecretKeyFile).Unseal(job, bytes) };
        Loop = new SchedulerLoop(journal, terms, logs, Clock, logger, failed);
        Loop.Before(Resume);
        service = new NodeService(Loop, Blobs, logs, home, _ => shutdown())
        {
            Peer = self,
            Mode = mode,
            StartedAt = BootClock.UtcNow,
        };
        keeper = new BlobKeeper(Loop, Blobs, logger);
    }

    /// <summary>The loop.</summary>
    public SchedulerLoop Loop { get; }

    private bool IsShort() => Loop is { IsDiskShort: true };

    /// <summary>Its blobs.</summary>
    public BlobStore Blobs { get; }

    /// <summary>Time, for all nodes of the process.</summary>
    public BootClock Clock { get; } = new();

    /// <summary>What it does for its user.</summary>
    public INodeService Service => service;

    /// <summary>What the user may ask of the swarm that the home belongs to; null where it belongs to none.</summary>
    public ISwarmDesk? Swarm
    {
        set => service.Swarm = value;
    }

    /// <summary>Where every worker hears of its ads.</summary>
    public string CommonTopic => Topics.ForTask(new ResourceRequest(), region);

    /// <summary>Takes up work.</summary>
    /// <param name="overlay">Where its workers are; disposed with this.</param>
    /// <param name="sharesBlobs">Whether workers put what they make into this home's store.</param>
    /// <param name="principalOf">Who stands behind a peer of a swarm whose nodes have certificates; null in an open one.</param>
    /// <param name="blobRate">Bytes a second that one peer gets at most; 0 for no limit.</param>
    public void Start(IOverlay overlay, bool sharesBlobs, Func<PeerId, Principal?>? principalOf = null, long blobRate = 0)
    {
        BlobRights? rights = principalOf is null ? null : new BlobRights(principal, principalOf) { IsHome = true, LeaseNames = LeaseNamesAsync };
        exchange = sharesBlobs ? null : new BlobExchange(Blobs, overlay, rights, blobRate);
        CopyOrders? copies = rights is null ? null : new CopyOrders(overlay, (job, cancel) => Loop.ReadAsync((node, _) => node.State.TryGet(job, out JobRun? _), cancel));
        outputs = new OutputFetcher(Blobs, exchange, copies);
        if (exchange is { } way)
        {
            var finder = new BlobFinder(overlay, way);
            service.Bring = finder.BringAsync;
            way.Recover = (cid, cancel) => finder.BringAsync(cid, service.Blobs.Owner(), cancel);
            notices = new BlobNotices(service.Blobs, overlay);
        }
        Loop.Start(overlay, Topics.ForWorker(new NodeResources { Gpus = [new GpuDevice(0, "", 0)] }, region), outputs);
    }

    /// <summary>Completes when no job is open and none has been for a moment; with the fault of <paramref name="completion"/> when the scheduler ends.</summary>
    public async Task IdleAsync(Task completion, CancellationToken cancel)
    {
        using var change = new OpenJobs(Loop);
        try
        {
            while (true)
            {
                Task changed = change.Next();
                int open = await Loop.ReadAsync((node, _) => node.State.OpenJobs, cancel).ConfigureAwait(false);
                long questions = Loop.Questions;
                if (open > 0)
                    await changed.WaitAsync(cancel).ConfigureAwait(false);
                else if (await Task.WhenAny(changed, Task.Delay(idleTime, cancel)).ConfigureAwait(false) != changed && Loop.Questions == questions)
                    return;
            }
        }
        catch (ApiException)
        {
            // The scheduler answers no more: the swarm is ending, or what ended it is on its way here.
            await completion.WaitAsync(cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Closes the journal and all else; every job is kept.</summary>
    public async ValueTask DisposeAsync()
    {
        service.Dispose();
        await keeper.DisposeAsync().ConfigureAwait(false);
        if (notices is not null)
            await notices.DisposeAsync().ConfigureAwait(false);
        if (outputs is not null)
            await outputs.DisposeAsync().ConfigureAwait(false);
        exchange?.Dispose();
        Loop.Dispose();
        logs.Dispose();
        Blobs.Dispose();
        Clock.Dispose();
    }

    private async ValueTask<bool> LeaseNamesAsync(PeerId worker, Cid content, CancellationToken cancel) =>
        await Loop.ReadAsync((node, _) => node.LeaseNames(worker, content), cancel).ConfigureAwait(false);

    /// <summary>Jobs that were forgotten as the process ended leave nothing; and pins, which a crash may have lost, are made again.</summary>
    private void Resume(SchedulerState state)
    {
        logs.KeepOnly(state.Jobs.Select(j => j.Id).ToHashSet());
        foreach (JobRun job in state.Jobs)
        {
            foreach (Cid input in JobIntake.Named(job.Spec))
                Blobs.Pin(job.Id, input);
            for (int number = 1; number <= job.Tasks.Count; number++)
                foreach (TaskOutput output in job.Tasks.Outputs(number))
                    Blobs.Pin(job.Id, output.Content);
        }
    }

    /// <summary>Tells when anything about jobs changed.</summary>
    private sealed class OpenJobs : ISchedulerWatcher, IDisposable
    {
        private readonly IDisposable watching;
        private TaskCompletionSource changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public OpenJobs(ISchedulerPort scheduler) => watching = scheduler.Watch(this);

        public Task Next()
        {
            if (changed.Task.IsCompleted)
                changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return changed.Task;
        }

        public void Changed(JobId job, ImmutableArray<int> tasks, bool hasEnded) => changed.TrySetResult();

        public void StdinRoom(AttemptId attempt, long until)
        {
        }

        public void Forget(JobId job)
        {
        }

        public void Stopped() => changed.TrySetResult();

        public void Dispose() => watching.Dispose();
    }
}
