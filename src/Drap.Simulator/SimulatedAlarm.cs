namespace Drap.Simulator;

/// <summary>Wakes a machine at its next deadline: set it to <c>NextDeadline</c> after each step.</summary>
public sealed class SimulatedAlarm(Simulation simulation, Action wake)
{
    private SimulatedEvent? pending;

    /// <summary>Moves the alarm; null turns it off.</summary>
    public void Set(Instant? deadline)
    {
        if (pending is { IsCancelled: false } && pending.At == deadline)
            return;
        pending?.Cancel();
        pending = deadline is { } at && at != Instant.Never ? simulation.At(at, wake) : null;
    }
}
