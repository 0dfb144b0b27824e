namespace Drap.Libp2p.Host.Tests;

/// <summary>A clock with one timer, moved by hand; the timer fires at each moment that it was armed for.</summary>
internal sealed class ManualTime : TimeProvider, IDisposable
{
    private long now = 1_000_000_000_000;
    private Timer? timer;

    public int Wakes { get; private set; }

    public override long TimestampFrequency => 1_000_000_000;

    public override long GetTimestamp() => now;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        timer = new Timer(this, () => callback(state));

    public void Dispose() => timer?.Dispose();

    public void Advance(TimeSpan by)
    {
        long until = now + by.Ticks * 100;
        while (timer is { Due: { } due } && due <= until)
        {
            now = Math.Max(now, due);
            timer.Due = null;
            Wakes++;
            timer.Fire();
        }
        now = until;
    }

    private sealed class Timer(ManualTime time, Action fire) : ITimer
    {
        public long? Due { get; set; }

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            Due = dueTime == Timeout.InfiniteTimeSpan ? null : time.now + dueTime.Ticks * 100;
            return true;
        }

        public void Dispose() => Due = null;

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
