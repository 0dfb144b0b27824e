namespace Drap.Libp2p.Host.PubSubs;

/// <summary>
/// Whether our own messages follow each other so closely that they are worth gathering, also where nobody is signing just now who would write them with his: each
/// write is a call of the system and wakes the reader's threads, which together cost half as much as a signature. What is left so is written when enough of it
/// waits, or when the time is up. Under the router's lock.
/// </summary>
/// <param name="write">Run when the time is up; calls <see cref="Ended"/>.</param>
/// <param name="time">Measures it.</param>
internal sealed class Gathering(Action write, TimeProvider time) : IDisposable
{
    /// <summary>
    /// So many within <see cref="Window"/> are a flood: 8 000 a second, a third of what a core signs and checks. Whoever checks them is then behind by more than
    /// <see cref="Patience"/> anyhow.
    /// </summary>
    private const int FloodMessages = 16;

    private static readonly TimeSpan Window = TimeSpan.FromMilliseconds(2);

    /// <summary>What the end of a flood waits at most, but for the timer's coarseness, which is a millisecond.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(2);

    private readonly Instant[] last = [.. Enumerable.Repeat(Instant.Never, FloodMessages)];
    private int next;
    private ITimer? timer;
    private bool isArmed;

    /// <summary>One of our own was signed.</summary>
    public void Add(Instant now)
    {
        last[next] = now;
        next = (next + 1) % FloodMessages;
    }

    /// <summary>Whether the last ones came as a flood. If so, what waits is written soon.</summary>
    public bool TryLeave(Instant now)
    {
        // The place that is written next holds the oldest.
        if (last[next] == Instant.Never || now - last[next] > Window)
            return false;
        if (isArmed)
            return true;
        isArmed = true;
        timer ??= MakeTimer();
        timer.Change(Patience, Timeout.InfiniteTimeSpan);
        return true;
    }

    /// <summary>The time is up.</summary>
    public void Ended() => isArmed = false;

    public void Dispose() => timer?.Dispose();

    private ITimer MakeTimer()
    {
        using (ExecutionContext.SuppressFlow())
            return time.CreateTimer(static run => ((Action)run!)(), write, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }
}
