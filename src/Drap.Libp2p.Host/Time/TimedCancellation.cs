namespace Drap.Libp2p.Host.Time;

/// <summary>A token that is cancelled when another is or at a deadline of the host's one timer.</summary>
internal sealed class TimedCancellation : IDisposable
{
    private readonly CancellationTokenSource source;
    private readonly Deadlines deadlines;
    private readonly CallAt deadline;

    public TimedCancellation(Deadlines deadlines, Instant at, CancellationToken ct)
    {
        this.deadlines = deadlines;
        source = CancellationTokenSource.CreateLinkedTokenSource(ct);
        deadline = new CallAt(Pass);
        deadlines.Set(deadline, at);
    }

    public CancellationToken Token => source.Token;

    /// <summary>Whether it was the deadline.</summary>
    public bool HasPassed { get; private set; }

    public void Dispose()
    {
        deadlines.Clear(deadline);
        source.Dispose();
    }

    private void Pass()
    {
        HasPassed = true;
        try
        {
            source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // What was timed has just ended.
        }
    }
}
