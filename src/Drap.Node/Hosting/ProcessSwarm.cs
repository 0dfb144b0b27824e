using System.Collections.Immutable;
using System.Net;
using Drap.Api;
using Drap.Core.Membership;
using Drap.Core.Nodes;
using Drap.Node.Evidences;
using Drap.Node.Home;
using Drap.Node.Hosting.Workers;
using Drap.Node.Identity;
using Drap.Node.Membership;
using Drap.Node.Overlay;
using Drap.Node.Storage.Etcd;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>
/// A home's nodes as processes: the scheduler this one, each worker a child, told where this one is. What <c>drap dev</c> keeps up, as a swarm of its own, and
/// <c>drap up</c>, as a part of one that spans machines and lets in members only.
/// </summary>
public sealed class ProcessSwarm : INodeHost
{
    /// <summary>The region of a swarm that says none.</summary>
    public const string Region = "local";

    /// <summary>How long the start waits for workers: beyond it they join when they are there.</summary>
    private static readonly TimeSpan JoinPatience = TimeSpan.FromSeconds(30);

    /// <summary>How long the start waits until it leads: a leader that was killed is one to etcd for three seconds more, or a little longer.</summary>
    private static readonly TimeSpan OwnerPatience = TimeSpan.FromSeconds(6), StandbyPatience = TimeSpan.FromMilliseconds(500);

    /// <summary>What a worker may need at its end from TERM to KILL, and to tell of it.</summary>
    private static readonly TimeSpan WorkerPatience = Core.Execution.Executor.Grace + TimeSpan.FromSeconds(3);

    private readonly Lifetime life = new();
    private readonly HomeScheduler scheduler;
    private readonly Action<string> warn;
    private readonly Lock gate = new();
    private readonly Dictionary<string, WorkerReport> reports = new(StringComparer.Ordinal);
    private readonly TaskCompletionSource allUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private IOverlay? overlay;
    private ImmutableArray<WorkerProcess> workers = [];
    private readonly string region;
    private readonly Func<string, string> nameOf;
    private ImmutableArray<WorkerSpec> specs = [];
    private IDisposable? watching;
    private NodeEnd? end;
    private Task? leaving, leading;
    private readonly CancellationTokenSource stopping = new();

    private ProcessSwarm(HomeFolder home, NodeHostOptions options, PeerId self, SwarmPlace? place, ILogger logger, Action<string> warn)
    {
        this.warn = warn;
        region = options.Swarm?.Region ?? Region;
        nameOf = place is null ? name => name : place.NameOf;
        place?.Membership.Met = (member, at) =>
        {
            if (member.Roles.HasFlag(NodeRoles.Worker))
                scheduler!.Seat.Post(new SchedulerInput.Named(member.Peer, member.Name, at.TryGetTcp(out EndPoint? where, out _) && where is IPEndPoint ip ? ip.Address.ToString() : "",
                    MayKeep: member.Principal == place.Membership.Self.Principal));
        };
        scheduler = new HomeScheduler(
            home, self, region, place?.Membership.Self.Principal ?? Principal.Local, options.Mode, logger, life.Fail, async () => await DisposeAsync().ConfigureAwait(false))
        {
            Certificates = place?.Membership.Certificates ?? [],
            Evidence = place is null ? null : loop => new EvidenceDesk(
                place.Membership.Swarm, NodeIdentity.Open(home.SchedulerIdentityFile).OpenKey(), home.EvidenceFolder, place.Membership.PrincipalOf,
                (peer, what) => loop.Post(new SchedulerInput.Refused(peer, what))),
        };
        scheduler.Seat.AudienceChanged += LookForAll;
    }

    /// <inheritdoc/>
    public INodeService Service => scheduler.Service;

    /// <inheritdoc/>
    public SwarmDocument Swarm
    {
        get
        {
            lock (gate)
                return new SwarmDocument
                {
                    Overlay = overlay!.Abilities.HasFlag(OverlayAbilities.Gated) ? "libp2p" : "p2pd",
                    Region = region,
                    Nodes =
                    [
                        new SwarmNode("scheduler", overlay.Self) { Roles = ["scheduler"], Addresses = overlay.Addresses, Pid = Environment.ProcessId },
                        .. workers.Where(w => reports.ContainsKey(w.Name)).Select(w => new SwarmNode(w.Name, PeerOf(reports[w.Name]))
                        {
                            Roles = ["worker"], Addresses = reports[w.Name].Addresses, Pid = w.Pid,
                        }),
                    ],
                };
        }
    }

