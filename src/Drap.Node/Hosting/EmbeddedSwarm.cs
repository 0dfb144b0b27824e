using System.Collections.Immutable;
using Drap.Core.Market;
using Drap.Core.Nodes;
using Drap.Api;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Node.Blobs;
using Drap.Node.Drivers;
using Drap.Node.Home;
using Drap.Node.Hosting.Workers;
using Drap.Node.Identity;
using Drap.Node.Overlay;
using Drap.Node.Service;
using Drap.Node.Time;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>
/// A whole swarm in one process: one scheduler and several workers over an overlay in memory, with one blob store. What a machine on its
/// own runs, and what <c>drap dev</c> keeps up.
/// </summary>
public sealed class EmbeddedSwarm : INodeHost
{
    /// <summary>A process that serves one run ends this long after its last job: what follows at once still finds it.</summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromMilliseconds(50);

    /// <summary>One in the background stays this long after the last question, so that the next command finds it warm.</summary>
    private static readonly TimeSpan BackgroundIdleTime = TimeSpan.FromSeconds(15);

    /// <summary>What runs at an orderly stop gets this long between TERM and KILL.</summary>
    private static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(5);

    private readonly BootClock clock;
    private readonly BlobStore blobs;
    private readonly LogStore logs;
    private readonly SchedulerLoop scheduler;
    private readonly ImmutableArray<(string Name, WorkerLoop Loop)> workers;
    private readonly IDisposable? watching;
    private readonly TaskCompletionSource completion;
    private readonly NodeService service;
    private readonly BlobKeeper keeper;
    private readonly TimeSpan idleTime;
    private int isDisposed;

    private EmbeddedSwarm(
        BootClock clock, BlobStore blobs, LogStore logs, SchedulerLoop scheduler, ImmutableArray<(string, WorkerLoop)> workers,
        IDisposable? watching, HomeFolder home, string mode, ILogger logger, TaskCompletionSource completion)
    {
        this.clock = clock;
        this.blobs = blobs;
        this.logs = logs;
        this.scheduler = scheduler;
        this.workers = workers;
        this.watching = watching;
        this.completion = completion;
        idleTime = mode == "background" ? BackgroundIdleTime : IdleTime;
        service = new NodeService(scheduler, blobs, logs, home, async _ => await DisposeAsync().ConfigureAwait(false))
        {
            Peer = scheduler.Self,
            Mode = mode,
            StartedAt = new UtcTime(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds()),
        };
        keeper = new BlobKeeper(scheduler, blobs, logger);
    }

    /// <inheritdoc/>
    public INodeService Service => service;

    /// <inheritdoc/>
    public Task Completion => completion.Task;

    /// <summary>Starts one in a home whose lock the caller holds.</summary>
    /// <param name="home">The folder.</param>
    /// <param name="options">How many workers, or which.</param>
    /// <param name="handlers">What <c>dotnet</c> tasks may call.</param>
    /// <param name="loggers">Where its log lines go.</param>
    /// <param name="warn">What a person at the terminal should read: a workers' file that cannot be read.</param>
    public static EmbeddedSwarm Start(HomeFolder home, NodeHostOptions options, HandlerRegistry handlers, ILoggerFactory loggers, Action<string> warn)
    {
        ILogger logger = loggers.CreateLogger("drap");
        var completion = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        ImmutableArray<WorkerSpec> specs = options.WorkersFile is { } file ? WorkersFile.Read(file) : MachineResources.Detect(home.Path).Split(options.Workers);
        var clock = new BootClock();
        BlobStore blobs = BlobStore.Open(new BlobStoreOptions { Folder = Path.Combine(home.Path, "blobs") });
        var logs = new LogStore(Path.Combine(home.Path, "logs"));
        PeerId self = NodeIdentity.Open(Path.Combine(home.Path, "scheduler", "identity.key")).Peer;
        var terms = new SchedulerOptions
        {
            // A swarm of one process is small: everyone hears every ad, whatever region its machine is said to be in, and says if that is not the one.
            Scheduler = self, Region = Audience.GlobalRegion, Unseal = (job, bytes) => SecretKey.Open(home.SecretKeyFile).Unseal(job, bytes),
        };
        var scheduler = new SchedulerLoop(Path.Combine(home.Path, "scheduler", "journal"), terms, logs, clock, logger, Fail);
        logs.Failed += (job, e) => HostLog.LogFailed(logger, job, e.Message);
        scheduler.Before(state => Resume(state, blobs, logs));
        var overlay = new MemoryOverlay();
        var loops = ImmutableArray.CreateBuilder<(string, WorkerLoop)>(specs.Length);
        foreach (WorkerSpec spec in specs)
        {
            var folder = new WorkerFolder(Path.Combine(home.Path, "workers", spec.Name));
            PeerId peer = NodeIdentity.Open(folder.IdentityFile).Peer;
            var loop = new WorkerLoop(folder, peer, spec.Options with { Name = spec.Name }, handlers, blobs, clock, logger, Fail);
            loops.Add((spec.Name, loop));
            scheduler.Post(new SchedulerInput.Named(peer, spec.Name, "127.0.0.1"));
            loop.Start(overlay.Join(peer, loop));
        }
        scheduler.Start(overlay.Join(self, scheduler), Topics.ForWorker(new NodeResources { Gpus = [new GpuDevice(0, "", 0)] }, Audience.GlobalRegion));
        IDisposable? watching = options.WorkersFile is { } watched
            ? WorkersFile.Watch(watched, changed => Configure(loops.ToImmutable(), changed, warn), warn)
            : null;
        return new EmbeddedSwarm(clock, blobs, logs, scheduler, loops.ToImmutable(), watching, home, options.Mode, logger, completion);

        void Fail(Exception e) => completion.TrySetException(e);
    }

