using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Checks;
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
    private readonly List<(int Kind, object What, int From)> waits = [];
    private readonly WorkerDisk disk = new();
    private WorkerNode? node;
    private Instant wakesAt = Instant.Never;
    private Instant frozenAt;
    private TimeSpan clockSkew;

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

    /// <summary>What it runs.</summary>
    public IEnumerable<LaunchOrder> Orders => running.Select(r => r.Order);

    /// <summary>Whether it stands still.</summary>
    public bool IsFrozen { get; private set; }

    /// <summary>The machine; null while it is down.</summary>
    public WorkerNode? Node => node;

    private sealed record Run(LaunchOrder Order, Instant From, AttemptEnd End)
    {
        /// <summary>When it ends; later if its machine stands still meanwhile.</summary>
        public Instant Due { get; set; }
    }

    /// <summary>What it hears.</summary>
    public HashSet<string> Topics { get; } = new(StringComparer.Ordinal);

    /// <summary>Comes up, with what its disk kept.</summary>
    public void Start()
    {
        node = new WorkerNode(Peer, Options, world.NewPrng());
        wakesAt = Instant.Never;
        world.Network.SetUp(Index, up: true);
        world.Trace?.Add(world, $"{Options.Name} comes up");
        inbox.Add(new WorkerInput.Utc(world.Utc + clockSkew));
        inbox.Add(disk.Read());
        inbox.Add(new WorkerInput.SwarmSize(world.SizeOf(Region)));
        Step();
    }

    /// <summary>The machine is gone, and its tasks with it.</summary>
    public void Crash()
    {
        world.Trace?.Add(world, $"{Options.Name} is gone");
        foreach (Run run in running)
        {
            world.Measures.Ended(run.Order, world.Now - run.From, isWell: false);
            world.Checks?.Ended(this, run.Order.Attempt, isWell: false);
        }
        running.Clear();
        waits.Clear();
        inbox.Clear();
        effects.Clear();
        (node, IsFrozen) = (null, false);
        world.Checks?.Gone(this);
        world.Left(this);
    }

    /// <summary>It takes no new work, and is gone after that.</summary>
    public void Drain(TimeSpan within) => Post(new WorkerInput.Drain(within));

    /// <summary>Its wall clock is set by so much.</summary>
    public void SetClock(TimeSpan by)
    {
        clockSkew += by;
        Post(new WorkerInput.Utc(world.Utc + clockSkew));
    }

    /// <summary>It stands still, and its tasks with it; what comes waits.</summary>
    public void Freeze(TimeSpan time)
    {
        if (node is null || IsFrozen)
            return;
        (IsFrozen, frozenAt) = (true, world.Now);
        world.Trace?.Add(world, $"{Options.Name} stands still");
        world.Simulation.At(world.Now + time, this, Thaws);
    }

    /// <summary>Tells it something.</summary>
    public void Post(WorkerInput input)
    {
        if (node is null)
            return;
        inbox.Add(input);
        if (!IsFrozen)
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
        if (kind == WorldNetwork.Arrives && !world.Network.Gets(from, Index, (Message)what!))
            return;
        if (node is null)
            return;
        if (IsFrozen)
        {
            // Its timers and the ends of its tasks are looked for when it goes on.
            if (kind is WorldNetwork.Arrives or TaskKilled)
                waits.Add((kind, what!, from));
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
        if (node is null || !IsFrozen)
            return;
        IsFrozen = false;
        world.Trace?.Add(world, $"{Options.Name} goes on");
        foreach (Run run in running)
        {
            run.Due += world.Now - frozenAt;
            world.Simulation.At(run.Due, this, TaskEnds, run);
        }
        (int Kind, object What, int From)[] waited = [.. waits];
        waits.Clear();
        wakesAt = Instant.Never;
        world.Planted.BeforeThaw(node, waited.Select(w => w.What).OfType<Message>(), world.Now - frozenAt, world.Now);
        // Timers fire before messages.
        inbox.Insert(0, WorkerInput.Tick.Instance);
        Step();
        foreach ((int kind, object what, int from) in waited)
            if (kind == TaskKilled)
                Happen(kind, what, from);
            else
                Post(new WorkerInput.Received(world.PeerOf(from), (Message)what));
        // After the ends of those whose leases ran out, which happen in this moment.
        if (world.Checks is { } checks)
            world.Simulation.After(TimeSpan.Zero, () => checks.Thawed(this));
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
            {
                node!.Step(input, world.Now, effects);
                world.Planted.AfterStep(node, input, world.Now);
                world.Checks?.Stepped(this, node, input);
            }
            inbox.Clear();
            node!.Flush(world.Now, effects);
            world.Checks?.Flushed(node);
            foreach (WorkerEffect effect in effects)
                Perform(effect);
            effects.Clear();
        }
        while (inbox.Count > 0 && node is not null);
        if (node is not null)
            Arm();
    }

    private void Perform(WorkerEffect performed)
    {
        WorkerEffect effect = world.Planted.Makes(performed);
        world.Checks?.Performs(this, effect);
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
                throw new ViolationException("protocol", $"{Options.Name} was sent what breaks the protocol: {bad}");
            default:
                if (world.KeepsDisks)
                    disk.Perform(effect);
                break;
        }
    }

    private void Launch(LaunchOrder order)
    {
        ImmutableArray<Cid> missing = order.Template.Inputs.IsEmpty ? [] : world.Blobs.MissingOf(order.Template);
        if (!missing.IsEmpty)
        {
            inbox.Add(new WorkerInput.AttemptEnded(order.Attempt, new AttemptEnd(EndKind.InputMissing, 0, "an input is not to be had"), [], default) { Missing = missing });
            return;
        }
        (TimeSpan time, int exitCode) = world.RunsLike(order, Speed);
        var run = new Run(order, world.Now, exitCode == 0 ? AttemptEnd.Success : new AttemptEnd(EndKind.Exited, exitCode, ""));
        run.Due = world.Now + time;
        running.Add(run);
        world.Measures.Started(order);
        world.Checks?.Launched(this, order);
        world.Trace?.Add(world, $"{Options.Name} starts {WorldTrace.Describe(order.Attempt)}, for {time.TotalSeconds:0.###} s");
        world.Simulation.At(run.Due, this, TaskEnds, run);
        inbox.Add(new WorkerInput.AttemptStarted(order.Attempt, world.Now));
    }

    private bool End(Run run)
    {
        if (world.Now < run.Due || !running.Remove(run))
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
        world.Checks?.Ended(this, run.Order.Attempt, end == AttemptEnd.Success);
        world.Trace?.Add(world, $"{Options.Name} has run {WorldTrace.Describe(run.Order.Attempt)}: {end.Kind}");
        ImmutableArray<TaskOutput> outputs = end == AttemptEnd.Success && run.Order.Template.Outputs.Count > 0 ? world.Blobs.Make(Peer, run.Order.Attempt, run.Order.Template) : [];
        inbox.Add(new WorkerInput.AttemptEnded(run.Order.Attempt, end, outputs, new AttemptUsage(wall, wall, 0, 0)));
    }
}
