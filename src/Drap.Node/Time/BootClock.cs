using Drap.Node.Sandbox;

namespace Drap.Node.Time;

/// <summary>
/// The clock of leases: time since boot, suspend included, which the monotonic clocks of .NET leave out. One thread and one timerfd
/// serve the wake-ups of many loops, and tell when UTC was set.
/// </summary>
public sealed unsafe class BootClock : IDisposable
{
    private readonly Lock gate = new();
    private readonly List<Wakeup> wakeups = [];
    private readonly List<Wakeup> due = [];
    private readonly int timer, utcTimer, wake;
    private readonly Thread thread;
    private Instant timerAt = Instant.Never;
    private bool disposed;

    public BootClock()
    {
        timer = Create(Libc.CLOCK_BOOTTIME);
        utcTimer = Create(Libc.CLOCK_REALTIME);
        wake = Libc.eventfd(0, Libc.O_CLOEXEC);
        if (wake < 0)
            throw new IOException($"eventfd: {Libc.ErrorText(Libc.LastError)}");
        WatchUtc();
        thread = new Thread(Run, 256 * 1024) { IsBackground = true, Name = "drap clock" };
        thread.Start();
    }

    /// <summary>What the wall clock says; it jumps. For what people read, and for machines at their start and at each jump.</summary>
    public static UtcTime UtcNow => new(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds());

    /// <summary>Now. About 40 ns; no system call.</summary>
    public static Instant Now
    {
        get
        {
            Libc.TimeSpec value;
            _ = Libc.clock_gettime(Libc.CLOCK_BOOTTIME, &value);
            return new Instant(value.Seconds * 1_000_000_000 + value.Nanoseconds);
        }
    }

    /// <summary>UTC was set: by a person, by the first answer of a time server, after a suspend. Raised on the clock's thread; slewing raises nothing.</summary>
    public event Action? UtcJumped;

    /// <summary>A wake-up that calls <paramref name="callback"/> on the clock's thread, which serves all: post to a loop and return.</summary>
    public Wakeup CreateWakeup(Action callback)
    {
        var wakeup = new Wakeup(this, callback);
        lock (gate)
            wakeups.Add(wakeup);
        return wakeup;
    }

    /// <summary>Stops the thread; no callback runs after it returns. Not to be called from a callback.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            if (disposed)
                return;
            disposed = true;
        }
        Libc.Ring(wake);
        thread.Join();
        _ = Libc.close(timer);
        _ = Libc.close(utcTimer);
        _ = Libc.close(wake);
    }

    internal void Arm(Wakeup wakeup, Instant at)
    {
        lock (gate)
        {
            wakeup.At = at;
            // A deadline that moves back, as each renewed lease moves one, leaves the timer alone: it fires once for nothing.
            if (!disposed && at < timerAt)
                SetTimer(at);
        }
    }

    internal void Remove(Wakeup wakeup)
    {
        lock (gate)
            wakeups.Remove(wakeup);
    }

    private void Run()
    {
        Libc.PollFd* fds = stackalloc Libc.PollFd[3];
        fds[0] = new Libc.PollFd { Fd = timer, Events = Libc.POLLIN };
        fds[1] = new Libc.PollFd { Fd = utcTimer, Events = Libc.POLLIN };
        fds[2] = new Libc.PollFd { Fd = wake, Events = Libc.POLLIN };
        while (true)
        {
            fds[0].Revents = fds[1].Revents = fds[2].Revents = 0;
            _ = Libc.poll(fds, 3, -1);
            if (fds[2].Revents != 0)
                return;
            ulong count;
            if (fds[1].Revents != 0)
            {
                bool wasSet = Libc.read(utcTimer, &count, 8) < 0 && Libc.LastError == Libc.ECANCELED;
                WatchUtc();
                if (wasSet)
                    UtcJumped?.Invoke();
            }
            if (fds[0].Revents != 0)
            {
                _ = Libc.read(timer, &count, 8);
                Fire();
            }
        }
    }

    /// <summary>A scan, not a heap: there is one wake-up per loop, a few dozen in a process.</summary>
    private void Fire()
    {
        lock (gate)
        {
            Instant now = Now;
            Instant next = Instant.Never;
            foreach (Wakeup wakeup in wakeups)
            {
                if (wakeup.At <= now)
                {
                    wakeup.At = Instant.Never;
                    due.Add(wakeup);
                }
                next = Instant.Min(next, wakeup.At);
            }
            timerAt = Instant.Never;
            if (next != Instant.Never)
                SetTimer(next);
        }
        foreach (Wakeup wakeup in due)
            wakeup.Callback();
        due.Clear();
    }

    private void SetTimer(Instant at)
    {
        timerAt = at;
        // Zero would disarm the timer.
        long nanoseconds = Math.Max(at.Nanoseconds, 1);
        var spec = new Libc.TimerSpec
        {
            Value = new Libc.TimeSpec { Seconds = nanoseconds / 1_000_000_000, Nanoseconds = nanoseconds % 1_000_000_000 },
        };
        Invariant.Check(Libc.timerfd_settime(timer, Libc.TFD_TIMER_ABSTIME, &spec, null) == 0);
    }

    /// <summary>A timer that never fires in this age, but is cancelled when the clock is set.</summary>
    private void WatchUtc()
    {
        var spec = new Libc.TimerSpec { Value = new Libc.TimeSpec { Seconds = 1L << 33 } };
        Invariant.Check(Libc.timerfd_settime(utcTimer, Libc.TFD_TIMER_ABSTIME | Libc.TFD_TIMER_CANCEL_ON_SET, &spec, null) == 0);
    }

    private static int Create(int clock)
    {
        int fd = Libc.timerfd_create(clock, Libc.O_CLOEXEC | Libc.O_NONBLOCK);
        return fd >= 0 ? fd : throw new IOException($"timerfd_create: {Libc.ErrorText(Libc.LastError)}");
    }
}
