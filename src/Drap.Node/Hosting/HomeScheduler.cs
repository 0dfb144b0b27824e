using System.Collections.Immutable;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Market;
using Drap.Core.Membership;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Node.Blobs;
using Drap.Node.Evidences;
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

    private readonly HomeFolder home;
    private readonly PeerId self;
    private readonly Principal principal;
    private readonly ILogger logger;
    private readonly Action<Exception> failed;
    private readonly LogStore logs;
    private readonly NodeService service;
    private readonly BlobKeeper keeper;
    private readonly TimeSpan idleTime;
    private readonly string region;
    private OutputFetcher? outputs;
    private BlobExchange? exchange;
    private BlobNotices? notices;
    private IOverlay? overlay;

    /// <summary>Opens what the home holds; nothing runs yet, and no scheduler sits there.</summary>
    /// <param name="home">The home, whose lock the caller holds.</param>
    /// <param name="self">Its name on the overlay.</param>
    /// <param name="region">Where its ads go.</param>
    /// <param name="principal">Who is behind it.</param>
    /// <param name="mode">How long it stays; see <see cref="NodeHostOptions.Mode"/>.</param>
    /// <param name="logger">For its lines.</param>
    /// <param name="failed">Its machine broke.</param>
    /// <param name="shutdown">Ends the node that it is part of.</param>
    public HomeScheduler(HomeFolder home, PeerId self, string region, Principal principal, string mode, ILogger logger, Action<Exception> failed, Func<Task> shutdown)
    {
        this.home = home;
        this.self = self;
        this.region = region;
        this.principal = principal;
        this.logger = logger;
        this.failed = failed;
        idleTime = mode == "background" ? BackgroundIdleTime : IdleTime;
        Blobs = BlobStore.Open(new BlobStoreOptions { Folder = home.BlobFolder, IsShort = IsShort });
        logs = new LogStore(home.LogFolder) { IsShort = IsShort };
        logs.Failed += (job, e) => HostLog.LogFailed(logger, job, e.Message);
        service = new NodeService(Seat, Blobs, logs, home, _ => shutdown())
        {
            Peer = self,
            Mode = mode,
            StartedAt = BootClock.UtcNow,
            StandsByFor = () => Seat.Loop is null ? Seat.StandsByFor ?? default(PeerId) : null,
        };
        keeper = new BlobKeeper(Seat, Blobs, logger);
    }

    /// <summary>Where the scheduler sits.</summary>
    public SchedulerSeat Seat { get; } = new();

    private bool IsShort() => Seat.Loop is { IsDiskShort: true };

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

    /// <summary>Adds up the receipts in the home, where nodes sign them: what its workers earned, and what it was billed.</summary>
    public Func<(ImmutableArray<LedgerTotal> Earned, ImmutableArray<LedgerTotal> Billed)> Receipts
    {
        set => service.Receipts = value;
    }

    /// <summary>Where every worker hears of its ads.</summary>
    public string CommonTopic => Topics.ForTask(new ResourceRequest(), region);

    /// <summary>What ads show of who this node is, where certificates say that. Default: nothing.</summary>
    public ImmutableArray<Wrapped> Certificates { get; init; } = [];

    /// <summary>Makes what signs and keeps what a scheduler's loop says and hears, where certificates say who that is. Default null: nothing does.</summary>
    public Func<SchedulerLoop, EvidenceDesk>? Evidence { get; init; }

    /// <summary>Replays a journal, and has its scheduler sit here; it takes up work by <see cref="Start"/>.</summary>
    /// <param name="journal">The journal; disposed with this, or if this fails.</param>
    /// <param name="scheduler">Whose it is: this node's own, or one for which it stands in.</param>
    public void Sit(SchedulerJournal journal, PeerId scheduler)
    {
        string keyFile = scheduler == self ? home.SecretKeyFile : home.LentSecretKeyFile(scheduler);
        service.SecretKeyFile = keyFile;
        var terms = new SchedulerOptions { Scheduler = scheduler, Principal = principal, Region = region, Unseal = (job, bytes) => SecretKey.Open(keyFile).Unseal(job, bytes) };
        SchedulerLoop loop;
        try
        {
            loop = new SchedulerLoop(journal, terms, logs, Clock, logger, failed) { Certificates = Certificates };
        }
        catch
        {
            journal.Dispose();
            throw;
        }
        loop.Evidence = Evidence?.Invoke(loop);
        loop.Before(Resume);
        Seat.Sit(loop);
    }

    /// <summary>Takes part in the overlay: others' blobs come and go, and workers are looked for.</summary>
    /// <param name="joined">Where its workers are; disposed with this.</param>
    /// <param name="sharesBlobs">Whether workers put what they make into this home's store.</param>
    /// <param name="principalOf">Who stands behind a peer of a swarm whose nodes have certificates; null in an open one.</param>
    /// <param name="blobRate">Bytes a second that one peer gets at most; 0 for no limit.</param>
    public void Join(IOverlay joined, bool sharesBlobs, Func<PeerId, Principal?>? principalOf = null, long blobRate = 0)
    {
        overlay = joined;
        BlobRights? rights = principalOf is null ? null : new BlobRights(principal, principalOf) { IsHome = true, LeaseNames = LeaseNamesAsync };
        exchange = sharesBlobs ? null : new BlobExchange(Blobs, joined, rights, blobRate);
        CopyOrders? copies = rights is null ? null : new CopyOrders(joined, (job, cancel) => Seat.ReadAsync((node, _) => node.State.TryGet(job, out JobRun? _), cancel));
        outputs = new OutputFetcher(Blobs, exchange, copies);
        if (exchange is { } way)
        {
            var finder = new BlobFinder(joined, way);
            service.Bring = finder.BringAsync;
            way.Recover = (cid, cancel) => finder.BringAsync(cid, service.Blobs.Owner(), cancel);
            notices = new BlobNotices(service.Blobs, joined);
        }
        foreach (string topic in Topics.ForWorker(new NodeResources { Gpus = [new GpuDevice(0, "", 0)] }, region))
            joined.Watch(topic);
    }

    /// <summary>The scheduler that sits here takes up work.</summary>
    public void Start() => Seat.Loop!.Start(overlay!, outputs!);

    /// <summary>Completes when no job is open and none has been for a moment; with the fault of <paramref name="completion"/> when the scheduler ends.</summary>
    public async Task IdleAsync(Task completion, CancellationToken cancel)
    {
        using var change = new OpenJobs(Seat);
        try
        {
            while (true)
            {
                Task changed = change.Next();
                int open = await Seat.ReadAsync((node, _) => node.State.OpenJobs, cancel).ConfigureAwait(false);
                long questions = Seat.Loop!.Questions;
                if (open > 0)
                    await changed.WaitAsync(cancel).ConfigureAwait(false);
                else if (await Task.WhenAny(changed, Task.Delay(idleTime, cancel)).ConfigureAwait(false) != changed && Seat.Loop.Questions == questions)
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
        Seat.Loop?.Dispose();
        logs.Dispose();
        Blobs.Dispose();
        Clock.Dispose();
    }

    private async ValueTask<bool> LeaseNamesAsync(PeerId worker, Cid content, CancellationToken cancel) =>
        Seat.Loop is { } loop && await loop.ReadAsync((node, _) => node.LeaseNames(worker, content), cancel).ConfigureAwait(false);

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
