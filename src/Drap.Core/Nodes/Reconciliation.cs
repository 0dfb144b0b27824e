using System.Collections.Immutable;
using Drap.Core.Execution;
using Drap.Core.Leases;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>A scheduler that comes back takes on what it left here, and is told the whole list: what is held, and what has ended and waits to be acknowledged.</summary>
internal static class Reconciliation
{
    /// <summary>A scheduler that comes back with a higher epoch takes its orphans on; those that it does not know, it will cancel.</summary>
    public static void Adopt(KnownScheduler scheduler, TimeSpan length, LeaseTable leases, Instant now, List<WorkerEffect> effects)
    {
        int adopted = 0;
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
            if (ReferenceEquals(lease.Scheduler, scheduler) && lease.State == LeaseState.Orphaned && leases.TryAdopt(lease, length, now))
                adopted++;
        Tell(scheduler, adopted, effects);
    }

    /// <summary>What the scheduler believes in is renewed, and adopted where it was orphaned.</summary>
    public static void Adopt(Reconcile reconcile, KnownScheduler scheduler, LeaseTable leases, Instant now, List<WorkerEffect> effects)
    {
        int adopted = 0;
        foreach (AttemptId id in reconcile.Attempts)
        {
            if (!leases.TryGet(id, out Lease? lease) || !ReferenceEquals(lease.Scheduler, scheduler))
                continue;
            bool wasOrphaned = lease.State == LeaseState.Orphaned;
            if (leases.TryAdopt(lease, reconcile.Lease, now) && wasOrphaned)
                adopted++;
        }
        Tell(scheduler, adopted, effects);
    }

    /// <summary>The list, in as many messages as it takes.</summary>
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

    private static void Tell(KnownScheduler scheduler, int adopted, List<WorkerEffect> effects)
    {
        if (adopted > 0)
            effects.Add(new WorkerEffect.Observe(new WorkerObservation.Adopted(scheduler.Id, adopted)));
    }
}