    /// <inheritdoc/>
    public async Task IdleAsync(CancellationToken cancel)
    {
        using var change = new OpenJobs(scheduler);
        try
        {
            while (true)
            {
                Task changed = change.Next();
                int open = await scheduler.ReadAsync((node, _) => node.State.OpenJobs, cancel).ConfigureAwait(false);
                long questions = scheduler.Questions;
                if (open > 0)
                    await changed.WaitAsync(cancel).ConfigureAwait(false);
                else if (await Task.WhenAny(changed, Task.Delay(idleTime, cancel)).ConfigureAwait(false) != changed && scheduler.Questions == questions)
                    return;
            }
        }
        catch (ApiException)
        {
            // The scheduler answers no more: the swarm is ending, or what ended it is on its way here.
            await completion.Task.WaitAsync(cancel).ConfigureAwait(false);
        }
    }

    /// <summary>Ends what runs, with a grace; the journal keeps every job, and the next start resumes them.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref isDisposed, 1) != 0)
        {
            await completion.Task.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }
        watching?.Dispose();
        await Task.WhenAny(Task.WhenAll(workers.Select(w => w.Loop.DrainAsync(TimeSpan.Zero))), Task.Delay(StopGrace + TimeSpan.FromSeconds(1)), completion.Task)
            .ConfigureAwait(false);
        foreach ((string _, WorkerLoop loop) in workers)
            loop.Dispose();
        service.Dispose();
        await keeper.DisposeAsync().ConfigureAwait(false);
        scheduler.Dispose();
        logs.Dispose();
        blobs.Dispose();
        clock.Dispose();
        completion.TrySetResult();
    }

    /// <inheritdoc/>
    public void Abort() => Parallel.ForEach(workers, worker => worker.Loop.Dispose());

    /// <summary>Jobs that were forgotten as the process ended leave nothing; and pins, which a crash may have lost, are made again.</summary>
    private static void Resume(SchedulerState state, BlobStore blobs, LogStore logs)
    {
        logs.KeepOnly(state.Jobs.Select(j => j.Id).ToHashSet());
        foreach (JobRun job in state.Jobs)
        {
            foreach (Cid input in JobIntake.Named(job.Spec))
                blobs.Pin(job.Id, input);
            for (int number = 1; number <= job.Tasks.Count; number++)
                foreach (TaskOutput output in job.Tasks.Outputs(number))
                    blobs.Pin(job.Id, output.Content);
        }
    }

    private static void Configure(ImmutableArray<(string Name, WorkerLoop Loop)> loops, ImmutableArray<WorkerSpec> changed, Action<string> warn)
    {
        foreach (WorkerSpec spec in changed)
        {
            WorkerLoop? loop = loops.FirstOrDefault(l => l.Name == spec.Name).Loop;
            if (loop is null)
                warn($"worker {spec.Name} is new in the file: it begins with the next start of drap dev");
            else
                loop.Configure(spec.Options with { Name = spec.Name });
        }
        foreach ((string name, WorkerLoop loop) in loops.Where(l => !changed.Any(c => c.Name == l.Name)))
        {
            warn($"worker {name} is not in the file any more: it takes no new work");
            loop.Drain(TimeSpan.FromDays(7));
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
