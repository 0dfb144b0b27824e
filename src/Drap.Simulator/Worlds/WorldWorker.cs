using Drap.Core.Execution;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Storage;

namespace Drap.Simulator.Worlds;

/// <summary>A worker of a world: the machine of a node, whose tasks take virtual time. Not thread-safe.</summary>
internal sealed class WorldWorker : ISimulated
{
    private const int Wakes = 1, TaskEnds = 2, TaskKilled = 3, Thaws = 4;

    private readonly World world;
    private readonly List<WorkerEffect> effects = [];
    private readonly List<WorkerInput> inbox = [];
    private readonly List<Run> running = [];
    private readonly List<(int Kind, object? What, int From)> frozen = [];
    private readonly WorkerDisk disk = new();
    private WorkerNode? node;
    private Instant wakesAt = Instant.Never;
    private bool isFrozen;

    public WorldWorker(World world, PeerId peer, WorkerOptions options, int region, double speed)
    {
        (this.world, Peer, Options, Region, Speed) = (world, peer, options, region, speed);
        Index = world.Network.Add(this, region);
    }

    /// <summary>Its number in the world.</summary>
    public int Index { get; }

    /// <summary>Its peer id.</summary>
    public PeerId Peer { get; }

    /// <summary>What its owner says.</summary>
    public WorkerOptions Options { get; }

    /// <summary>The number of its region.</summary>
    public int Region { get; }

    /// <summary>How fast a core of it is.</summary>
    public double Speed { get; }

    /// <summary>Whether it is up.</summary>
    public bool IsUp => node is not null;

    /// <summary>Tasks that it runs.</summary>
    public int Running => running.Count;

    /// <summary>The machine; null while it is down.</summary>
    public WorkerNode? Node => node;

    private sealed record Run(LaunchOrder Order, Instant From, AttemptEnd End);

    /// <summary>What it hears.</summary>
    public HashSet<string> Topics { get; } = new(StringComparer.Ordinal);

    /// <summary>Comes up, with what its disk kept.</summary>
    public void Start()
    {
        node = new WorkerNode(Peer, Options, world.NewPrng());
        wakesAt = Instant.Never;
        world.Network.SetUp(Index, up: true);
        inbox.Add(new WorkerInput.Utc(world.Utc));
        inbox.Add(disk.Read());
        inbox.Add(new WorkerInput.SwarmSize(world.SizeOf(Region)));
        Step();
    }

    /// <summary>The machine is gone, and its tasks with it.</summary>
    public void Crash()
    {
        foreach (Run run in running)
            world.Measures.Ended(run.Order, world.Now - run.From, isWell: false);
        running.Clear();
        frozen.Clear();
        inbox.Clear();
        effects.Clear();
        (node, isFrozen) = (null, false);
        world.Left(this);
    }

    /// <summary>It takes no new work, and is gone after that.</summary>
    public void Drain(TimeSpan within) => Post(new WorkerInput.Drain(within));

    /// <summary>It stands still; what comes waits.</summary>
    public void Freeze(TimeSpan time)
    {
        if (node is null || isFrozen)
            return;
        isFrozen = true;
        world.Simulation.At(world.Now + time, this, Thaws);
    }

    /// <summary>Tells it something.</summary>
    public void Post(WorkerInput input)
    {
        if (node is null)
            return;
        inbox.Add(input);
        if (!isFrozen)
            Step();
    }

    /// <inheritdoc/>
    public void Happen(int kind, object? what, int from)
    {
        if (kind == Thaws)
        {
            Thaw();
            return;
        }
        if (kind == WorldNetwork.Arrives && !world.Network.Gets(from, Index))
            return;
        if (node is null)
            return;
        if (isFrozen)
        {
            frozen.Add((kind, what, from));
            return;
        }
        switch (kind)
        {
            case WorldNetwork.Arrives:
                inbox.Add(new WorkerInput.Received(world.PeerOf(from), (Message)what!));
                Step();
                break;
            case TaskEnds:
                if (End((Run)what!))
                    Step();
                break;
            case TaskKilled:
                if (Kill((AttemptId)what!))
                    Step();
                break;
            case Wakes:
                Wake();
                break;
        }
    }

