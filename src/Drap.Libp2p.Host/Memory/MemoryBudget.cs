namespace Drap.Libp2p.Host.Memory;

/// <summary>
/// What all peers together may borrow above what each is guaranteed (256 MiB by default): bytes that peers sent and nobody has read yet.
/// Thread-safe.
/// </summary>
internal sealed class MemoryBudget(long total)
{
    private long lent;

    /// <summary>Bytes lent now.</summary>
    public long Lent => Volatile.Read(ref lent);

    public bool TryBorrow(long bytes)
    {
        if (Interlocked.Add(ref lent, bytes) <= total)
            return true;
        Interlocked.Add(ref lent, -bytes);
        return false;
    }

    public void Return(long bytes) => Interlocked.Add(ref lent, -bytes);
}

/// <summary>
/// One peer's share: <paramref name="guaranteed"/> bytes in any case, more as long as the budget lends it, <paramref name="most"/> at most. What does
/// not fit is counted all the same, since it is there already; <see cref="IsOver"/> then says that nothing more is to be read from the peer.
/// Owned by its connection's lock.
/// </summary>
internal sealed class PeerMemory(MemoryBudget budget, long guaranteed, long most)
{
    private long borrowed;
    private bool isClosed;

    /// <summary>Bytes held for the peer now.</summary>
    public long Held { get; private set; }

    /// <summary>Whether the peer has all that it can have.</summary>
    public bool IsOver => Held > guaranteed + borrowed;

    public void Take(int bytes)
    {
        Held += bytes;
        Borrow();
    }

    public void Return(int bytes)
    {
        Held -= bytes;
        Invariant.Check(Held >= 0);
        if (isClosed)
            return;
        long back = borrowed - Math.Max(0, Held - guaranteed);
        if (back > 0)
        {
            borrowed -= back;
            budget.Return(back);
        }
        else if (IsOver)
        {
            Borrow();
        }
    }

    /// <summary>Asks the budget again: others may have returned something.</summary>
    public void Borrow()
    {
        if (isClosed)
            return;
        long wanted = Math.Min(Held, most) - guaranteed - borrowed;
        if (wanted > 0 && budget.TryBorrow(wanted))
            borrowed += wanted;
    }

    /// <summary>The peer is gone: what is still read of it is nobody's share any more.</summary>
    public void Close()
    {
        isClosed = true;
        budget.Return(borrowed);
        borrowed = 0;
    }
}
