using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Journal;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Checks;
using Drap.Simulator.Storage;

namespace Drap.Simulator.Worlds;

/// <summary>
/// A scheduler of a world: the machine of a node over a journal. Its loop takes time, so that what comes meanwhile makes the next batch.
/// Not thread-safe.
/// </summary>
internal sealed class WorldScheduler : ISimulated, IJournalListener
{
    private const int Steps = 1, Wakes = 2;

    // How much of its journal a scheduler that comes up again keeps in a segment, and from when on a snapshot pays: little, so that both happen.
    private const int SegmentBytes = 64 << 10, SnapshotAfterBytes = 256 << 10;

    /// <summary>How long it takes to bring outputs here.</summary>
    private static readonly TimeSpan FetchTime = TimeSpan.FromMilliseconds(2);

    // What a batch and each input of it take on one core: about as measured of the real loop, which places 10 000 tasks a second.
    private static readonly TimeSpan BatchTime = TimeSpan.FromMicroseconds(100), InputTime = TimeSpan.FromMicroseconds(10);

    private readonly World world;
    private readonly TimeSpan syncTime;
    private readonly IJournalStorage storage;
    private readonly List<SchedulerEffect> effects = [];
    private readonly List<SchedulerInput> inbox = [];
    private readonly List<(JobId Id, JobSpec Spec, ImmutableArray<byte> Json)> asked = [];
    private SchedulerNode? node;
    private SchedulerDisk? disk;
    private Instant busyUntil = Instant.Zero, wakesAt = Instant.Never;
    private bool isDue;
    private long tickets;
    private TimeSpan downFor, clockSkew;

    public WorldScheduler(World world, PeerId peer, string name, string group, int region, TimeSpan syncTime)
    {
        (this.world, Peer, Name, Group, Region, this.syncTime) = (world, peer, name, group, region, syncTime);
        Index = world.Network.Add(this, region);
        Durable = world.Checks is null ? null : new DurableState();
        storage = world.KeepsDisks ? new FaultyStorage(world.NewPrng(), world.Simulation.Trace) : new SinkStorage();
    }

    /// <summary>Where it is.</summary>
    public World World => world;

    /// <summary>Its number in the world.</summary>
    public int Index { get; }

    /// <summary>Its peer id.</summary>
    public PeerId Peer { get; }

    /// <summary>Its name, which is its principal's too.</summary>
    public string Name { get; }

    /// <summary>The group that it belongs to.</summary>
    public string Group { get; }

    /// <summary>The number of its region.</summary>
    public int Region { get; }

    /// <summary>What its disk holds for certain; null where nothing is checked.</summary>
    public DurableState? Durable { get; }

    /// <summary>Whether its machine has lost power within a call to its disk, and it does not know yet.</summary>
    public bool HasCrashedWriting => storage is FaultyStorage { IsDown: true };

    /// <summary>What it knows; null while it is down.</summary>
    public SchedulerState? State => node?.State;

    /// <summary>Whether all that was submitted has ended.</summary>
    public bool IsDone => node is not null && asked.Count == 0 && node.State.OpenJobs == 0;

    /// <summary>Comes up from what its disk holds, and takes what was submitted and never acknowledged.</summary>
    public void Start()
    {
        var options = new JournalOptions(world.NewPrng().NextUInt64())
        {
            ReserveBytes = 0, SegmentBytes = world.KeepsDisks ? SegmentBytes : 1 << 30, SnapshotAfterBytes = world.KeepsDisks ? SnapshotAfterBytes : 1 << 30,
        };
        disk = new SchedulerDisk(world.Simulation, storage, options, this, syncTime, Durable) { LiesOf = world.Planted.LiesOf };
        UtcTime utc = world.Planted.BeforeStart(this, disk.State, world.Utc + clockSkew);
        node = disk.NewNode(new SchedulerOptions { Scheduler = Peer, Principal = new Principal(Name), Region = world.Regions[Region] }, world.NewPrng());
        wakesAt = Instant.Never;
        world.Network.SetUp(Index, up: true);
        node.Start(utc, world.Now, effects);
        world.Trace?.Add(world, $"{Name} comes up in epoch {node.State.Epoch.Value}, with {node.State.Jobs.Count} jobs");
        world.Checks?.Started(this, node);
        // Whose end it had not told when it died is looked up by who submitted it.
        foreach (JobRun job in node.State.Jobs)
            if (job.End != JobEnd.None)
                world.Measures.Over(job);
        foreach (SchedulerInput input in world.WhatItSees(this))
            Post(input);
        foreach ((JobId id, JobSpec spec, ImmutableArray<byte> json) in asked)
            Ask(id, spec, json);
        Post(SchedulerInput.Tick.Instance);
    }

    /// <summary>Loses power within one of the next calls to its disk, and comes up a while after.</summary>
    public void CrashWriting(int calls, TimeSpan downFor)
    {
        var faulty = (FaultyStorage)storage;
        faulty.CrashAtCall = faulty.Calls + calls;
        this.downFor = downFor;
    }

    /// <summary>Its machine has lost power within a call to its disk.</summary>
    public void CrashedWriting()
    {
        Crash();
        world.Simulation.After(downFor, Start);
    }

