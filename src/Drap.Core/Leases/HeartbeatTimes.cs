namespace Drap.Core.Leases;

/// <summary>
/// When a worker answered a scheduler's last heartbeats. A heartbeat that says which answer had come was sent after that answer, so a lease that is counted from there ends
/// here before the scheduler believes it over, whatever the network held up, and for how long. Not thread-safe.
/// </summary>
internal sealed class HeartbeatTimes
{
    /// <summary>Heartbeats that are kept: a minute's. A scheduler that hears no answer for so long has long stopped to send any.</summary>
    private const int Kept = 64;

    private readonly (long Number, Instant At)[] times = new (long, Instant)[Kept];

    /// <summary>Whether the scheduler says what it has heard.</summary>
    public bool IsSaid { get; private set; }

    /// <summary>The last moment at which it was surely still to send what came last from it; <see cref="Instant.Zero"/> if none is known.</summary>
    public Instant ProvenAt { get; private set; } = Instant.Zero;

    /// <summary>A new epoch counts anew; what was proven stays true.</summary>
    public void Restart()
    {
        Array.Clear(times);
        IsSaid = false;
    }

    /// <summary>A heartbeat came, with what it says of answers.</summary>
    public void Came(long number, long heard, Instant now)
    {
        IsSaid = heard > 0;
        if (heard > 1 && times[(heard - 1) % Kept] is var (known, at) && known == heard - 1 && at > ProvenAt)
            ProvenAt = at;
        times[number % Kept] = (number, now);
    }
}
