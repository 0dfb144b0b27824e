using System.Diagnostics.CodeAnalysis;
using Drap.Core.Messages;

namespace Drap.Core.Leases;

/// <summary>
/// The leases that a worker has granted. One attempt has at most one. An expired lease cannot be renewed, only adopted under a new one:
/// since deadlines are run before messages are looked at, a renewal finds no lease that is due. Leases are walked in the order in which
/// they were granted. Not thread-safe.
/// </summary>
public sealed class LeaseTable
{
    /// <summary>The longest lease that a worker grants, and the longest renewal: beyond it a dead scheduler would block a machine for a meal.</summary>
    public static readonly TimeSpan LongestLease = TimeSpan.FromMinutes(10);

    /// <summary>A shorter lease is refused: it would be over before a heartbeat came.</summary>
    public static readonly TimeSpan ShortestLease = TimeSpan.FromSeconds(1);

    private readonly Dictionary<AttemptId, Lease> leases = [];
    private Lease? first, last;

    /// <summary>Leases of any state.</summary>
    public int Count => leases.Count;

    /// <summary>The first lease, in the order of grants; the others follow by <see cref="After"/>.</summary>
    public Lease? First => first;

    /// <summary>No lease ends before this; some may end later, since renewals do not move it.</summary>
    public Instant NextDeadline { get; private set; } = Instant.Never;

    /// <summary>
    /// A lease of <paramref name="length"/> that is received now ends here, this much sooner than the scheduler thinks: a five-hundredth
    /// for clocks that drift apart (the kernel slews by at most 500 ppm, quartz adds 100, on both sides: 1 200 ppm) and 10 ms for a timer
    /// that fires late. Of 30 s that is 70 ms.
    /// </summary>
    public static TimeSpan Shortened(TimeSpan length)
    {
        long ticks = Math.Min(length.Ticks, LongestLease.Ticks);
        return new TimeSpan(Math.Max(ticks - ticks / 500 - 10 * TimeSpan.TicksPerMillisecond, 0));
    }

    /// <summary>The lease granted after <paramref name="lease"/>.</summary>
    public static Lease? After(Lease lease) => lease.Next;

    /// <summary>Looks up an attempt's lease.</summary>
    public bool TryGet(AttemptId id, [NotNullWhen(true)] out Lease? lease) => leases.TryGetValue(id, out lease);

    /// <summary>Grants a lease; false, and nothing done, if the attempt has one.</summary>
    /// <param name="lease">The lease.</param>
    /// <param name="length">How long the scheduler says that it lasts.</param>
    /// <param name="proven">A moment that surely was before it was given: from there one counts whose attempt must not outlive it.</param>
    /// <param name="now">The time.</param>
    public bool TryAdd(Lease lease, TimeSpan length, Instant proven, Instant now)
    {
        if (!leases.TryAdd(lease.Id, lease))
            return false;
        lease.GrantedAt = now;
        lease.Previous = last;
        if (last is null)
            first = lease;
        else
            last.Next = lease;
        last = lease;
        lease.Scheduler.Leases++;
        Enliven(lease, length, lease.StopsAtEnd ? proven : now);
        return true;
    }

    /// <summary>The attempt is over and told: the lease is no more.</summary>
    public void Remove(Lease lease)
    {
        Invariant.Check(leases.Remove(lease.Id));
        Leave(lease, LeaseState.Over);
        lease.Scheduler.Leases--;
        if (lease.Previous is null)
            first = lease.Next;
        else
            lease.Previous.Next = lease.Next;
        if (lease.Next is null)
            last = lease.Previous;
        else
            lease.Next.Previous = lease.Previous;
        lease.Previous = lease.Next = null;
    }

    /// <summary>
    /// A heartbeat: all live leases of the scheduler last until then, counted from now; those that must stop at their end from the last proof of when
    /// it was sent. A number that was applied is not applied again: false.
    /// </summary>
    public static bool TryRenew(KnownScheduler scheduler, long number, TimeSpan length, long heard, Instant now)
    {
        if (number <= scheduler.Heartbeat)
            return false;
        scheduler.Heartbeat = number;
        scheduler.Renewals++;
        scheduler.RenewedUntil = now + Shortened(length);
        scheduler.Beats.Came(number, heard, now);
        scheduler.StoppingRenewedUntil = Instant.Max(scheduler.StoppingRenewedUntil, ProvenBy(scheduler, now) + Shortened(length));
        return true;
    }

