namespace Drap.Libp2p.Host.Tests.Daemon;

/// <summary>A clock that stands until it is told to go on; its timers fire on the caller's thread.</summary>
internal sealed class SteppedTime : TimeProvider
{
    private readonly Lock gate = new();
    private readonly List<Timer> timers = [];
    private TimeSpan now;

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override long GetTimestamp()
    {
        lock (gate)
            return now.Ticks;
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    public void Advance(TimeSpan by)
    {
        List<Timer> due;
        lock (gate)
        {
            now += by;
            due = [.. timers.Where(timer => timer.At <= now)];
            timers.RemoveAll(due.Contains);
        }
        foreach (Timer timer in due)
            timer.Fire();
    }

    private sealed class Timer(SteppedTime time, Action fire) : ITimer
    {
        public TimeSpan At { get; private set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time.gate)
            {
                time.timers.Remove(this);
                At = time.now + dueTime;
                if (dueTime != Timeout.InfiniteTimeSpan)
                    time.timers.Add(this);
                return true;
            }
        }

        public void Dispose() => Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
