using Drap.Core;
using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Core.Nodes;
using Drap.Simulator.Worlds;

namespace Drap.Simulator.Checks;

/// <summary>What must hold where tasks run: resources, fences, exclusive tasks, gangs. Not thread-safe.</summary>
internal sealed class RunChecks(WorldJobs jobs, BindingChecks bindings)
{
    private readonly Dictionary<TaskId, List<(WorldWorker Worker, AttemptId Attempt)>> live = [];
    private readonly Dictionary<(int Worker, PeerId Scheduler), Epoch> epochs = [];
    private readonly Dictionary<TaskId, Fence> last = [];
    private readonly HashSet<AttemptId> wellEnded = [];

    /// <summary>Whether an attempt ran and ended by itself, with exit code 0.</summary>
    public bool EndedWell(AttemptId attempt) => wellEnded.Contains(attempt);

    /// <summary>A worker binds itself to an epoch, on disk.</summary>
    public void Bound(WorldWorker worker, SchedulerEpoch epoch)
    {
        if (epochs.TryGetValue((worker.Index, epoch.Scheduler), out Epoch before) && epoch.Epoch.CompareTo(before) < 0)
            throw new ViolationException("fence", $"{worker.Options.Name} goes back from epoch {before.Value} to {epoch.Epoch.Value}");
        epochs[(worker.Index, epoch.Scheduler)] = epoch.Epoch;
    }

    /// <summary>A worker takes a confirmation: leases that it took before go on in a later epoch, new ones of an earlier one it must not take.</summary>
    public void Acknowledged(WorldWorker worker, OfferId offer)
    {
        if (bindings.ConfirmedBy(offer) is not var (scheduler, epoch))
            throw new ViolationException("confirm", $"{worker.Options.Name} acknowledges offer {offer}, which nobody confirmed");
        if (epochs.TryGetValue((worker.Index, scheduler), out Epoch bound) && epoch.CompareTo(bound) < 0)
            throw new ViolationException("fence", $"{worker.Options.Name} takes a confirmation of epoch {epoch.Value}, which is over: it is bound to {bound.Value}");
    }

    /// <summary>A task begins.</summary>
    public void Launched(WorldWorker worker, LaunchOrder order, IEnumerable<LaunchOrder> running)
    {
        AttemptId attempt = order.Attempt;
        TaskId task = attempt.Task;
        JobGraph graph = jobs.GraphOf(task.Job);
        SegmentSpec segment = graph.Job.Segments[graph.Locate(task.Number).Segment];
        if (bindings.WorkerOf(attempt) != worker.Peer)
            throw new ViolationException("fence", $"{worker.Options.Name} starts {attempt}, which was not confirmed to it");
        if (!live.TryGetValue(task, out List<(WorldWorker, AttemptId Attempt)>? copies))
            live[task] = copies = new List<(WorldWorker, AttemptId)>(1);
        if (segment.Exclusive && last.TryGetValue(task, out Fence before) && attempt.Fence.CompareTo(before) <= 0)
            throw new ViolationException("exclusive", $"{attempt} starts after attempt {before}");
        last[task] = attempt.Fence;
        copies.Add((worker, attempt));
        if (segment.Exclusive)
            CheckExclusive(task, copies);
        if (segment.Nodes is not null && !bindings.HasGone(attempt, graph.Locate(task.Number).Segment))
            throw new ViolationException("gang", $"{attempt} of a gang starts, and no journal says that the gang has gone");
        CheckResources(worker, running);
    }

    /// <summary>A task is over, or gone with its worker.</summary>
    public void Ended(WorldWorker worker, AttemptId attempt, bool isWell)
    {
        if (isWell)
            wellEnded.Add(attempt);
        if (!live.TryGetValue(attempt.Task, out List<(WorldWorker, AttemptId)>? copies))
            return;
        copies.Remove((worker, attempt));
        if (copies.Count == 0)
            live.Remove(attempt.Task);
    }

    /// <summary>A worker that stood still runs on, and what it runs with it.</summary>
    public void Thawed(WorldWorker worker, IEnumerable<LaunchOrder> running)
    {
        foreach (LaunchOrder order in running)
        {
            JobGraph graph = jobs.GraphOf(order.Job);
            if (graph.Job.Segments[graph.Locate(order.Attempt.Task.Number).Segment].Exclusive)
                CheckExclusive(order.Attempt.Task, live[order.Attempt.Task]);
        }
        CheckResources(worker, running);
    }

    private static void CheckExclusive(TaskId task, List<(WorldWorker Worker, AttemptId Attempt)> copies)
    {
        // Who stands still runs nothing.
        (WorldWorker Worker, AttemptId Attempt)[] moving = [.. copies.Where(c => !c.Worker.IsFrozen)];
        if (moving.Length > 1)
            throw new ViolationException("exclusive", $"{task} runs {moving.Length} times at once: {string.Join(", ", moving.Select(m => $"{m.Attempt.Fence} at {m.Worker.Options.Name}"))}");
    }

    private static void CheckResources(WorldWorker worker, IEnumerable<LaunchOrder> running)
    {
        long cpu = 0, memory = 0, disk = 0;
        HashSet<int>? devices = null;
        var named = new SortedDictionary<string, long>(StringComparer.Ordinal);
        foreach (LaunchOrder order in running)
        {
            cpu += order.Grant.Request.MilliCpus;
            memory += order.Grant.Request.MemoryBytes;
            disk += order.Grant.Request.DiskBytes;
            foreach (int device in order.Grant.Devices)
                if (!(devices ??= []).Add(device))
                    throw new ViolationException("resources", $"{worker.Options.Name} gives device {device} to two tasks");
            foreach (NamedAmount amount in order.Grant.Request.Named)
                named[amount.Name] = named.GetValueOrDefault(amount.Name) + amount.Amount;
        }
        NodeResources owned = worker.Options.Resources;
        if (cpu > owned.MilliCpus || memory > owned.MemoryBytes || disk > owned.DiskBytes)
            throw new ViolationException("resources", $"{worker.Options.Name} runs {cpu} thousandths of cores, {memory} B of memory and {disk} B of disk, and owns {owned.MilliCpus}, {owned.MemoryBytes} and {owned.DiskBytes}");
        foreach ((string name, long amount) in named)
            if (amount > owned.Named.Where(n => n.Name == name).Sum(n => n.Amount))
                throw new ViolationException("resources", $"{worker.Options.Name} runs tasks that take {amount} of {name}");
    }
}
