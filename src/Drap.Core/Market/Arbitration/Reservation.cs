using Drap.Core.Execution;
using Drap.Core.Leases;
using Drap.Core.Market.Pricing;

namespace Drap.Core.Market.Arbitration;

/// <summary>
/// Keeps a worker for one patient task that would fit it but for what runs now: until then only what surely ends before is taken
/// (backfill). When that will be is reckoned from what the running tasks are expected to take; one of which nothing is known counts as
/// ending any moment, so that nothing is taken behind its back.
/// </summary>
internal sealed class Reservation(StandingGroup group, Instant since)
{
    // The sum over all that runs is made anew as often, not at each flush.
    private static readonly TimeSpan Refresh = TimeSpan.FromMilliseconds(10);

    private Instant refreshAt = Instant.Zero;

    public StandingGroup Group { get; set; } = group;

    public Instant Since { get; } = since;

    /// <summary>When the task is thought to fit.</summary>
    public Instant FitsAt { get; private set; }

    public void Update(ResourcePool freeWithoutHolds, Reserve reserve, LeaseTable leases, Instant now)
    {
        if (now < refreshAt)
            return;
        refreshAt = now + Refresh;
        ResourcePool pool = freeWithoutHolds.Copy();
        FitsAt = now;
        if (reserve.Lets(pool, Group.Group.Resources))
            return;
        var running = new List<Attempt>();
        for (Lease? lease = leases.First; lease is not null; lease = LeaseTable.After(lease))
            if (lease is Attempt { Grant: not null } attempt)
                running.Add(attempt);
        running.Sort((a, b) => a.ExpectedEnd != b.ExpectedEnd ? a.ExpectedEnd.CompareTo(b.ExpectedEnd) : a.Id.CompareTo(b.Id));
        foreach (Attempt attempt in running)
        {
            FitsAt = Instant.Max(now, attempt.ExpectedEnd);
            pool.Give(attempt.Grant!);
            if (reserve.Lets(pool, Group.Group.Resources))
                return;
        }
    }
}
