using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Journal;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Storage;

namespace Drap.Simulator.Swarm;

/// <summary>A scheduler in a simulated swarm, over a disk that may crash under it; it starts again from what that disk kept.</summary>
public sealed class SimulatedScheduler : IJournalListener
{
    private const int ObservationsMax = 1000;

    private static readonly TimeSpan SyncTime = TimeSpan.FromMilliseconds(1);

    /// <summary>How long it takes to bring outputs here.</summary>
    private static readonly TimeSpan FetchTime = TimeSpan.FromMilliseconds(2);

    private readonly SimulatedSwarm swarm;
    private readonly List<SchedulerEffect> effects = [];
    private readonly List<SchedulerInput> inbox = [];
    private readonly List<(PeerId Worker, string Name)> names = [];
    private readonly SimulatedAlarm alarm;
    private Func<string, string> hostOf = name => name;
    private bool workersKeep;
    private SchedulerNode? node;
    private SchedulerDisk? disk;
    private SimulatedEvent? batch;
    private long tickets;

    internal SimulatedScheduler(SimulatedSwarm swarm, PeerId peer)
    {
        this.swarm = swarm;
        Peer = peer;
        alarm = new SimulatedAlarm(swarm.Simulation, () => Post(SchedulerInput.Tick.Instance));
        Storage = new FaultyStorage(swarm.Simulation.NewPrng(), swarm.Simulation.Trace);
        Start();
    }

    /// <summary>Its peer id.</summary>
    public PeerId Peer { get; }

    /// <summary>Its disk.</summary>
    public FaultyStorage Storage { get; }

    /// <summary>The machine; null while it is down.</summary>
    public SchedulerNode? Node => node;

    /// <summary>What it knows; null while it is down.</summary>
    public SchedulerState? State => node?.State;

    /// <summary>Answers to requests, in order.</summary>
    public List<SchedulerReply> Replies { get; } = [];

    /// <summary>Jobs whose submit was answered: from then on they must not be lost.</summary>
    public HashSet<JobId> Taken { get; } = [];

    /// <summary>Tasks of whose success it told, which must stay so.</summary>
    public HashSet<TaskId> Told { get; } = [];

    /// <summary>Messages that may wait at once; more are refused and counted. Default: no end.</summary>
    public int QueueMax { get; set; } = int.MaxValue;

    /// <summary>Messages that found the queue full.</summary>
    public long Refused { get; private set; }

    /// <summary>What it told of itself; the youngest thousand.</summary>
    public Queue<SchedulerObservation> Observations { get; } = new();

    /// <summary>Pieces of tasks' output that it took.</summary>
    public int Logs { get; private set; }

    /// <summary>How often it came up.</summary>
    public int Starts { get; private set; }

    private const string DiskFull = "the disk of this node's home is full";

    /// <summary>How much room its journal keeps for itself on the disk; from the next start on. Default: none.</summary>
    public long ReserveBytes { get; set; }

    /// <summary>Workers may keep copies of outputs from now on.</summary>
    /// <param name="host">On which machine a worker of a name is.</param>
    public void LetWorkersKeep(Func<string, string> host)
    {
        (hostOf, workersKeep) = (host, true);
        foreach ((PeerId worker, string name) in names)
            Post(new SchedulerInput.Named(worker, name, host(name), MayKeep: true));
    }

    /// <summary>Comes up from what the disk holds.</summary>
    public void Start()
    {
        Starts++;
        var room = new ReservedStorage(Storage, ReserveBytes, isShort => Post(new SchedulerInput.Room(isShort ? DiskFull : null)));
        room.Look();
        var options = new JournalOptions(swarm.Simulation.NewPrng().NextUInt64()) { SegmentBytes = 64 * 1024, SnapshotAfterBytes = 256 * 1024 };
        disk = new SchedulerDisk(swarm.Simulation, room, options, this, SyncTime);
        node = disk.NewNode(new SchedulerOptions { Scheduler = Peer }, swarm.Simulation.NewPrng());
        swarm.Attach(Peer, Receive);
        node.Start(swarm.Utc, swarm.Simulation.Now, effects);
        foreach ((PeerId worker, string name) in names)
            Post(new SchedulerInput.Named(worker, name, hostOf(name), workersKeep));
        foreach ((string topic, ImmutableArray<PeerId> members) in swarm.Audiences())
            Post(new SchedulerInput.Audience(topic, members));
        Post(SchedulerInput.Tick.Instance);
        if (room.IsShort)
            Post(new SchedulerInput.Room(DiskFull));
        if (ReserveBytes > 0)
            LookForRoom(room, node);
    }

    /// <summary>The process is gone, with all that was not on disk; with the machine's power, also what was not synced.</summary>
    public void Crash(bool losePower)
    {
        disk!.Crash();
        swarm.Detach(Peer);
        node = null;
        inbox.Clear();
        effects.Clear();
        batch?.Cancel();
        alarm.Set(null);
        if (losePower)
            Storage.LosePower();
        else
            Storage.KillProcess();
    }