    private void Thaw()
    {
        if (node is null || !isFrozen)
            return;
        isFrozen = false;
        // Timers fire before messages.
        node.Step(WorkerInput.Tick.Instance, world.Now, effects);
        Step();
        (int Kind, object? What, int From)[] waited = [.. frozen];
        frozen.Clear();
        wakesAt = Instant.Never;
        foreach ((int kind, object? what, int from) in waited)
        {
            if (kind == WorldNetwork.Arrives)
                Post(new WorkerInput.Received(world.PeerOf(from), (Message)what!));
            else if (kind != Wakes)
                Happen(kind, what, from);
        }
        Arm();
    }

    /// <summary>An alarm that is no longer the next one, or was moved, costs no step.</summary>
    private void Wake()
    {
        if (world.Now != wakesAt)
            return;
        wakesAt = Instant.Never;
        if (node!.NextDeadline <= world.Now)
        {
            inbox.Add(WorkerInput.Tick.Instance);
            Step();
        }
        else
        {
            Arm();
        }
    }

    private void Arm()
    {
        Instant next = node!.NextDeadline;
        if (next >= wakesAt)
            return;
        wakesAt = Instant.Max(next, world.Now);
        world.Simulation.At(wakesAt, this, Wakes);
    }

    private void Step()
    {
        do
        {
            foreach (WorkerInput input in inbox)
                node!.Step(input, world.Now, effects);
            inbox.Clear();
            node!.Flush(world.Now, effects);
            if (world.Checks)
                node.CheckInvariants();
            foreach (WorkerEffect effect in effects)
                Perform(effect);
            effects.Clear();
        }
        while (inbox.Count > 0 && node is not null);
        if (node is not null)
            Arm();
    }

    private void Perform(WorkerEffect effect)
    {
        switch (effect)
        {
            case WorkerEffect.Send send:
                world.Network.Send(Index, world.IndexOf(send.To), send.Message);
                break;
            case WorkerEffect.Subscribe subscribe:
                world.Subscribe(this, subscribe.Topic);
                break;
            case WorkerEffect.Unsubscribe unsubscribe:
                world.Unsubscribe(this, unsubscribe.Topic);
                break;
            case WorkerEffect.Launch launch:
                Launch(launch.Order);
                break;
            case WorkerEffect.Signal signal:
                world.Simulation.At(world.Now, this, TaskKilled, signal.Attempt);
                break;
            case WorkerEffect.Observe { What: WorkerObservation.BadMessage bad }:
                throw new InvalidOperationException($"{Options.Name} was sent what breaks the protocol: {bad}");
            default:
                if (world.KeepsDisks)
                    disk.Perform(effect);
                break;
        }
    }

    private void Launch(LaunchOrder order)
    {
        (TimeSpan time, int exitCode) = world.RunsLike(order, Speed);
        var run = new Run(order, world.Now, exitCode == 0 ? AttemptEnd.Success : new AttemptEnd(EndKind.Exited, exitCode, ""));
        running.Add(run);
        world.Measures.Started(order);
        world.Simulation.At(world.Now + time, this, TaskEnds, run);
        inbox.Add(new WorkerInput.AttemptStarted(order.Attempt, world.Now));
    }

    private bool End(Run run)
    {
        if (!running.Remove(run))
            return false;
        Report(run, run.End);
        return true;
    }

    private bool Kill(AttemptId attempt)
    {
        if (running.Find(r => r.Order.Attempt == attempt) is not { } run)
            return false;
        running.Remove(run);
        Report(run, new AttemptEnd(EndKind.Signalled, 15, ""));
        return true;
    }

    private void Report(Run run, AttemptEnd end)
    {
        TimeSpan wall = world.Now - run.From;
        world.Measures.Ended(run.Order, wall, end == AttemptEnd.Success);
        inbox.Add(new WorkerInput.AttemptEnded(run.Order.Attempt, end, [], new AttemptUsage(wall, wall, 0, 0)));
    }
}