    /// <summary>The scheduler named this lease: it is renewed, or adopted if it was orphaned. False for one that is over.</summary>
    public bool TryAdopt(Lease lease, TimeSpan length, Instant now)
    {
        if (lease.State == LeaseState.Over)
            return false;
        if (lease.State == LeaseState.Live)
        {
            lease.OwnEnd = Instant.Max(lease.End, (lease.StopsAtEnd ? ProvenBy(lease.Scheduler, now) : now) + Shortened(length));
            lease.RenewalsBefore = lease.Scheduler.Renewals;
            return true;
        }
        Enliven(lease, length, now);
        return true;
    }

    /// <summary>When the first of a scheduler's live leases ends whose attempt stops with it; <see cref="Instant.Never"/> if there is none.</summary>
    public Instant FirstEndOfStopping(KnownScheduler scheduler)
    {
        Instant end = Instant.Never;
        for (Lease? lease = first; lease is not null; lease = lease.Next)
            if (lease is { State: LeaseState.Live, StopsAtEnd: true } && ReferenceEquals(lease.Scheduler, scheduler))
                end = Instant.Min(end, lease.End);
        return end;
    }

    /// <summary>The lease ended, but the attempt may run on.</summary>
    public static void Orphan(Lease lease) => Leave(lease, LeaseState.Orphaned);

    /// <summary>The lease is over, and the attempt is being ended.</summary>
    public static void Stop(Lease lease) => Leave(lease, LeaseState.Over);

    /// <summary>Collects the live leases that are due and sets <see cref="NextDeadline"/> anew; what becomes of them is the caller's to say.</summary>
    public void CollectDue(Instant now, List<Lease> due)
    {
        if (now < NextDeadline)
            return;
        NextDeadline = Instant.Never;
        for (Lease? lease = first; lease is not null; lease = lease.Next)
        {
            if (lease.State != LeaseState.Live)
                continue;
            if (lease.End <= now)
                due.Add(lease);
            else
                NextDeadline = Instant.Min(NextDeadline, lease.End);
        }
    }

    /// <summary>The table, the list, the counts and the hashes agree.</summary>
    public void CheckInvariants()
    {
        int count = 0;
        var live = new Dictionary<KnownScheduler, (int Live, int Stopping, ulong Set)>();
        for (Lease? lease = first; lease is not null; lease = lease.Next)
        {
            Invariant.Check(leases.TryGetValue(lease.Id, out Lease? found) && ReferenceEquals(found, lease));
            count++;
            (int n, int stopping, ulong set) = live.GetValueOrDefault(lease.Scheduler);
            live[lease.Scheduler] = lease.State == LeaseState.Live
                ? (n + 1, stopping + (lease.StopsAtEnd ? 1 : 0), LeaseSetHash.Toggle(set, lease.Id))
                : (n, stopping, set);
        }
        Invariant.Check(count == leases.Count);
        foreach ((KnownScheduler scheduler, (int n, int stopping, ulong set)) in live)
            Invariant.Check(scheduler.Live == n && scheduler.LiveStopping == stopping && scheduler.LeaseSet == set);
    }

    private void Enliven(Lease lease, TimeSpan length, Instant now)
    {
        lease.State = LeaseState.Live;
        lease.OwnEnd = now + Shortened(length);
        lease.RenewalsBefore = lease.Scheduler.Renewals;
        Tally(lease, 1);
        NextDeadline = Instant.Min(NextDeadline, lease.OwnEnd);
    }

    /// <summary>From when what came from the scheduler counts, where it must not count for too long. One that says nothing of what it heard is believed.</summary>
    private static Instant ProvenBy(KnownScheduler scheduler, Instant now) => scheduler.Beats.IsSaid ? scheduler.Beats.ProvenAt : now;

    private static void Leave(Lease lease, LeaseState to)
    {
        if (lease.State == LeaseState.Live)
            Tally(lease, -1);
        lease.State = to;
    }

    private static void Tally(Lease lease, int by)
    {
        KnownScheduler scheduler = lease.Scheduler;
        scheduler.Live += by;
        scheduler.LiveStopping += lease.StopsAtEnd ? by : 0;
        scheduler.LeaseSet = LeaseSetHash.Toggle(scheduler.LeaseSet, lease.Id);
    }
}
