using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Leases;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>The worker's whole list for a scheduler: what it holds, and what has ended and waits to be acknowledged.</summary>
internal static class Reconciliation
{
    public static void Answer(
        PeerId to, Epoch epoch, long round, KnownScheduler scheduler, LeaseTable leases, Outbox outbox, List<WorkerEffect> effects)
    {
        int total = outbox.Of(scheduler.Id).Count() + scheduler.Leases;
        var held = ImmutableArray.CreateBuilder<AttemptId>();
        var finished = ImmutableArray.CreateBuilder<AttemptId>();
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
            if (ReferenceEquals(lease.Scheduler, scheduler))
                Add(held, lease.Id);
        foreach (AttemptId attempt in outbox.Of(scheduler.Id))
            Add(finished, attempt);
        Send(complete: true);

        void Add(ImmutableArray<AttemptId>.Builder list, AttemptId attempt)
        {
            if (held.Count + finished.Count == Reconcile.AttemptsMax)
                Send(complete: false);
            list.Add(attempt);
        }

        void Send(bool complete)
        {
            effects.Add(new WorkerEffect.Send(to, new ReconcileReply(epoch, held.ToImmutable(), finished.ToImmutable(), complete, round, total)));
            held.Clear();
            finished.Clear();
        }
    }
}
