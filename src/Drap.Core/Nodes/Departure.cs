using Drap.Core.Execution;
using Drap.Core.Leases;
using Drap.Core.Market.Arbitration;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// How a worker goes: it takes no new work, gives back what has not begun, lets what runs end within a time, ends the rest, and says when
/// nothing is left. It goes when it is told, when its own time is over, or when nobody has needed it for long. One that is only degraded takes no new work
/// either, until it has recovered.
/// </summary>
internal sealed class Departure(Arbiter arbiter, Executor executor, LeaseTable leases, Outbox outbox)
{
    /// <summary>
    /// So long before its end a worker takes nothing new at all, not even what is thought to end before: what nobody can tell the length of gets at least this, and
    /// schedulers hear of the end in time to look elsewhere. A tenth of a short life.
    /// </summary>
    private static readonly TimeSpan DrainLead = TimeSpan.FromMinutes(1);

    private const int LeadPart = 10;

    private string? degraded;
    private bool hasLeft;
    private LeaveCause cause = LeaveCause.Told;
    private Instant drainAt = Instant.Never;
    private TimeSpan? idleTimeout;
    private Instant idleSince = Instant.Never;

    /// <summary>Whether it goes.</summary>
    public bool IsUnderWay { get; private set; }

    /// <summary>When what runs still is ended; never if nothing is to be.</summary>
    public Instant EndsAt { get; private set; } = Instant.Never;

    /// <summary>When something is to be done here.</summary>
    public Instant NextDeadline => IsUnderWay ? EndsAt : Instant.Min(drainAt, IdleEnd);

    /// <summary>When nobody will have needed it for long enough; never while somebody does.</summary>
    private Instant IdleEnd => idleTimeout is { } timeout && idleSince != Instant.Never
        // A result that its scheduler has not taken keeps the worker once as long again: it may be the last chance, and it may never be taken.
        ? idleSince + (outbox.Count > 0 ? timeout + timeout : timeout) : Instant.Never;

    /// <summary>The node cannot do something any more, or can again (null).</summary>
    public void SetDegraded(string? what)
    {
        degraded = what;
        CloseOrOpen();
    }

    /// <summary>The node ends in so long, whatever it does; a second time may make that shorter.</summary>
    public void EndWithin(TimeSpan within, Instant now)
    {
        arbiter.EndsAt = Instant.Min(arbiter.EndsAt, now + within);
        var lead = new TimeSpan(Math.Min(DrainLead.Ticks, within.Ticks / LeadPart));
        drainAt = Instant.Min(drainAt, now + (within - lead));
        arbiter.Wake();
    }

    /// <summary>After how long without a task it goes; null for never.</summary>
    public void SetIdleTimeout(TimeSpan? timeout) => idleTimeout = timeout;

    /// <summary>Begins to go; a second time may make it shorter.</summary>
    public void Drain(TimeSpan within, Instant now, UtcTime utc, Action<Attempt> giveBack, List<WorkerEffect> effects)
    {
        bool begins = !IsUnderWay;
        IsUnderWay = true;
        EndsAt = Instant.Min(EndsAt, Instant.Min(now + within, arbiter.EndsAt));
        if (begins)
        {
            CloseOrOpen();
            ReturnUnstarted(giveBack, effects);
            if (EndsAt > now)
                Told.Everyone(NoticeKind.Draining, EndsAt - now, leases, effects);
        }
        EndDue(now, utc, effects);
    }

    /// <summary>Begins to go when its own time has come, and ends what runs when that of going is over.</summary>
    public void RunDue(Instant now, UtcTime utc, Action<Attempt> giveBack, List<WorkerEffect> effects)
    {
        if (!IsUnderWay && now >= drainAt)
        {
            cause = LeaveCause.TimeOver;
            Drain(arbiter.EndsAt - now, now, utc, giveBack, effects);
        }
        else if (!IsUnderWay && now >= IdleEnd)
        {
            cause = LeaveCause.Idle;
            Drain(TimeSpan.Zero, now, utc, giveBack, effects);
        }
        EndDue(now, utc, effects);
    }

    /// <summary>Sees whether it has something to do, and says, once, that nothing is left of one that goes.</summary>
    public void Flush(Instant now, List<WorkerEffect> effects)
    {
        idleSince = leases.Count > 0 ? Instant.Never : Instant.Min(idleSince, now);
        if (!IsUnderWay || hasLeft || leases.Count > 0)
            return;
        // Who has time left gives its schedulers that time to take what was done here.
        if (cause == LeaveCause.TimeOver && outbox.Count > 0 && now < arbiter.EndsAt)
            return;
        hasLeft = true;
        EndsAt = Instant.Never;
        effects.Add(new WorkerEffect.Left(cause));
    }

    private void EndDue(Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        if (now < EndsAt || EndsAt == Instant.Never)
            return;
        EndsAt = Instant.Never;
        Told.Everyone(NoticeKind.Leaving, TimeSpan.Zero, leases, effects);
        string why = cause == LeaveCause.TimeOver ? "the node's own time is over" : "the node was stopped";
        // What had not started was given back when the drain began, so ending takes nothing out of the list that is walked.
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
            executor.End((Attempt)lease, Outcome.NodeFault, why, Executor.Grace, now, utc, effects);
    }

    /// <summary>A node that drains or is degraded offers nothing and confirms nothing.</summary>
    private void CloseOrOpen()
    {
        arbiter.Closed = IsUnderWay ? new RefusalEntry(0, RefusalReason.Draining, [], Price.Zero, "")
            : degraded is not null ? new RefusalEntry(0, RefusalReason.Degraded, [], Price.Zero, degraded) : null;
        if (arbiter.Closed is not null)
            arbiter.GiveUpHolds();
        arbiter.Wake();
    }

    private void ReturnUnstarted(Action<Attempt> giveBack, List<WorkerEffect> effects)
    {
        var returned = new List<Attempt>();
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
            if (((Attempt)lease).Phase is AttemptPhase.Waiting or AttemptPhase.AwaitsGo or AttemptPhase.Ready)
                returned.Add((Attempt)lease);
        foreach (Attempt attempt in returned)
            giveBack(attempt);
        Told.Returned(returned, effects);
    }
}
