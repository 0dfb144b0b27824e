using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Core.Market;
using Drap.Core.Market.Pricing;
using Drap.Core.Nodes;
using Drap.Simulator.Checks;
using Drap.Simulator.Hunting;
using Drap.Simulator.Scenarios;
using Drap.Simulator.Storage;
using Drap.Simulator.Swarm;

namespace Drap.Simulator.Worlds;

/// <summary>
/// A swarm as a scenario says it: the machines that run in nodes, over links and topics that cost time, with what is submitted to them and
/// what breaks. One thread runs it, so that the same scenario and seed happen in the same way. Not thread-safe.
/// </summary>
public sealed class World
{
    /// <summary>Swarms up to this size check the invariants of every machine after each step.</summary>
    private const int ChecksMax = 100;

    /// <summary>Who hears a topic is told a scheduler so long after it changed: subscriptions are passed on by neighbours.</summary>
    private static readonly TimeSpan HearsayTime = TimeSpan.FromMilliseconds(100);

    private static readonly TimeSpan OneSecond = TimeSpan.FromSeconds(1);

    /// <summary>How long, after the last task has ended, whoever still keeps something has to let go of it: outboxes try again in minutes.</summary>
    private static readonly TimeSpan IdleTime = TimeSpan.FromMinutes(30);

    private readonly Dictionary<PeerId, int> indices = [];
    private readonly List<PeerId> peers = [];
    private readonly List<WorldWorker> workers = [];
    private readonly List<WorldScheduler> schedulers = [];
    private readonly List<WorkSource> sources = [];
    private readonly HashSet<string> changed = new(StringComparer.Ordinal);
    private readonly int[] sizes;
    private readonly Prng prng;
    private bool tellsChanges;

    /// <summary>The world of a scenario, before anything has happened.</summary>
    /// <param name="scenario">A checked scenario.</param>
    /// <param name="readTrace">Reads a file that the scenario names.</param>
    public World(ScenarioSpec scenario, Func<string, string> readTrace) : this(scenario, readTrace, new PlantedFault())
    {
    }

