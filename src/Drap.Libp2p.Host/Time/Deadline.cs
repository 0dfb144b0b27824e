namespace Drap.Libp2p.Host.Time;

/// <summary>Something with a deadline of its own; set it through <see cref="Deadlines"/>.</summary>
internal abstract class Deadline
{
    // Owned by the wheel.
    internal Deadline? Next, Previous;
    internal long Tick;
    internal bool IsSet;

    /// <summary>It is past. Runs on the timer's thread, which serves the whole host: be short, take no other host's time.</summary>
    internal abstract void Passed();
}

/// <summary>A deadline that calls a delegate.</summary>
internal sealed class CallAt(Action callback) : Deadline
{
    internal override void Passed() => callback();
}
