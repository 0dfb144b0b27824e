using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Scenarios;
using Drap.Simulator.Worlds;

namespace Drap.Simulator.Checks;

/// <summary>
/// All that must hold of a world at each step, whoever errs: it looks from outside at what machines say and do, and into them where only they can tell.
/// Throws <see cref="ViolationException"/>. Not thread-safe.
/// </summary>
internal sealed class WorldChecks
{
    /// <summary>Messages that each node, each task submitted and each attempt begun may cause in a second: many times what was ever measured of a healthy market.</summary>
    private const long MessagesPerCause = 300;

    /// <summary>A machine walks all that it has to check itself, a scheduler's all its open jobs: so seldom, in steps of all machines of a kind.</summary>
    private const int SchedulerStride = 64, WorkerStride = 16;

    private readonly World world;
    private readonly WorldJobs jobs = new();
    private readonly BindingChecks bindings;
    private readonly RunChecks runs;
    private readonly LeaseChecks leases = new();
    private readonly bool clocksJump;
    private long causes, sentBefore, steps, flushes;

    public WorldChecks(World world)
    {
        this.world = world;
        clocksJump = world.Scenario.Faults.Any(f => f.Kind == Fault.ClocksJump);
        bindings = new BindingChecks(jobs);
        runs = new RunChecks(jobs, bindings);
    }

    /// <summary>A job was submitted.</summary>
    public void Submitted(JobId id, JobSpec spec, WorldScheduler to)
    {
        jobs.Add(id, spec);
        bindings.Submitted(id, to);
        causes += jobs.GraphOf(id).TaskCount;
    }

    /// <summary>A scheduler came up.</summary>
    public void Started(WorldScheduler scheduler, SchedulerNode node)
    {
        bindings.Started(scheduler, node.State);
        node.CheckInvariants();
    }

    /// <summary>A scheduler has stepped.</summary>
    public void Stepped(SchedulerNode node)
    {
        if (++steps % SchedulerStride == 0)
            node.CheckInvariants();
    }

    /// <summary>A scheduler does something.</summary>
    public void Performs(WorldScheduler scheduler, SchedulerEffect effect)
    {
        switch (effect)
        {
            case SchedulerEffect.Send send:
                bindings.Sends(scheduler, send.To, send.Message);
                break;
            case SchedulerEffect.Done { Reply: SchedulerReply.Submitted submitted }:
                bindings.Taken(scheduler, submitted.Job);
                break;
            case SchedulerEffect.Changed changed when scheduler.State!.TryGet(changed.Job, out JobRun? job):
                bindings.Changed(scheduler, job, changed.Tasks, runs);
                break;
            // After a start the wall clock is all that tells how long something had run: a bill may be more than one that was set back believes.
            case SchedulerEffect.Observe { What: SchedulerObservation.BadMessage bad } when !(clocksJump && bad.Kind == MessageKind.Receipt):
                throw new ViolationException("protocol", $"{scheduler.Name} was sent what breaks the protocol: {bad}");
        }
    }

    /// <summary>A worker took an input in.</summary>
    public void Stepped(WorldWorker worker, WorkerNode node, WorkerInput input) => leases.Stepped(worker, node, input, world.Now);

    /// <summary>A worker has flushed.</summary>
    public void Flushed(WorkerNode node)
    {
        if (++flushes % WorkerStride == 0)
            node.CheckInvariants();
    }

    /// <summary>A worker does something.</summary>
    public void Performs(WorldWorker worker, WorkerEffect effect)
    {
        switch (effect)
        {
            case WorkerEffect.Send { Message: Receipt receipt }:
                MoneyChecks.Billed(worker, receipt, bindings);
                break;
            case WorkerEffect.Send { Message: Ack ack }:
                runs.Acknowledged(worker, ack.Offer);
                break;
            case WorkerEffect.StoreEpoch store:
                runs.Bound(worker, new SchedulerEpoch(store.Scheduler, store.Epoch));
                break;
        }
    }

    /// <summary>A task begins.</summary>
    public void Launched(WorldWorker worker, LaunchOrder order)
    {
        causes++;
        runs.Launched(worker, order, worker.Orders);
    }

    /// <summary>A task is over, or gone with its worker.</summary>
    public void Ended(WorldWorker worker, AttemptId attempt, bool isWell) => runs.Ended(worker, attempt, isWell);

    /// <summary>A worker that stood still runs on.</summary>
    public void Thawed(WorldWorker worker) => runs.Thawed(worker, worker.Orders);

    /// <summary>A worker's machine is gone.</summary>
    public void Gone(WorldWorker worker) => leases.Gone(worker);

    /// <summary>A second has passed.</summary>
    public void CheckTraffic()
    {
        long sent = world.Network.Sent.Sum(), bound = MessagesPerCause * (world.Workers.Count + world.Schedulers.Count + causes);
        if (sent - sentBefore > bound)
            throw new ViolationException("messages", $"{sent - sentBefore} messages in a second; {causes} tasks were submitted or begun in it");
        (sentBefore, causes) = (sent, 0);
    }

    /// <summary>All that was submitted has ended, and the faults too: accounts are right, and nobody keeps anything.</summary>
    public void CheckEnd()
    {
        foreach (WorldScheduler scheduler in world.Schedulers)
        {
            if (scheduler.State is not { } state)
                continue;
            bindings.Remembers(scheduler, state);
            foreach (JobRun job in state.Jobs)
                MoneyChecks.CheckAccount(scheduler, job, scheduler.Durable!, knowsTime: !clocksJump);
        }
    }

    /// <summary>Who keeps something though nothing is left to do; null if nobody does.</summary>
    public string? WhoIsNotIdle()
    {
        foreach (WorldScheduler scheduler in world.Schedulers)
            if (scheduler.State is { Open.Count: > 0 } state)
                return $"{scheduler.Name} has {state.Open.Count} attempts open, the first {state.Open.Keys.Min()} at {world.Workers.First(w => w.Peer == state.Open[state.Open.Keys.Min()].Worker).Options.Name}";
        foreach (WorldWorker worker in world.Workers)
            if (worker.Node is { } node && (worker.Running > 0 || node.Attempts > 0 || node.Results > 0 || node.Market.Holds.Count > 0))
                return $"{worker.Options.Name}: {worker.Running} tasks run, {node.Attempts} attempts, {node.Results} results, {node.Market.Holds.Count} holds";
        return null;
    }
}
