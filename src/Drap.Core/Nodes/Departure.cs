using Drap.Core.Execution;
using Drap.Core.Leases;
using Drap.Core.Market.Arbitration;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// How a worker goes: it takes no new work, gives back what has not begun, lets what runs end within a time, ends the rest, and says when
/// nothing is left. One that is only degraded takes no new work either, until it has recovered.
/// </summary>
internal sealed class Departure(Arbiter arbiter, Executor executor, LeaseTable leases)
{
    private string? degraded;
    private bool hasLeft;

    /// <summary>Whether it goes.</summary>
    public bool IsUnderWay { get; private set; }

    /// <summary>When what runs still is ended; never if nothing is to be.</summary>
    public Instant EndsAt { get; private set; } = Instant.Never;

    /// <summary>The node cannot do something any more, or can again (null).</summary>
    public void SetDegraded(string? what)
    {
        degraded = what;
        CloseOrOpen();
    }

    /// <summary>Begins to go; a second time may make it shorter.</summary>
    public void Drain(TimeSpan within, Instant now, UtcTime utc, Action<Attempt> giveBack, List<WorkerEffect> effects)
    {
        bool begins = !IsUnderWay;
        IsUnderWay = true;
        EndsAt = Instant.Min(EndsAt, now + within);
        if (begins)
        {
            CloseOrOpen();
            ReturnUnstarted(giveBack, effects);
            if (within > TimeSpan.Zero)
                Told.Everyone(NoticeKind.Draining, within, leases, effects);
        }
        RunDue(now, utc, effects);
    }

    /// <summary>Ends what runs when its time is over.</summary>
    public void RunDue(Instant now, UtcTime utc, List<WorkerEffect> effects)
    {
        if (now < EndsAt || EndsAt == Instant.Never)
            return;
        EndsAt = Instant.Never;
        Told.Everyone(NoticeKind.Leaving, TimeSpan.Zero, leases, effects);
        // What had not started was given back when the drain began, so ending takes nothing out of the list that is walked.
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
            executor.End((Attempt)lease, Outcome.NodeFault, "the node was stopped", Executor.Grace, now, utc, effects);
    }

    /// <summary>Says, once, that nothing is left.</summary>
    public void Flush(List<WorkerEffect> effects)
    {
        if (!IsUnderWay || hasLeft || leases.Count > 0)
            return;
        hasLeft = true;
        EndsAt = Instant.Never;
        effects.Add(new WorkerEffect.Left());
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
