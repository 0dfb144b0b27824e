namespace Drap.Core;

/// <summary>
/// What one job may spend. A confirmation reserves price × estimate before it is sent; a renewal past the estimate reserves more first,
/// or the lease is not renewed; the result settles to what was used. Spent and reserved together never pass the budget. Not thread-safe.
/// </summary>
/// <param name="budget">The limit; null for none.</param>
public sealed class JobBudget(Credits? budget)
{
    /// <summary>Reservations at once: as many as attempts can run at once. At the limit no more is reserved.</summary>
    public const int ReservationsMax = 1_000_000;

    private readonly Dictionary<AttemptId, Credits> reservations = [];

    /// <summary>The limit; without one, as much as a limit can say.</summary>
    public Credits Budget { get; private set; } = budget ?? Credits.LimitMax;

    /// <summary>Paid.</summary>
    public Credits Spent { get; private set; }

    /// <summary>Set aside for running attempts.</summary>
    public Credits Reserved { get; private set; }

    /// <summary>What may still be reserved.</summary>
    public Credits Available => Budget - Spent - Reserved;

    /// <summary>Sets an amount aside for an attempt; false, and nothing done, if the budget does not bear it or the attempt has one already.</summary>
    public bool TryReserve(AttemptId attempt, Credits estimate)
    {
        Invariant.Check(estimate >= Credits.Zero && estimate <= Credits.LimitMax);
        if (estimate > Available || reservations.Count >= ReservationsMax || !reservations.TryAdd(attempt, estimate))
            return false;
        Reserved += estimate;
        return true;
    }

    /// <summary>Sets more aside for an attempt that runs longer than estimated; false, and nothing done, if the budget does not bear it.</summary>
    public bool TryExtend(AttemptId attempt, Credits more)
    {
        Invariant.Check(more >= Credits.Zero && more <= Credits.LimitMax);
        if (more > Available || !reservations.TryGetValue(attempt, out Credits reserved))
            return false;
        reservations[attempt] = reserved + more;
        Reserved += more;
        return true;
    }

    /// <summary>
    /// Ends an attempt's reservation and pays what it used, as far as its own reservation and what is free of the budget reach. Null, and
    /// nothing done, for an attempt without one: it was settled before.
    /// </summary>
    public Settlement? Settle(AttemptId attempt, Credits actual)
    {
        Invariant.Check(actual >= Credits.Zero && actual <= Credits.LimitMax);
        if (!reservations.Remove(attempt, out Credits reserved))
            return null;
        Reserved -= reserved;
        Credits paid = actual < Available ? actual : Available;
        Spent += paid;
        return new Settlement(paid, actual - paid);
    }

    /// <summary>After a restart: nothing is set aside, and so much was paid before.</summary>
    public void Restore(Credits spent)
    {
        reservations.Clear();
        Reserved = Credits.Zero;
        Spent = spent;
    }

    /// <summary>A new limit, not below what is spent and reserved; false, and nothing done, if it is.</summary>
    public bool TryChange(Credits budget)
    {
        if (budget < Spent + Reserved || budget > Credits.LimitMax)
            return false;
        Budget = budget;
        return true;
    }

    /// <summary>The sums agree and keep within the budget.</summary>
    public void CheckInvariants()
    {
        Int128 sum = 0;
        foreach (Credits reserved in reservations.Values)
            sum += reserved.Micro;
        Invariant.Check(sum == Reserved.Micro);
        Invariant.Check(Spent >= Credits.Zero && Spent + Reserved <= Budget);
    }
}

/// <summary>How an attempt was paid.</summary>
/// <param name="Paid">What was paid.</param>
/// <param name="Uncovered">What was used beyond the budget and is not paid; zero unless an attempt ran past its last renewal.</param>
public readonly record struct Settlement(Credits Paid, Credits Uncovered);
