namespace Drap.Core.Execution;

/// <summary>What the guard reads of one place where attempts run, one after the other.</summary>
/// <param name="Serial">Names what runs there; 0 while nothing does.</param>
/// <param name="DueAt">When it must be over.</param>
public readonly record struct GuardedPlace(long Serial, Instant DueAt);

/// <summary>What the guard is to do at a place.</summary>
/// <param name="Place">The place.</param>
/// <param name="Serial">What runs there.</param>
/// <param name="Kill">End it; else only look whether anything is left of it. Either is answered by <see cref="GuardWatch.Gone"/> if nothing is.</param>
public readonly record struct GuardOrder(int Place, long Serial, bool Kill);

/// <summary>
/// The guard's whole mind: which attempts must be ended now, when to look again, and when there is nothing left to guard. It looks at all places
/// each time, since there are few; the node writes them and need not tell. What was ended is tried again until nothing is left of it,
/// ever more slowly: what hangs in the kernel is not helped by haste. Not thread-safe.
/// </summary>
public sealed class GuardWatch
{
    /// <summary>
    /// How often it looks while things are started: no lease is shorter (<see cref="Leases.LeaseTable.ShortestLease"/>), so none ends unseen between
    /// two looks. After a second without a start it sleeps until the next due time, or until it is rung.
    /// </summary>
    public static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan retryFirst = TimeSpan.FromMilliseconds(5);

    private readonly long[] gone, tried;
    private readonly Instant[] again;
    private readonly TimeSpan[] wait;

    /// <summary>One that knows nothing yet.</summary>
    /// <param name="places">How many places there are.</param>
    public GuardWatch(int places)
    {
        (gone, tried, again, wait) = (new long[places], new long[places], new Instant[places], new TimeSpan[places]);
        NextLook = Instant.Zero;
    }

    /// <summary>When to look again at the latest; <see cref="Instant.Never"/>: when it is rung.</summary>
    public Instant NextLook { get; private set; }

    /// <summary>How many attempts had been started when it looked last.</summary>
    public long Starts { get; private set; }

    /// <summary>The node is no more, and nothing that it started is left: the guard may go.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Looks at all places; says what is to be done. <see cref="Settle"/> follows when it was.</summary>
    /// <param name="places">What runs where.</param>
    /// <param name="starts">How many were started in all.</param>
    /// <param name="nodeIsThere">Whether the node's process is; one that stands still is.</param>
    /// <param name="now">The time.</param>
    /// <param name="orders">Gets what is to be done.</param>
    public void Look(ReadOnlySpan<GuardedPlace> places, long starts, bool nodeIsThere, Instant now, List<GuardOrder> orders)
    {
        NextLook = starts != Starts ? now + LookInterval : Instant.Never;
        Starts = starts;
        IsOver = !nodeIsThere;
        for (int i = 0; i < places.Length; i++)
        {
            (long serial, Instant dueAt) = places[i];
            if (serial == 0 || serial == gone[i])
                continue;
            if (tried[i] != serial)
                (tried[i], again[i], wait[i]) = (serial, Instant.Zero, retryFirst);
            bool isDue = dueAt <= now;
            IsOver = false;
            if ((isDue || !nodeIsThere) && again[i] <= now)
            {
                orders.Add(new GuardOrder(i, serial, isDue));
                wait[i] = isDue ? Shorter(wait[i] * 2, LookInterval) : LookInterval;
                again[i] = now + wait[i];
            }
            NextLook = Instant.Min(NextLook, isDue ? again[i] : nodeIsThere ? dueAt : Instant.Min(dueAt, again[i]));
        }
    }

    /// <summary>Nothing is left of what ran there.</summary>
    public void Gone(int place, long serial) => gone[place] = serial;

    /// <summary>After the orders were carried out: whether that was the last.</summary>
    public void Settle(ReadOnlySpan<GuardedPlace> places, bool nodeIsThere)
    {
        IsOver = !nodeIsThere;
        for (int i = 0; i < places.Length && IsOver; i++)
            IsOver = places[i].Serial == 0 || places[i].Serial == gone[i];
    }

    private static TimeSpan Shorter(TimeSpan a, TimeSpan b) => a < b ? a : b;
}
