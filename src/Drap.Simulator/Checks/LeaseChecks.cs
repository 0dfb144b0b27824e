using Drap.Core.Leases;
using Drap.Core.Market.Arbitration;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Worlds;

namespace Drap.Simulator.Checks;

/// <summary>
/// What must hold of a worker's leases and holds, input by input: a lease that is over is renewed by nothing, only adopted by a scheduler that names it;
/// a hold lasts as long as it may. Not thread-safe.
/// </summary>
internal sealed class LeaseChecks
{
    private readonly SortedDictionary<int, Dictionary<AttemptId, (LeaseState State, Instant End, Epoch Epoch)>> seen = [];

    /// <summary>A worker's machine is gone, with its leases.</summary>
    public void Gone(WorldWorker worker) => seen.Remove(worker.Index);

    /// <summary>A worker took an input in.</summary>
    public void Stepped(WorldWorker worker, WorkerNode node, WorkerInput input, Instant now)
    {
        if (!seen.TryGetValue(worker.Index, out Dictionary<AttemptId, (LeaseState State, Instant End, Epoch Epoch)>? before))
            seen[worker.Index] = before = [];
        // A scheduler that comes again adopts what it names, and with the heartbeat that begins its epoch here all that is its own.
        bool mayAdopt = input is WorkerInput.Received { Message: Reconcile };
        for (Lease? lease = node.Leases.First; lease is not null; lease = LeaseTable.After(lease))
        {
            if (!mayAdopt && lease.State == LeaseState.Live && before.TryGetValue(lease.Id, out (LeaseState State, Instant End, Epoch Epoch) was)
                && was.Epoch == lease.Scheduler.Epoch && (was.State != LeaseState.Live || was.End <= now))
                throw new ViolationException("lease", $"{worker.Options.Name}: the lease of {lease.Id} was over at {was.End}, and stands until {lease.End} after {Describe(input)}");
            before[lease.Id] = (lease.State, lease.End, lease.Scheduler.Epoch);
        }
        if (before.Count > node.Leases.Count)
            foreach (AttemptId gone in before.Keys.Where(id => !node.Leases.TryGet(id, out _)).ToArray())
                before.Remove(gone);
        foreach (Hold hold in node.Market.Holds.All)
            if (hold.Expires <= now || hold.Expires > hold.MadeAt + HoldTable.Longest * (hold.IsExtended ? 2 : 1))
                throw new ViolationException("hold", $"{worker.Options.Name} holds since {hold.MadeAt} for offer {hold.Id}, until {hold.Expires}");
    }

    private static string Describe(WorkerInput input) => input is WorkerInput.Received received ? $"a {received.Message.GetType().Name}" : $"a {input.GetType().Name}";
}
