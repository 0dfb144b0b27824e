using System.Diagnostics.CodeAnalysis;
using Drap.Core.Market.Arbitration;

namespace Drap.Core.Leases;

/// <summary>The schedulers that a worker knows, each with its highest epoch. Not thread-safe.</summary>
/// <param name="limit">How many at most; at the limit the one silent longest that holds no lease is forgotten.</param>
public sealed class SchedulerTable(int limit)
{
    private readonly Dictionary<PeerId, KnownScheduler> schedulers = [];

    /// <summary>Schedulers known.</summary>
    public int Count => schedulers.Count;

    /// <summary>Looks one up.</summary>
    public bool TryGet(PeerId id, [NotNullWhen(true)] out KnownScheduler? scheduler) => schedulers.TryGetValue(id, out scheduler);

    /// <summary>All, in the order of their ids.</summary>
    public IEnumerable<KnownScheduler> All => schedulers.Values.OrderBy(s => s.Id);

    /// <summary>Takes in what was on disk.</summary>
    public void Restore(PeerId id, Epoch epoch)
    {
        if (schedulers.Count >= limit)
            return;
        KnownScheduler scheduler = schedulers[id] = new KnownScheduler(id);
        scheduler.Epoch = epoch;
        scheduler.IsEpochStored = true;
    }

    /// <summary>
    /// A message of a scheduler came, in an epoch. A higher epoch than was known begins: its ads and heartbeats count anew, and whoever
    /// sent it speaks for the scheduler now.
    /// </summary>
    /// <param name="id">The scheduler.</param>
    /// <param name="epoch">The message's epoch.</param>
    /// <param name="from">Who sent it.</param>
    /// <param name="now">Now.</param>
    /// <param name="scheduler">The scheduler; null if there is no room for one more.</param>
    /// <param name="forgotten">The scheduler that had to go to make room.</param>
    /// <returns>How the epoch stands to the highest one seen.</returns>
    public Standing Meet(PeerId id, Epoch epoch, PeerId from, Instant now, out KnownScheduler? scheduler, out KnownScheduler? forgotten)
    {
        forgotten = null;
        if (!schedulers.TryGetValue(id, out scheduler))
        {
            if (schedulers.Count >= limit && !TryForgetOne(out forgotten))
                return Standing.NoRoom;
            scheduler = schedulers[id] = new KnownScheduler(id);
            scheduler.Epoch = new Epoch(-1);
        }
        int order = epoch.CompareTo(scheduler.Epoch);
        if (order < 0)
            return Standing.Over;
        scheduler.HeardAt = now;
        scheduler.Speaker = from;
        if (order == 0)
            return Standing.Current;
        scheduler.Epoch = epoch;
        scheduler.IsEpochStored = false;
        scheduler.Ads = new AdWindow();
        scheduler.Heartbeat = 0;
        scheduler.Beats.Restart();
        return Standing.Begins;
    }

    /// <summary>A ping of a peer: it counts for each scheduler that the peer speaks for.</summary>
    public void ObserveRoundTrip(PeerId peer, TimeSpan time)
    {
        foreach (KnownScheduler scheduler in schedulers.Values)
        {
            if (scheduler.Speaker != peer)
                continue;
            scheduler.Rtt.Observe(time);
            scheduler.IsRttMeasured = true;
        }
    }

    private bool TryForgetOne(out KnownScheduler? forgotten)
    {
        forgotten = null;
        foreach (KnownScheduler candidate in schedulers.Values)
            if (candidate.Leases == 0 && (forgotten is null || candidate.HeardAt < forgotten.HeardAt
                || (candidate.HeardAt == forgotten.HeardAt && candidate.Id.CompareTo(forgotten.Id) < 0)))
                forgotten = candidate;
        return forgotten is not null && schedulers.Remove(forgotten.Id);
    }
}

/// <summary>How a message's epoch stands to the highest one seen of its scheduler.</summary>
public enum Standing
{
    /// <summary>It is that one.</summary>
    Current,

    /// <summary>It is higher: it begins now.</summary>
    Begins,

    /// <summary>It is lower: refused.</summary>
    Over,

    /// <summary>The scheduler is new and there are too many.</summary>
    NoRoom,
}
