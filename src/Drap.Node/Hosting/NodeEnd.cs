using Drap.Node.Config;
using Drap.Node.Time;

namespace Drap.Node.Hosting;

/// <summary>
/// The end that a node has of its own: its time in a batch system is over, or nobody needs it. Its workers know when to take nothing more and go by themselves; this
/// waits for them, and for the jobs that were given here, as far as there is time, and then ends the node.
/// </summary>
internal sealed class NodeEnd : IDisposable
{
    /// <summary>Kept of the node's time for its own orderly end, at most; a tenth of a short one.</summary>
    private static readonly TimeSpan Kept = TimeSpan.FromSeconds(30);

    private const int KeptPart = 10;

    private readonly CancellationTokenSource stop = new();
    private readonly TaskCompletionSource timeOver = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Wakeup? wakeup;
    private readonly TimeSpan? idleTimeout;
    private readonly TimeSpan nearEnd;

    /// <summary>An end that is not waited for yet.</summary>
    /// <param name="terms">What the owner says.</param>
    /// <param name="clock">For the time.</param>
    public NodeEnd(NodeSpec terms, BootClock clock)
    {
        idleTimeout = terms.IdleTimeout;
        if (terms.TimeLimit is not { } limit)
            return;
        nearEnd = new TimeSpan(Math.Min(2 * Kept.Ticks, limit.Ticks / KeptPart));
        At = BootClock.Now + (limit - new TimeSpan(Math.Min(Kept.Ticks, limit.Ticks / KeptPart)));
        wakeup = clock.CreateWakeup(() => timeOver.TrySetResult());
        wakeup.Arm(At.Value);
    }

    /// <summary>When it must have no task any more; null if its time has no end.</summary>
    public Instant? At { get; }

    /// <summary>Completes when the node is to end, and says why; by cancellation when it ends otherwise.</summary>
    /// <param name="workersGone">All workers have left by themselves; null if there are none.</param>
    /// <param name="idle">Completes when no job that was given here is open.</param>
    public async Task<string> WhenOverAsync(Task? workersGone, Func<CancellationToken, Task> idle)
    {
        Task mustEnd = timeOver.Task.WaitAsync(stop.Token);
        if (workersGone is not null && await Task.WhenAny(workersGone, mustEnd).ConfigureAwait(false) == workersGone)
            // Without workers the node still serves the jobs that were given here, while there is time.
            await Task.WhenAny(idle(stop.Token), mustEnd).ConfigureAwait(false);
        else
            await mustEnd.ConfigureAwait(false);
        stop.Token.ThrowIfCancellationRequested();
        // Its workers leave a little before the time is over.
        return idleTimeout is null || At is { } at && BootClock.Now + nearEnd >= at ? "its time is over" : "nobody needs it";
    }

    /// <summary>The node ends, for whatever reason.</summary>
    public void Dispose()
    {
        stop.Cancel();
        wakeup?.Dispose();
    }
}
