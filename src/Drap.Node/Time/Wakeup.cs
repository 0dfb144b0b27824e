namespace Drap.Node.Time;

/// <summary>
/// One loop's alarm at a <see cref="BootClock"/>. It has one deadline: arming again moves it. It fires once, at or after the deadline,
/// and must then be armed again. A call that races with a change may still come: look at the time, not at the call.
/// </summary>
public sealed class Wakeup : IDisposable
{
    private readonly BootClock clock;

    internal Wakeup(BootClock clock, Action callback)
    {
        this.clock = clock;
        Callback = callback;
    }

    internal Action Callback { get; }

    /// <summary>The deadline. Guarded by the clock's lock.</summary>
    internal Instant At { get; set; } = Instant.Never;

    /// <summary>Sets the deadline, whatever it was; <see cref="Instant.Never"/> disarms.</summary>
    public void Arm(Instant at) => clock.Arm(this, at);

    /// <summary>Takes it off the clock.</summary>
    public void Dispose() => clock.Remove(this);
}
