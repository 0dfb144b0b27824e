using System.Numerics;

namespace Drap.Libp2p.Host.Time;

/// <summary>
/// Every deadline of a host on one timer: a hashed wheel (Varghese and Lauck, 1987). Setting and clearing one is a few pointers, so that
/// each request and each stream can have one; they fire up to one <see cref="Tick"/> late, never early. The timer sleeps until the next
/// slot that holds any.
/// </summary>
internal sealed class Deadlines : IDisposable
{
    /// <summary>32 ms: fine enough for the 250 ms between dials, coarse enough that an idle host of 1 000 connections wakes 30 times a second.</summary>
    public static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(32);

    // A turn is 32.8 s, longer than a keep-alive: most deadlines are looked at once.
    private const int Slots = 1024;

    private readonly Lock gate = new();
    private readonly Deadline?[] slots = new Deadline?[Slots];
    private readonly ulong[] occupied = new ulong[Slots / 64];
    private readonly List<Deadline> due = [];
    private readonly HostClock clock;
    private readonly ITimer timer;
    private long doneTick;
    private long armedTick = long.MaxValue;
    private int count;
    private bool isDisposed;

    public Deadlines(HostClock clock)
    {
        this.clock = clock;
        doneTick = TickOf(clock.Now);
        using (ExecutionContext.SuppressFlow())
            timer = clock.Provider.CreateTimer(static me => ((Deadlines)me!).Fire(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Deadlines that are set.</summary>
    public int Count => count;

    /// <summary>Sets or moves a deadline; <see cref="Instant.Never"/> clears it.</summary>
    public void Set(Deadline deadline, Instant at)
    {
        lock (gate)
        {
            Unlink(deadline);
            if (at == Instant.Never || isDisposed)
                return;
            // Rounded up, and never into a slot that is done.
            long tick = Math.Max(TickOf(at) + 1, doneTick + 1);
            Link(deadline, tick);
            if (tick < armedTick)
                Arm(tick);
        }
    }

    /// <summary>Clears a deadline. Its callback may be running or about to, on the timer's thread: it must bear that.</summary>
    public void Clear(Deadline deadline) => Set(deadline, Instant.Never);

    public void Dispose()
    {
        lock (gate)
            isDisposed = true;
        timer.Dispose();
    }

    private void Fire()
    {
        lock (gate)
        {
            if (isDisposed)
                return;
            long now = TickOf(clock.Now);
            // After a long sleep each slot is looked at once.
            for (long tick = Math.Max(doneTick + 1, now - Slots + 1); tick <= now; tick++)
                Collect(tick, now);
            doneTick = Math.Max(doneTick, now);
            armedTick = long.MaxValue;
            if (count > 0)
                Arm(NextTick());
        }
        // One thread at a time: the timer is armed for the next slot only, but a slow callback may outlast it.
        while (true)
        {
            Deadline deadline;
            lock (gate)
            {
                if (due.Count == 0)
                    return;
                deadline = due[^1];
                due.RemoveAt(due.Count - 1);
            }
            deadline.Passed();
        }
    }

    private void Collect(long tick, long now)
    {
        int slot = (int)(tick & (Slots - 1));
        for (Deadline? deadline = slots[slot]; deadline is not null;)
        {
            Deadline? next = deadline.Next;
            if (deadline.Tick <= now)
            {
                Unlink(deadline);
                due.Add(deadline);
            }
            deadline = next;
        }
    }

    private void Link(Deadline deadline, long tick)
    {
        int slot = (int)(tick & (Slots - 1));
        deadline.Tick = tick;
        deadline.Previous = null;
        deadline.Next = slots[slot];
        deadline.Next?.Previous = deadline;
        slots[slot] = deadline;
        deadline.IsSet = true;
        occupied[slot >> 6] |= 1UL << (slot & 63);
        count++;
    }

    private void Unlink(Deadline deadline)
    {
        if (!deadline.IsSet)
            return;
        int slot = (int)(deadline.Tick & (Slots - 1));
        if (deadline.Previous is null)
            slots[slot] = deadline.Next;
        else
            deadline.Previous.Next = deadline.Next;
        deadline.Next?.Previous = deadline.Previous;
        deadline.Next = deadline.Previous = null;
        deadline.IsSet = false;
        if (slots[slot] is null)
            occupied[slot >> 6] &= ~(1UL << (slot & 63));
        count--;
    }

    // The first tick after the done ones whose slot holds any, in this turn or a later one.
    private long NextTick()
    {
        int start = (int)((doneTick + 1) & (Slots - 1));
        for (int word = 0; word <= Slots / 64; word++)
        {
            int index = ((start >> 6) + word) % (Slots / 64);
            ulong bits = occupied[index];
            if (word == 0)
                bits &= ulong.MaxValue << (start & 63);
            if (bits == 0)
                continue;
            int slot = (index << 6) + BitOperations.TrailingZeroCount(bits);
            return doneTick + 1 + ((slot - start) & (Slots - 1));
        }
        Invariant.Fail("a deadline is in no slot");
        return 0;
    }

    private void Arm(long tick)
    {
        armedTick = tick;
        TimeSpan wait = new Instant(tick * Tick.Ticks * 100) - clock.Now;
        timer.Change(wait > TimeSpan.Zero ? wait + TimeSpan.FromMilliseconds(1) : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    private static long TickOf(Instant at) => at.Nanoseconds / (Tick.Ticks * 100);
}
