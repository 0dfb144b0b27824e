namespace Drap.Core;

/// <summary>
/// What one principal may still use of one owner's machine. A confirmation reserves the estimate; the receipt settles it to what was
/// used. At its end only idle resources are had: the arbiter asks <see cref="IsSpent"/> and then sells only what nobody else wants.
/// Not thread-safe.
/// </summary>
public sealed class CreditLine
{
    /// <summary>Reservations at once; one per lease of this principal on this worker, which has fewer. At the limit no more is reserved.</summary>
    public const int ReservationsMax = 65_536;

    private readonly Dictionary<AttemptId, Credits> reservations = [];
    private UtcTime refilledAt;
    private long remainder;

    /// <summary>A full line.</summary>
    public CreditLine(CreditTerms terms, UtcTime now)
    {
        Invariant.Check(terms.Validate() is null);
        Terms = terms;
        Balance = terms.Cap;
        refilledAt = now;
    }

    /// <summary>The owner's terms.</summary>
    public CreditTerms Terms { get; private set; }

    /// <summary>What is left, reservations included; below zero where a task ran longer than was reserved.</summary>
    public Credits Balance { get; private set; }

    /// <summary>The sum of what is reserved for running attempts.</summary>
    public Credits Reserved { get; private set; }

    /// <summary>What a new confirmation may still reserve; below zero after an overrun.</summary>
    public Credits Available => Balance - Reserved;

    /// <summary>Whether the line is at its end, so that this principal gets idle resources only.</summary>
    public bool IsSpent => Available <= Credits.Zero;

    /// <summary>Attempts with a reservation.</summary>
    public int Reservations => reservations.Count;

    /// <summary>
    /// Pays in what has come due by <paramref name="now"/>. A clock that was set back pays nothing and counts from the new time on;
    /// one that was set forward pays no more than the cap.
    /// </summary>
    public void Refill(UtcTime now)
    {
        const long day = 86_400_000;
        long elapsed = now.Milliseconds - refilledAt.Milliseconds;
        if (elapsed < 0)
        {
            refilledAt = now;
            return;
        }
        long step = (long)Terms.RefillEvery.TotalMilliseconds;
        if (step > 0)
            elapsed -= elapsed % step;
        if (elapsed == 0)
            return;
        refilledAt = new UtcTime(refilledAt.Milliseconds + elapsed);
        // The remainder of the division is carried, so that many small refills pay as much as one large one.
        Int128 due = (Int128)Terms.DailyAllowance.Micro * elapsed + remainder;
        remainder = (long)(due % day);
        Int128 balance = Balance.Micro + due / day;
        if (balance >= Terms.Cap.Micro)
        {
            remainder = 0;
            balance = Math.Max(Terms.Cap.Micro, Balance.Micro);
        }
        Balance = new Credits((long)balance);
    }

    /// <summary>New terms from the owner: the balance stays, cut to the new cap.</summary>
    public void Change(CreditTerms terms, UtcTime now)
    {
        Invariant.Check(terms.Validate() is null);
        Refill(now);
        Terms = terms;
        if (Balance > terms.Cap)
            Balance = terms.Cap;
    }

    /// <summary>
    /// Sets <paramref name="estimate"/> aside for an attempt; false, and nothing done, if that is more than is available or there are too
    /// many. A repeated call for the same attempt changes nothing and is true.
    /// </summary>
    public bool TryReserve(AttemptId attempt, Credits estimate)
    {
        Invariant.Check(estimate >= Credits.Zero && estimate <= Credits.LimitMax);
        if (reservations.ContainsKey(attempt))
            return true;
        if (estimate > Available || reservations.Count >= ReservationsMax)
            return false;
        reservations.Add(attempt, estimate);
        Reserved += estimate;
        return true;
    }

    /// <summary>
    /// Ends an attempt's reservation and takes <paramref name="actual"/> from the balance, also where that is more than was reserved:
    /// what was used was used. False, and nothing done, for an attempt without a reservation, so that a repeated receipt is not paid twice.
    /// </summary>
    public bool Settle(AttemptId attempt, Credits actual)
    {
        Invariant.Check(actual >= Credits.Zero && actual <= Credits.LimitMax);
        if (!reservations.Remove(attempt, out Credits reserved))
            return false;
        Reserved -= reserved;
        // A line cannot owe more than a limit can say; what is beyond was never collectable.
        Balance = new Credits((long)Int128.Max((Int128)Balance.Micro - actual.Micro, -Credits.LimitMax.Micro));
        return true;
    }

    /// <summary>
    /// Takes what an attempt used from the balance, whether anything was set aside for it or not: beyond the line's end attempts run on idle resources, and are charged all the same. The
    /// caller sees that it is done once for each.
    /// </summary>
    public void Charge(AttemptId attempt, Credits actual)
    {
        reservations.TryAdd(attempt, Credits.Zero);
        Invariant.Check(Settle(attempt, actual));
    }

    /// <summary>Ends an attempt's reservation without cost: it never started.</summary>
    public bool Release(AttemptId attempt) => Settle(attempt, Credits.Zero);

    /// <summary>The reserved sum is the sum of the reservations; the balance is not above the cap.</summary>
    public void CheckInvariants()
    {
        Int128 sum = 0;
        foreach (Credits reserved in reservations.Values)
            sum += reserved.Micro;
        Invariant.Check(sum == Reserved.Micro);
        Invariant.Check(Balance <= Terms.Cap);
    }
}