    /// <summary>Its wall clock is set by so much.</summary>
    public void SetClock(TimeSpan by)
    {
        clockSkew += by;
        Post(new SchedulerInput.Utc(world.Utc + clockSkew));
    }

    /// <summary>The process is gone, with all that was not on disk.</summary>
    public void Crash()
    {
        world.Trace?.Add(world, $"{Name} loses power");
        disk?.Crash();
        ((FaultyStorage)storage).LosePower();
        world.Network.SetUp(Index, up: false);
        node = null;
        inbox.Clear();
        effects.Clear();
    }

    /// <summary>Submits a job; again and again, until it is acknowledged.</summary>
    public void Submit(JobId id, JobSpec spec, ImmutableArray<byte> json)
    {
        asked.Add((id, spec, json));
        if (node is not null)
            Ask(id, spec, json);
    }

    /// <summary>Tells it something.</summary>
    public void Post(SchedulerInput input)
    {
        if (node is null)
            return;
        inbox.Add(input);
        if (isDue)
            return;
        isDue = true;
        world.Simulation.At(busyUntil, this, Steps);
    }

    /// <inheritdoc/>
    public void Happen(int kind, object? what, int from)
    {
        if (kind == WorldNetwork.Arrives)
        {
            if (!world.Network.Gets(from, Index, (Message)what!) || node is null)
                return;
            SchedulerInput.Received received = world.Planted.Hears(this, new SchedulerInput.Received(world.PeerOf(from), (Message)what!));
            if (isDue || world.Now < busyUntil)
            {
                Post(received);
                return;
            }
            // It rests: the message is a batch of its own.
            inbox.Add(received);
            Step();
            return;
        }
        if (kind == Steps)
            isDue = false;
        if (node is null)
            return;
        if (kind == Steps)
            Step();
        else if (world.Now == wakesAt)
            Wake();
    }

    /// <inheritdoc/>
    public void Committed(long sequence)
    {
        world.Trace?.Add(world, $"{Name}'s journal is safe up to record {sequence}");
        Post(new SchedulerInput.Persisted(sequence));
    }

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

    private void Ask(JobId id, JobSpec spec, ImmutableArray<byte> json) =>
        Post(new SchedulerInput.Submit(new Ticket(++tickets), id, new Principal(Name), spec, json, "", JobSecrets.None));

    private void Wake()
    {
        wakesAt = Instant.Never;
        if (node!.NextDeadline <= world.Now)
            Post(SchedulerInput.Tick.Instance);
        else
            Arm();
    }

    private void Arm()
    {
        Instant next = node!.NextDeadline;
        if (next >= wakesAt || isDue)
            return;
        wakesAt = Instant.Max(next, busyUntil);
        world.Simulation.At(wakesAt, this, Wakes);
    }

    private void Step()
    {
        busyUntil = world.Now + BatchTime + InputTime * inbox.Count;
        foreach (SchedulerInput input in inbox)
            node!.Step(input, world.Now, effects);
        inbox.Clear();
        node!.Flush(world.Now, effects);
        world.Checks?.Stepped(node);
        disk!.Write();
        foreach (SchedulerEffect effect in effects)
            Perform(effect);
        effects.Clear();
        if (world.KeepsDisks)
            disk.SnapshotIfDue();
        Arm();
    }

    private void Perform(SchedulerEffect effect)
    {
        if (world.Planted.Instead(this, effect) is not { } others)
        {
            Do(effect);
            return;
        }
        foreach (SchedulerEffect other in others)
            Do(other);
    }

    private void Do(SchedulerEffect effect)
    {
        world.Checks?.Performs(this, effect);
        switch (effect)
        {
            case SchedulerEffect.Publish publish:
                world.Measures.Advertised(publish.Ad);
                world.Network.Publish(Index, publish.Topic, publish.Ad);
                break;
            case SchedulerEffect.Send send:
                if (send.Message is Confirm confirm)
                    world.Measures.Confirmed(confirm);
                world.Network.Send(Index, world.IndexOf(send.To), send.Message);
                break;
            case SchedulerEffect.Fetch fetch:
                world.Simulation.After(FetchTime, () => Post(new SchedulerInput.Fetched(fetch.Attempt, Bring(fetch), "it is down")));
                break;
            case SchedulerEffect.Done { Reply: SchedulerReply.Submitted submitted }:
                asked.RemoveAll(a => a.Id == submitted.Job);
                break;
            case SchedulerEffect.Done { Reply: SchedulerReply.Refused refused }:
                throw new InvalidOperationException($"{Name} refused a job: {refused.Message}");
            case SchedulerEffect.Changed changed when node!.State.TryGet(changed.Job, out JobRun? job) && job.End != JobEnd.None:
                world.Measures.Over(job);
                break;
        }
    }

    private FetchEnd Bring(SchedulerEffect.Fetch fetch)
    {
        WorldWorker holder = world.WorkerOf(fetch.Holder);
        return !world.Network.Reaches(Index, holder.Index) || holder.IsFrozen ? FetchEnd.Unreachable
            : fetch.Blobs.All(b => world.Blobs.Bring(fetch.Holder, b.Content)) ? FetchEnd.Safe : FetchEnd.Gone;
    }
}