    /// <summary>Does something to a job.</summary>
    public void Act(JobId job, JobDeed deed, params ReadOnlySpan<TaskSpan> tasks) =>
        Post(new SchedulerInput.Act(new Ticket(++tickets), job, deed, [.. tasks], FailedOnly: false));

    /// <summary>Posts any input.</summary>
    public void Post(SchedulerInput input)
    {
        if (node is null)
            return;
        inbox.Add(input);
        if (batch is null or { IsCancelled: true })
            batch = swarm.Simulation.After(TimeSpan.Zero, Run);
    }

    /// <inheritdoc/>
    public void Committed(long sequence) => Post(new SchedulerInput.Persisted(sequence));

    /// <inheritdoc/>
    public void Failed(JournalException reason) => throw reason;

    /// <inheritdoc/>
    public void SnapshotInstalled(long sequence)
    {
    }

    /// <inheritdoc/>
    public void SnapshotFailed(long sequence, JournalException reason)
    {
    }

    internal void Submit(JobId id, JobSpec spec) =>
        Post(new SchedulerInput.Submit(new Ticket(++tickets), id, Principal.Local, spec, [.. JobJson.Write(spec)], "", JobSecrets.None));

    internal void Named(PeerId worker, string name)
    {
        names.Add((worker, name));
        Post(new SchedulerInput.Named(worker, name, hostOf(name), workersKeep));
    }

    internal void AudienceChanged(string topic, ImmutableArray<PeerId> members) => Post(new SchedulerInput.Audience(topic, members));

    /// <summary>Once a second, as the node's journal thread does, while this start of it is up.</summary>
    private void LookForRoom(ReservedStorage room, SchedulerNode started) => swarm.Simulation.After(TimeSpan.FromSeconds(1), () =>
    {
        if (node != started)
            return;
        if (room.IsShort)
            room.Look();
        LookForRoom(room, started);
    });

    private void Receive(PeerId from, Message message)
    {
        if (inbox.Count < QueueMax)
            Post(new SchedulerInput.Received(from, message));
        else
            Refused++;
    }

    private void Run()
    {
        batch = null;
        SchedulerInput[] inputs = [.. inbox];
        inbox.Clear();
        foreach (SchedulerInput input in inputs)
            node!.Step(input, swarm.Simulation.Now, effects);
        node!.Flush(swarm.Simulation.Now, effects);
        if (swarm.ChecksInvariants)
            node.CheckInvariants();
        disk!.Write();
        foreach (SchedulerEffect effect in effects)
            Perform(effect);
        effects.Clear();
        disk.SnapshotIfDue();
        alarm.Set(node.NextDeadline);
    }

    private void Perform(SchedulerEffect effect)
    {
        switch (effect)
        {
            case SchedulerEffect.Publish publish:
                swarm.Publish(Peer, publish.Topic, publish.Ad);
                break;
            case SchedulerEffect.Send send:
                swarm.Send(Peer, send.To, send.Message);
                break;
            case SchedulerEffect.Done done:
                Replies.Add(done.Reply);
                if (done.Reply is SchedulerReply.Submitted submitted)
                    Taken.Add(submitted.Job);
                break;
            case SchedulerEffect.Fetch fetch:
                swarm.Simulation.After(FetchTime, () => Post(new SchedulerInput.Fetched(fetch.Attempt, Bring(fetch), "it is down")));
                break;
            case SchedulerEffect.Copy copy:
                swarm.Simulation.After(FetchTime, () => Post(new SchedulerInput.Copied(copy.Attempt, copy.Keeper, Keep(copy))));
                break;
            case SchedulerEffect.Observe observe:
                if (Observations.Count == ObservationsMax)
                    Observations.Dequeue();
                Observations.Enqueue(observe.What);
                break;
            case SchedulerEffect.StoreLog:
                Logs++;
                break;
            case SchedulerEffect.Changed changed when State!.TryGet(changed.Job, out JobRun? job):
                foreach (int number in changed.Tasks)
                    if (job.Tasks.State(number) == TaskState.Succeeded && changed.Tasks.Length > 0)
                        Told.Add(new TaskId(job.Id, number));
                break;
        }
    }

    private bool Keep(SchedulerEffect.Copy copy)
    {
        if (swarm.Workers[copy.Keeper].Node is null)
            return false;
        foreach (WantedBlob blob in copy.Blobs)
            swarm.Blobs.Keep(copy.Keeper, blob.Content);
        return true;
    }

    private FetchEnd Bring(SchedulerEffect.Fetch fetch) =>
        swarm.Workers[fetch.Holder].Node is null ? FetchEnd.Unreachable
        : fetch.Blobs.All(b => swarm.Blobs.Bring(fetch.Holder, b.Content)) ? FetchEnd.Safe : FetchEnd.Gone;
}
