using Drap.Core.Leases;

namespace Drap.Core.Market.Arbitration;

/// <summary>
/// The offers that lapsed last, so that a confirmation which comes too late says how long its way is: whoever is farther than was believed would else
/// be too late for every offer. Not thread-safe.
/// </summary>
internal sealed class LapsedHolds
{
    /// <summary>Offers that are remembered: as many as can be out at once. The oldest is forgotten first, and its confirmation teaches nothing.</summary>
    private const int CountMax = HoldTable.HoldsMax;

    /// <summary>Whoever took longer stood still, and is not far: no hold would be long enough for such a way.</summary>
    private static readonly TimeSpan LongestWay = TimeSpan.FromSeconds(1);

    private readonly Dictionary<OfferId, (KnownScheduler Scheduler, Instant MadeAt, TimeSpan Window)> holds = [];
    private readonly Queue<OfferId> order = new();

    /// <summary>An offer lapsed.</summary>
    public void Add(Hold hold)
    {
        if (order.Count == CountMax)
            holds.Remove(order.Dequeue());
        holds.Add(hold.Id, (hold.Scheduler, hold.MadeAt, hold.Window));
        order.Enqueue(hold.Id);
    }

    /// <summary>
    /// The confirmation of an offer that is not out came: how long it took beside the scheduler's window; null if the offer did not lapse, or if that says nothing of the way.
    /// </summary>
    public TimeSpan? Answered(OfferId offer, KnownScheduler by, Instant now) =>
        holds.Remove(offer, out (KnownScheduler Scheduler, Instant MadeAt, TimeSpan Window) hold) && ReferenceEquals(hold.Scheduler, by)
        && now - hold.MadeAt - hold.Window is var way && way <= LongestWay ? way : null;
}
