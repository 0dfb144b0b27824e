namespace Drap.Core.Execution;

/// <summary>When the guard of a node ends an attempt that the node itself did not end: because it is dead, or stands still.</summary>
/// <param name="Scheduler">Whose lease it is.</param>
/// <param name="StopsAtLeaseEnd">Whether it must not outlive its lease (<c>on_scheduler_lost: stop</c>, and every exclusive task); others do.</param>
/// <param name="LeaseEnd">The lease's end at the launch; later renewals come as <see cref="Nodes.WorkerEffect.LeasesUntil"/>.</param>
/// <param name="RunsAtMost">Its time-out and the longest grace: nobody who lives lets it run longer.</param>
public readonly record struct GuardTerms(PeerId Scheduler, bool StopsAtLeaseEnd, Instant LeaseEnd, TimeSpan RunsAtMost)
{
    /// <summary>
    /// What the node itself has to end an attempt, before the guard does: a node that lives takes a few milliseconds, and a scheduler waits
    /// 1.3 s after the lease's end before it places an exclusive task again (<see cref="Leases.LeaseBook.Margin"/>).
    /// </summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(200);

    /// <summary>When the guard ends it.</summary>
    /// <param name="startedAt">When its process was started.</param>
    /// <param name="leasesUntil">Until when all leases of its scheduler were last renewed; <see cref="Instant.Zero"/> if they were not.</param>
    public Instant DueAt(Instant startedAt, Instant leasesUntil)
    {
        Instant due = startedAt + RunsAtMost;
        return (StopsAtLeaseEnd ? Instant.Min(due, Instant.Max(LeaseEnd, leasesUntil)) : due) + Patience;
    }
}
