using System.Collections.Immutable;
using Drap.Api;
using Drap.Core.Market;
using Drap.Core.Nodes;
using Drap.Node.Drivers;
using Drap.Node.Home;
using Drap.Node.Hosting.Workers;
using Drap.Node.Identity;
using Drap.Node.Overlay;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>
/// A whole swarm in one process: one scheduler and several workers over an overlay in memory, with one blob store. What a machine on its
/// own runs.
/// </summary>
public sealed class EmbeddedSwarm : INodeHost
{
    /// <summary>What runs at an orderly stop gets this long between TERM and KILL.</summary>
    internal static readonly TimeSpan StopGrace = TimeSpan.FromSeconds(5);

    private readonly Lifetime life = new();
    private readonly HomeScheduler scheduler;
    private readonly ImmutableArray<(string Name, WorkerLoop Loop)> workers;
    private readonly IDisposable? watching;

    private EmbeddedSwarm(HomeFolder home, NodeHostOptions options, HandlerRegistry handlers, ILoggerFactory loggers, Action<string> warn, CancellationToken cancel)
    {
        ILogger logger = loggers.CreateLogger("drap");
        ImmutableArray<WorkerSpec> specs = options.WorkersFile is { } file ? WorkersFile.Read(file) : MachineResources.Detect(home.Path).Split(options.Workers);
        PeerId self = NodeIdentity.Open(home.SchedulerIdentityFile).Peer;
        // A swarm of one process is small: everyone hears every ad, whatever region its machine is said to be in, and says if that is not the one.
        scheduler = new HomeScheduler(home, self, Audience.GlobalRegion, Principal.Local, options.Mode, logger, Fail, async () => await DisposeAsync().ConfigureAwait(false));
        scheduler.Sit(SchedulerJournal.Open(home, options.Journal, self, logger, warn, cancel), self);
        var overlay = new MemoryOverlay();
        var loops = ImmutableArray.CreateBuilder<(string, WorkerLoop)>(specs.Length);
        var nodes = ImmutableArray.CreateBuilder<SwarmNode>(specs.Length + 1);
        nodes.Add(new SwarmNode("scheduler", self) { Roles = ["scheduler"], Pid = Environment.ProcessId });
        foreach (WorkerSpec spec in specs)
        {
            var folder = new WorkerFolder(home.WorkerFolder(spec.Name));
            PeerId peer = NodeIdentity.Open(folder.IdentityFile).Peer;
            var loop = new WorkerLoop(folder, peer, spec.Options with { Name = spec.Name }, handlers, scheduler.Blobs, ownsBlobs: false, [], scheduler.Clock, logger, Fail);
            loops.Add((spec.Name, loop));
            nodes.Add(new SwarmNode(spec.Name, peer) { Roles = ["worker"], Pid = Environment.ProcessId });
            scheduler.Seat.Post(new SchedulerInput.Named(peer, spec.Name, "127.0.0.1"));
            loop.Start(overlay.Join(peer, loop));
        }
        workers = loops.MoveToImmutable();
        Swarm = new SwarmDocument { Overlay = "memory", Region = Audience.GlobalRegion, Nodes = nodes.MoveToImmutable() };
        scheduler.Join(overlay.Join(self, scheduler.Seat), sharesBlobs: true);
        scheduler.Start();
        watching = options.WorkersFile is { } watched ? WorkersFile.Watch(watched, changed => Configure(changed, warn), warn) : null;

        void Fail(Exception e) => life.Fail(e);
    }

    /// <inheritdoc/>
    public INodeService Service => scheduler.Service;

    /// <inheritdoc/>
    public SwarmDocument Swarm { get; }

    /// <inheritdoc/>
    public Task Completion => life.Completion;

    /// <summary>Starts one in a home whose lock the caller holds.</summary>
    /// <param name="home">The folder.</param>
    /// <param name="options">How many workers, or which.</param>
    /// <param name="handlers">What <c>dotnet</c> tasks may call.</param>
    /// <param name="loggers">Where its log lines go.</param>
    /// <param name="warn">What a person at the terminal should read: a workers' file that cannot be read, or for whom its journal waits.</param>
    /// <param name="cancel">Gives the start up while it waits for its journal.</param>
    public static EmbeddedSwarm Start(HomeFolder home, NodeHostOptions options, HandlerRegistry handlers, ILoggerFactory loggers, Action<string> warn, CancellationToken cancel) =>
        new(home, options, handlers, loggers, warn, cancel);

    /// <inheritdoc/>
    public Task IdleAsync(CancellationToken cancel) => scheduler.IdleAsync(life.Completion, cancel);

    /// <summary>Ends what runs, with a grace; the journal keeps every job, and the next start resumes them.</summary>
    public ValueTask DisposeAsync() => life.EndAsync(async () =>
    {
        watching?.Dispose();
        await Task.WhenAny(Task.WhenAll(workers.Select(w => w.Loop.DrainAsync(TimeSpan.Zero))), Task.Delay(StopGrace + TimeSpan.FromSeconds(1)), life.Completion)
            .ConfigureAwait(false);
        foreach ((string _, WorkerLoop loop) in workers)
            loop.Dispose();
        await scheduler.DisposeAsync().ConfigureAwait(false);
    });

    /// <inheritdoc/>
    public void Abort() => Parallel.ForEach(workers, worker => worker.Loop.Dispose());

    private void Configure(ImmutableArray<WorkerSpec> changed, Action<string> warn)
    {
        foreach (WorkerSpec spec in changed)
        {
            WorkerLoop? loop = workers.FirstOrDefault(l => l.Name == spec.Name).Loop;
            if (loop is null)
                warn(WorkersFile.IsNew(spec.Name));
            else
                loop.Configure(spec.Options with { Name = spec.Name });
        }
        foreach ((string name, WorkerLoop loop) in workers.Where(l => !changed.Any(c => c.Name == l.Name)))
        {
            warn(WorkersFile.IsGone(name));
            loop.Drain(TimeSpan.FromDays(7));
        }
    }
}
