using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Storage;

namespace Drap.Simulator.Swarm;

/// <summary>A worker in a simulated swarm. Its tasks take virtual time; its epochs and its outbox survive it.</summary>
public sealed class SimulatedWorker
{
    private readonly SimulatedSwarm swarm;
    private readonly List<WorkerEffect> effects = [];
    private readonly List<WorkerInput> inbox = [];
    private readonly WorkerDisk disk = new();
    private readonly SortedDictionary<AttemptId, (LaunchOrder Order, Instant From, SimulatedEvent End)> running = [];
    private readonly SimulatedAlarm alarm;
    private WorkerNode? node;
    private SimulatedEvent? batch;

    internal SimulatedWorker(SimulatedSwarm swarm, PeerId peer, WorkerOptions options)
    {
        this.swarm = swarm;
        Peer = peer;
        Options = options;
        alarm = new SimulatedAlarm(swarm.Simulation, () => Post(WorkerInput.Tick.Instance));
    }

    /// <summary>Its peer id.</summary>
    public PeerId Peer { get; }

    /// <summary>What its owner says.</summary>
    public WorkerOptions Options { get; }

    /// <summary>The machine; null while it is down.</summary>
    public WorkerNode? Node => node;

    /// <summary>Attempts that run.</summary>
    public int Running => running.Count;

    /// <summary>What runs.</summary>
    public IEnumerable<LaunchOrder> Orders => running.Values.Select(r => r.Order);

    /// <summary>How far its wall clock is from the scheduler's.</summary>
    public TimeSpan ClockSkew
    {
        get;
        set
        {
            field = value;
            Post(new WorkerInput.Utc(swarm.Utc + value));
        }
    }

    /// <summary>How long a task takes to end when it is told to by TERM. Default: at once.</summary>
    public TimeSpan HeedsTermAfter { get; set; }

    /// <summary>Attempts that were started.</summary>
    public long Launched { get; private set; }

    /// <summary>Comes up.</summary>
    public void Start()
    {
        node = new WorkerNode(Peer, Options, swarm.Simulation.NewPrng());
        Post(new WorkerInput.Utc(swarm.Utc + ClockSkew));
        swarm.Attach(Peer, (from, message) => Post(new WorkerInput.Received(from, message)));
        Post(disk.Read());
    }

    /// <summary>The process is gone, and its tasks with it.</summary>
    public void Crash()
    {
        foreach ((AttemptId attempt, (_, Instant from, SimulatedEvent end)) in running)
        {
            end.Cancel();
            swarm.Executed(attempt.Task, from, swarm.Simulation.Now);
        }
        running.Clear();
        swarm.Detach(Peer);
        node = null;
        inbox.Clear();
        effects.Clear();
        batch?.Cancel();
        alarm.Set(null);
    }

    /// <summary>Posts any input.</summary>
    public void Post(WorkerInput input)
    {
        if (node is null)
            return;
        inbox.Add(input);
        if (batch is null or { IsCancelled: true })
            batch = swarm.Simulation.After(TimeSpan.Zero, Run);
    }

    private void Run()
    {
        batch = null;
        WorkerInput[] inputs = [.. inbox];
        inbox.Clear();
        foreach (WorkerInput input in inputs)
            node!.Step(input, swarm.Simulation.Now, effects);
        node!.Flush(swarm.Simulation.Now, effects);
        if (swarm.ChecksInvariants)
            node.CheckInvariants();
        foreach (WorkerEffect effect in effects)
            Perform(effect);
        effects.Clear();
        alarm.Set(node.NextDeadline);
    }

    private void Perform(WorkerEffect effect)
    {
        switch (effect)
        {
            case WorkerEffect.Send send:
                swarm.Send(Peer, send.To, send.Message);
                break;
            case WorkerEffect.Subscribe subscribe:
                swarm.Subscribe(Peer, subscribe.Topic);
                break;
            case WorkerEffect.Unsubscribe unsubscribe:
                swarm.Unsubscribe(Peer, unsubscribe.Topic);
                break;
            case WorkerEffect.Launch launch:
                Launch(launch.Order);
                break;
            case WorkerEffect.Signal signal:
                if (signal.Kind == AttemptSignal.Term && HeedsTermAfter > TimeSpan.Zero)
                    swarm.Simulation.After(HeedsTermAfter, () => Ended(signal.Attempt));
                else
                    Ended(signal.Attempt);
                break;
            case WorkerEffect.Observe { What: WorkerObservation.BadMessage bad }:
                throw new InvalidOperationException($"{Options.Name} was sent what breaks the protocol: {bad}");
            default:
                disk.Perform(effect);
                break;
        }
    }

    private void Launch(LaunchOrder order)
    {
        Launched++;
        ImmutableArray<Cid> missing = swarm.Blobs.MissingOf(order.Template);
        if (!missing.IsEmpty)
        {
            Post(new WorkerInput.AttemptEnded(order.Attempt, new AttemptEnd(EndKind.InputMissing, 0, "an input is not to be had"), [], default) { Missing = missing });
            return;
        }
        (TimeSpan time, int exitCode) = swarm.RunsLike(order.Attempt.Task, this);
        AttemptEnd end = exitCode == 0 ? AttemptEnd.Success : new AttemptEnd(EndKind.Exited, exitCode, "");
        running[order.Attempt] = (order, swarm.Simulation.Now, swarm.Simulation.After(time, () => End(order.Attempt, end)));
        Post(new WorkerInput.AttemptStarted(order.Attempt, swarm.Simulation.Now));
    }

    private void Ended(AttemptId attempt)
    {
        if (running.ContainsKey(attempt))
            End(attempt, new AttemptEnd(EndKind.Signalled, 15, ""));
    }

    private void End(AttemptId attempt, AttemptEnd end)
    {
        (LaunchOrder order, Instant from, SimulatedEvent planned) = running[attempt];
        planned.Cancel();
        running.Remove(attempt);
        swarm.Executed(attempt.Task, from, swarm.Simulation.Now);
        ImmutableArray<TaskOutput> outputs = end == AttemptEnd.Success ? swarm.Blobs.Make(Peer, attempt, order.Template) : [];
        Post(new WorkerInput.AttemptEnded(attempt, end, outputs, new AttemptUsage(swarm.Simulation.Now - from, TimeSpan.Zero, 0, 0)));
    }
}