    internal World(ScenarioSpec scenario, Func<string, string> readTrace, PlantedFault planted)
    {
        Scenario = scenario;
        Planted = planted;
        Simulation = new Simulation((ulong)scenario.Seed);
        prng = Simulation.NewPrng();
        Regions = [.. scenario.Workers.Select(w => w.Region).Concat(scenario.Schedulers.Select(s => s.Region)).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        sizes = new int[Regions.Length];
        foreach (WorkerGroupSpec group in scenario.Workers)
            sizes[Regions.IndexOf(group.Region)] += group.Count;
        int count = scenario.Workers.Sum(w => w.Count);
        Checks = scenario.Checks ?? count <= ChecksMax ? new WorldChecks(this) : null;
        KeepsDisks = scenario.Faults.Any(f => f.Kind is Fault.SchedulersDie or Fault.SchedulersDieWriting or Fault.WorkersDie) || scenario.Workers.Any(w => w.Churn is not null);
        Network = new WorldNetwork(this, Simulation, scenario.Network, Regions, scenario.Schedulers.Sum(s => s.Count), count + scenario.Schedulers.Sum(s => s.Count));
        Start = Simulation.Now;
        Measures = new WorldMeasures(this);
        foreach (SchedulerGroupSpec group in scenario.Schedulers)
            for (int i = 0; i < group.Count; i++)
                Add(group, i);
        foreach (WorkerGroupSpec group in scenario.Workers)
            for (int i = 0; i < group.Count; i++)
                Add(group, i);
        foreach (WorkSpec work in scenario.Work)
            sources.Add(new WorkSource(this, work, sources.Count, readTrace));
        foreach (FaultSpec fault in scenario.Faults)
            FaultPlan.Arm(this, fault, NewPrng());
    }

    /// <summary>What it follows from.</summary>
    public ScenarioSpec Scenario { get; }

    /// <summary>Virtual time.</summary>
    public Simulation Simulation { get; }

    /// <summary>What keeps the last things that happened; null for nothing. To be set before it runs.</summary>
    public WorldTrace? Trace { get; set; }

    /// <summary>The last event that happens. Default: all do. To be set before it runs.</summary>
    public long StopAt { get; set; } = long.MaxValue;

    /// <summary>What was measured so far.</summary>
    internal WorldMeasures Measures { get; }

    /// <summary>The regions, ordered.</summary>
    public ImmutableArray<string> Regions { get; }

    internal WorldNetwork Network { get; }

    /// <summary>What tasks left and take.</summary>
    internal SimulatedBlobs Blobs { get; } = new();

    /// <summary>What errs on purpose; by default nothing.</summary>
    internal PlantedFault Planted { get; }

    internal IReadOnlyList<WorldWorker> Workers => workers;

    internal IReadOnlyList<WorldScheduler> Schedulers => schedulers;

    internal Instant Now => Simulation.Now;

    /// <summary>When it began.</summary>
    internal Instant Start { get; }

    /// <summary>The wall clock: it began in 2026.</summary>
    internal UtcTime Utc => new(1_780_000_000_000 + Now.Nanoseconds / 1_000_000);

    /// <summary>What is checked at each step; null if nothing is.</summary>
    internal WorldChecks? Checks { get; }

    /// <summary>Whether machines come up again, so that their disks must keep something.</summary>
    internal bool KeepsDisks { get; }

    /// <summary>Whether all that was to be submitted was, has ended, and was told.</summary>
    public bool IsDone => sources.TrueForAll(s => s.IsOver) && schedulers.TrueForAll(s => s.IsDone) && Measures.IsComplete;

    /// <summary>Runs to the end of the last task, or of the scenario's time, and says what was seen.</summary>
    /// <param name="progress">Called now and then; false ends the run early.</param>
    /// <exception cref="ViolationException">Something happened that must never happen, where that is looked for.</exception>
    public ScenarioResult Run(Func<ScenarioProgress, bool> progress)
    {
        try
        {
            return RunChecked(progress);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            ViolationException violation = Seen(e as ViolationException ?? new ViolationException("machine", e.Message, e));
            if (ReferenceEquals(violation, e))
                throw;
            throw violation;
        }
    }

    /// <summary>Says when and where something was seen: now.</summary>
    internal ViolationException Seen(ViolationException violation)
    {
        (violation.Event, violation.At, violation.Hash) = (Simulation.Happened, Now - Start, Simulation.Trace.ToString());
        return violation;
    }

    /// <summary>What has not ended, in a few words.</summary>
    public string Standing() => string.Join("; ", schedulers.Select(s => s.State is not { } state ? $"{s.Name} is down"
        : $"{s.Name}: {state.OpenJobs} jobs open, {string.Join(", ", state.Jobs.Where(j => j.End == JobEnd.None).Take(3).Select(j => $"{j.Number} has {string.Join(" ", Enum.GetValues<TaskState>().Where(t => j.Tasks.CountOf(t) > 0).Select(t => $"{j.Tasks.CountOf(t)} {t}"))}"))}"));

    private ScenarioResult RunChecked(Func<ScenarioProgress, bool> progress)
    {
        Instant end = Start + Scenario.Duration + Scenario.Settle;
        bool goesOn = true;
        while (goesOn && Now < end && !IsDone)
        {
            RunUntil(Instant.Min(Now + OneSecond, end));
            if (Simulation.Happened >= StopAt)
                return Measures.Result();
            Measures.Sample();
            Checks?.CheckTraffic();
            goesOn = progress(Measures.Progress());
        }
        ScenarioResult result = Measures.Result();
        if (Checks is not null && goesOn && IsDone)
        {
            LetGo(Instant.Max(Now, LastFault) + IdleTime);
            Checks.CheckEnd();
        }
        return result;
    }

    /// <summary>Runs on until nobody keeps anything, which must be soon once the faults are over.</summary>
    private void LetGo(Instant limit)
    {
        while (Checks!.WhoIsNotIdle() is { } who)
        {
            if (Now >= limit)
                throw new ViolationException("idle", $"all has ended, but {who}");
            RunUntil(Now + OneSecond);
            if (Simulation.Happened >= StopAt)
                return;
        }
    }

    /// <summary>Runs for a while; machines that lose power within a call to their disks do so.</summary>
    private void RunUntil(Instant until)
    {
        while (Now < until)
        {
            try
            {
                if (!Simulation.RunUntil(until, StopAt))
                    return;
            }
            catch (SimulatedCrashException)
            {
                foreach (WorldScheduler scheduler in schedulers)
                    if (scheduler.HasCrashedWriting)
                        scheduler.CrashedWriting();
            }
        }
    }

    /// <summary>When the last of the faults is over.</summary>
    private Instant LastFault => Scenario.Faults.Select(f => Start + f.At + f.For).Append(Start).Max();

    internal string NameOf(int index) => index < schedulers.Count ? schedulers[index].Name : workers[index - schedulers.Count].Options.Name;

    internal Prng NewPrng() => Simulation.NewPrng();

    internal PeerId PeerOf(int index) => peers[index];

    internal int IndexOf(PeerId peer) => indices[peer];

    internal WorldWorker WorkerOf(PeerId peer) => workers[indices[peer] - workers[0].Index];

    /// <summary>How many workers a region is thought to have.</summary>
    internal int SizeOf(int region) => sizes[region];

    /// <summary>What a scheduler learns of the swarm when it comes up.</summary>
    internal IEnumerable<SchedulerInput> WhatItSees(WorldScheduler scheduler)
    {
        foreach (WorldWorker worker in workers)
            if (IsSmall(scheduler.Region))
                yield return new SchedulerInput.Named(worker.Peer, worker.Options.Name, worker.Options.Name);
        for (int i = 0; i < Regions.Length; i++)
            yield return new SchedulerInput.SwarmSize(Regions[i], sizes[i]);
        yield return new SchedulerInput.SwarmSize(Audience.GlobalRegion, sizes.Sum());
        foreach (string topic in TopicsOf(scheduler))
            yield return new SchedulerInput.Audience(topic, MembersOf(topic));
    }

    internal void Subscribe(WorldWorker worker, string topic)
    {
        worker.Topics.Add(topic);
        Network.Topic(topic).Add(worker.Index);
        Changed(topic);
    }

    internal void Unsubscribe(WorldWorker worker, string topic)
    {
        worker.Topics.Remove(topic);
        Network.Topic(topic).Remove(worker.Index);
        Changed(topic);
    }

    /// <summary>A worker is gone.</summary>
    internal void Left(WorldWorker worker)
    {
        Network.SetUp(worker.Index, up: false);
        foreach (string topic in worker.Topics.Order(StringComparer.Ordinal).ToArray())
            Unsubscribe(worker, topic);
    }

    /// <summary>How long a task runs on a worker, and with which code it ends: the same for each attempt of it, but for failures.</summary>
    internal (TimeSpan Time, int ExitCode) RunsLike(LaunchOrder order, double speed) =>
        sources[Measures.SourceOf(order.Job)].RunsLike(order.Attempt, speed);

    private void Add(SchedulerGroupSpec group, int number)
    {
        string name = group.Count == 1 ? group.Name : $"{group.Name}{number + 1}";
        PeerId peer = Simulation.NewPeer(prng);
        var scheduler = new WorldScheduler(this, peer, name, group.Name, Regions.IndexOf(group.Region), group.Sync);
        Note(peer, scheduler.Index);
        schedulers.Add(scheduler);
        Simulation.At(Start + group.From, scheduler.Start);
    }

    private void Add(WorkerGroupSpec group, int number)
    {
        PeerId peer = Simulation.NewPeer(prng);
        var options = new WorkerOptions
        {
            Name = $"{group.Name}{number + 1}",
            Resources = new NodeResources
            {
                MilliCpus = group.Cpu.Milli,
                MemoryBytes = group.Memory.Bytes,
                DiskBytes = group.Disk.Bytes,
                Gpus = [.. Enumerable.Range(0, group.Gpu?.Count ?? 0).Select(i => new GpuDevice(i, group.Gpu!.Type ?? "", group.Gpu.Memory.Bytes))],
                Named = [.. group.Named.Select(n => new NamedAmount(n.Key, n.Value))],
            },
            Traits = new NodeTraits
            {
                Region = group.Region,
                Architecture = "x86_64",
                Drivers = ["dotnet", "process"],
                Handlers = ["noop"],
                Labels = [.. group.Labels.Order(StringComparer.Ordinal)],
            },
            Pricing = new PricingOptions { OwnerPermille = (int)(group.Price.Millionths / 1000) },
        };
        var worker = new WorldWorker(this, peer, options, Regions.IndexOf(group.Region), group.Speed.Value);
        Note(peer, worker.Index);
        workers.Add(worker);
        Simulation.At(Start, worker.Start);
        if (group.Churn is { } churn)
            FaultPlan.Arm(this, worker, churn, NewPrng());
    }

    private void Note(PeerId peer, int index)
    {
        Invariant.Check(index == peers.Count);
        peers.Add(peer);
        indices.Add(peer, index);
    }

    /// <summary>Whether a scheduler of a region knows each worker there, or only about how many there are.</summary>
    private bool IsSmall(int region) => Topics.LevelFor(sizes[region]) == 0;

    private void Changed(string topic)
    {
        changed.Add(topic);
        if (tellsChanges)
            return;
        tellsChanges = true;
        Simulation.After(HearsayTime, () =>
        {
            tellsChanges = false;
            foreach (WorldScheduler scheduler in schedulers)
                foreach (string heard in TopicsOf(scheduler))
                    if (changed.Contains(heard))
                        scheduler.Post(new SchedulerInput.Audience(heard, MembersOf(heard)));
            changed.Clear();
        });
    }

    /// <summary>The topics whose hearers a scheduler knows one by one: those of its region, where there are few.</summary>
    private IEnumerable<string> TopicsOf(WorldScheduler scheduler)
    {
        if (!IsSmall(scheduler.Region))
            yield break;
        foreach (string taskClass in (string[])["cpu", "gpu", "highmem"])
            yield return Topics.Name(taskClass, Regions[scheduler.Region], Topics.ShardAt(0, 0));
    }

    private ImmutableArray<PeerId> MembersOf(string topic) => [.. Network.Topic(topic).Members.Select(PeerOf).Order()];
}