    /// <inheritdoc/>
    public Task Completion => life.Completion;

    /// <summary>Starts one in a home whose lock the caller holds; when this ends its workers hear ads, or are late and were complained of.</summary>
    /// <param name="home">The folder.</param>
    /// <param name="options">Which workers, and over what.</param>
    /// <param name="loggers">Where its log lines go.</param>
    /// <param name="warn">What a person at the terminal should read.</param>
    /// <param name="arguments">Further arguments of each worker's process.</param>
    /// <param name="cancel">Gives the start up; nothing is left running then.</param>
    /// <exception cref="OverlayException">It cannot listen, or its daemon does not answer.</exception>
    /// <exception cref="JoinException">Its ticket opens nothing.</exception>
    public static async Task<ProcessSwarm> StartAsync(
        HomeFolder home, NodeHostOptions options, ILoggerFactory loggers, Action<string> warn, ImmutableArray<string> arguments, CancellationToken cancel)
    {
        NodeIdentity identity = NodeIdentity.Open(home.SchedulerIdentityFile);
        ILogger logger = loggers.CreateLogger("drap");
        SwarmPlace? place = options.Swarm is null ? null : await SwarmPlace.TakeAsync(home, identity, options.Swarm, logger, warn, cancel).ConfigureAwait(false);
        if (place is not null)
            options = options with { Overlays = [place.Overlay] };
        var choice = new WorkerChoice(options.WorkersFile, options.Workers, options.Terms);
        ImmutableArray<WorkerSpec> specs = place is { Works: false } ? [] : choice.Read(home.Path);
        PeerId self = await OverlayFactory.SelfAsync(options.Overlays[0], identity, cancel).ConfigureAwait(false);
        EtcdAddress? shared = SchedulerJournal.Place(home, options.Journal);
        bool standsIn = options.Terms?.Standby ?? false;
        if (standsIn && (shared is null || place?.Roles.HasFlag(NodeRoles.Scheduler) != true))
            throw new HomeException(
                HomeProblem.NotUsable, shared is null ? "a node stands by only for a scheduler whose journal is in etcd" : "a node without the role scheduler cannot stand by for one",
                shared is null ? "drap up --standby --journal etcd://HOST/NAME" : "drap up without --role, or with --role scheduler");
        var swarm = new ProcessSwarm(home, options, self, place, logger, warn) { specs = specs };
        try
        {
            if (shared is null)
                swarm.scheduler.Sit(SchedulerJournal.OnDisk(home, logger), self);
            swarm.overlay = await JoinAsync(options.Overlays[0], identity, swarm.scheduler.Seat, warn, cancel).ConfigureAwait(false);
            if (place is not null)
            {
                place.Listens(swarm.overlay.Addresses);
                foreach (WorkerSpec spec in specs)
                    place.Certify(spec.Name);
                swarm.scheduler.Receipts = () => HomeReceipts.Read(home);
                swarm.scheduler.Swarm = new SwarmDesk(place.Membership, swarm.overlay, place.Roles);
                place.Membership.Drain = place.Works ? swarm.Drain : null;
            }
            else if (options.Overlays[0].Listen.Any(a => !a.TryGetTcp(out EndPoint? at, out _) || at is not IPEndPoint ip || !IPAddress.IsLoopback(ip.Address)))
                warn("the swarm is open: whoever reaches this machine's addresses can offer and run tasks in it, until there are certificates");
            swarm.scheduler.Join(swarm.overlay, sharesBlobs: false, place is null ? null : place.Membership.PrincipalOf, options.Terms?.BlobRate.Bytes ?? 0);
            if (shared is null)
                swarm.scheduler.Start();
            else
                await swarm.LeadAsync(
                    new SchedulerStandby(shared, self, home, place?.Membership.Standby, swarm.scheduler.Seat, standsIn, logger, warn), place?.Membership.Standby, home, standsIn, cancel)
                    .ConfigureAwait(false);
            if (options.Terms is { } terms and not { TimeLimit: null, IdleTimeout: null })
                swarm.end = new NodeEnd(terms, swarm.scheduler.Clock);
            swarm.StartWorkers(home, options, choice, place is null ? arguments : [.. arguments, "--member"]);
            await swarm.WhenAllUpAsync(cancel).ConfigureAwait(false);
            if (swarm.end is { } end)
                swarm.leaving = swarm.LeaveAsync(end);
            if (choice.File is { } file)
                swarm.watching = WorkersFile.Watch(file, swarm.OnFileChanged, warn);
            return swarm;
        }
        catch
        {
            await swarm.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <inheritdoc/>
    public Task IdleAsync(CancellationToken cancel) => scheduler.IdleAsync(life.Completion, cancel);

    /// <summary>Ends what runs, with a grace, and the workers' processes; the journal keeps every job, and the next start resumes them.</summary>
    public ValueTask DisposeAsync() => life.EndAsync(async () =>
    {
        watching?.Dispose();
        end?.Dispose();
        await stopping.CancelAsync().ConfigureAwait(false);
        if (leading is not null)
            await leading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(workers.Select(w => w.DisposeAsync().AsTask())).ConfigureAwait(false);
        await scheduler.DisposeAsync().ConfigureAwait(false);
        if (overlay is not null)
            await overlay.DisposeAsync().ConfigureAwait(false);
    });

    /// <inheritdoc/>
    public void Abort() => Parallel.ForEach(workers, worker => worker.Abort());

    private void StartWorkers(HomeFolder home, NodeHostOptions options, WorkerChoice choice, ImmutableArray<string> arguments)
    {
        ImmutableArray<string> common =
        [
            .. options.Program, "serve", "--home", home.Path, .. choice.ToArguments(specs.Length), "--region", region,
            .. overlay!.Addresses.SelectMany(a => (string[])["--bootstrap", a]), .. arguments,
            .. end?.At is { } at ? (string[])["--ends-at", at.Nanoseconds.ToString(System.Globalization.CultureInfo.InvariantCulture)] : [],
        ];
        lock (gate)
            workers = [.. specs.Select((spec, i) => new WorkerProcess(
                spec.Name, [.. common, "--worker", spec.Name, "--overlay", OverlayOf(options, i + 1)], OnReady, warn))];
    }

    /// <summary>A daemon speaks for one node; what is no daemon serves all that follow.</summary>
    private static string OverlayOf(NodeHostOptions options, int node) =>
        node < options.Overlays.Length ? options.Overlays[node].ToArgument()
        : options.Overlays[^1] is { Kind: not OverlayKind.P2pd } last ? last.Beside().ToArgument() : "libp2p";

    private static PeerId PeerOf(WorkerReport report) => PeerId.TryParse(report.Peer, out PeerId peer) ? peer : default;

    /// <summary>The port of the last time may be another's now: then the node listens on a free one, and says so.</summary>
    private static async Task<IOverlay> JoinAsync(OverlayOptions joins, NodeIdentity identity, IOverlayEvents events, Action<string> warn, CancellationToken cancel)
    {
        try
        {
            return await OverlayFactory.JoinAsync(joins, identity, events, cancel).ConfigureAwait(false);
        }
        catch (OverlayException taken) when (joins.Gate is SwarmMembership && joins.Listen is [var only] && only != joins.Beside().Listen[0])
        {
            warn($"{taken.Message}; it listens on another port, which older tickets do not name");
            return await OverlayFactory.JoinAsync(joins with { Listen = joins.Beside().Listen }, identity, events, cancel).ConfigureAwait(false);
        }
    }

    /// <summary>
    /// Leads a journal in etcd when nobody else does. Ends when it leads, or when it is known to stand by: then it leads later. Its owner waits first, for as long as
    /// an earlier process of its own may be taken for the leader.
    /// </summary>
    private async Task LeadAsync(SchedulerStandby standby, StandbyDesk? desk, HomeFolder home, bool standsIn, CancellationToken cancel)
    {
        desk?.Lends = () => [.. SecretKey.Read(home.SecretKeyFile)];
        leading = Task.Run(LeadAsync, CancellationToken.None);
        await Task.WhenAny(leading, Task.Delay(standsIn ? StandbyPatience : OwnerPatience, cancel)).ConfigureAwait(false);
        cancel.ThrowIfCancellationRequested();
        if (leading.IsCompleted)
            await leading.ConfigureAwait(false);

        async Task LeadAsync()
        {
            try
            {
                SchedulerJournal journal = await standby.LeadAsync(stopping.Token).ConfigureAwait(false);
                scheduler.Sit(journal, standby.Owner ?? overlay!.Self);
                scheduler.Start();
                if (standby.HasWaited)
                    warn(standby.Owner is { } owner && owner != overlay!.Self ? $"it leads now, in the place of the scheduler {owner}" : "it leads now");
                LookForAll();
            }
            catch (Exception e) when (e is not OperationCanceledException || !stopping.IsCancellationRequested)
            {
                life.Fail(e);
                throw;
            }
        }
    }

    /// <summary>Ends the node when its own end has come. Nobody waits for this: it is what ends all else.</summary>
    private async Task LeaveAsync(NodeEnd own)
    {
        try
        {
            Task? gone = workers.IsEmpty ? null : Task.WhenAll(workers.Select(w => w.Gone));
            string why = await own.WhenOverAsync(gone, IdleAsync).ConfigureAwait(false);
            // At the end workers end what still runs, which may need its grace.
            if (gone is not null)
                await Task.WhenAny(gone, Task.Delay(WorkerPatience)).ConfigureAwait(false);
            warn($"the node leaves: {why}; jobs are kept and resumed when it is up again");
            await DisposeAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // It ends otherwise.
        }
        catch (Exception e)
        {
            life.Fail(e);
        }
    }

    private void Drain()
    {
        foreach (WorkerProcess worker in workers)
            worker.Drain();
    }

    private void OnReady(WorkerProcess worker, WorkerReport report)
    {
        lock (gate)
            reports[worker.Name] = report;
        scheduler.Seat.Post(new SchedulerInput.Named(PeerOf(report), nameOf(worker.Name), SchedulerInput.Named.OwnHost));
        LookForAll();
    }

    /// <summary>Whether all workers are up and hear what is advertised.</summary>
    private void LookForAll()
    {
        ImmutableArray<PeerId> hearers = scheduler.Seat.AudienceOf(scheduler.CommonTopic);
        lock (gate)
            if (specs.All(s => reports.TryGetValue(s.Name, out WorkerReport? report) && hearers.Contains(PeerOf(report))))
                allUp.TrySetResult();
    }

    private async Task WhenAllUpAsync(CancellationToken cancel)
    {
        // Workers that are idle from the start may go before anybody heard of them.
        Task gone = workers.IsEmpty ? allUp.Task : Task.WhenAll(workers.Select(w => w.Gone));
        await Task.WhenAny(allUp.Task, gone, life.Completion, Task.Delay(JoinPatience, cancel)).ConfigureAwait(false);
        cancel.ThrowIfCancellationRequested();
        if (life.Completion.IsCompleted)
            await life.Completion.ConfigureAwait(false);
        if (allUp.Task.IsCompleted || gone.IsCompleted)
            return;
        ImmutableArray<PeerId> hearers = scheduler.Seat.AudienceOf(scheduler.CommonTopic);
        lock (gate)
            foreach (WorkerSpec spec in specs.Where(s => !reports.TryGetValue(s.Name, out WorkerReport? report) || !hearers.Contains(PeerOf(report))))
                warn($"worker {spec.Name} has not joined yet; its tasks wait until it does");
    }

    /// <summary>Each worker reads the file for itself; what concerns none of them is said here.</summary>
    private void OnFileChanged(ImmutableArray<WorkerSpec> changed)
    {
        foreach (WorkerSpec added in changed.Where(c => !specs.Any(s => s.Name == c.Name)))
            warn(WorkersFile.IsNew(added.Name));
        foreach (WorkerSpec gone in specs.Where(s => !changed.Any(c => c.Name == s.Name)))
            warn(WorkersFile.IsGone(gone.Name));
    }
}
