namespace Drap.Core.Leases;

/// <summary>
/// A worker's side of one lease: the right to run one attempt for a time, measured here, on the boot-time clock. What runs under it
/// derives from this, so that there is one object and one table entry for an attempt.
/// </summary>
public abstract class Lease
{
    private protected Lease(AttemptId id, KnownScheduler scheduler, Principal principal, bool stopsAtEnd)
    {
        Id = id;
        Scheduler = scheduler;
        Principal = principal;
        StopsAtEnd = stopsAtEnd;
    }

    /// <summary>The attempt.</summary>
    public AttemptId Id { get; }

    /// <summary>Whose lease it is, in whatever epoch.</summary>
    public KnownScheduler Scheduler { get; }

    /// <summary>Whose work it is.</summary>
    public Principal Principal { get; }

    /// <summary>Whether the attempt must not outlive the lease.</summary>
    public bool StopsAtEnd { get; }

    /// <summary>When it was granted.</summary>
    public Instant GrantedAt { get; internal set; }

    /// <summary>How it stands.</summary>
    public LeaseState State { get; internal set; } = LeaseState.Live;

    /// <summary>When it ends unless it is renewed: the later of its own end and the scheduler's last renewal of all, if that came after it.</summary>
    public Instant End => Scheduler.Renewals == RenewalsBefore ? OwnEnd : Instant.Max(OwnEnd, StopsAtEnd ? Scheduler.StoppingRenewedUntil : Scheduler.RenewedUntil);

    internal Instant OwnEnd { get; set; }

    internal long RenewalsBefore { get; set; }

    internal Lease? Previous { get; set; }

    internal Lease? Next { get; set; }
}

/// <summary>How a lease stands.</summary>
public enum LeaseState : byte
{
    /// <summary>It stands, and is in its scheduler's set.</summary>
    Live,

    /// <summary>It ended unrenewed; the attempt runs on, keeps its resources, may deliver, and may be adopted.</summary>
    Orphaned,

    /// <summary>It is over, and the attempt is being ended.</summary>
    Over,
}
