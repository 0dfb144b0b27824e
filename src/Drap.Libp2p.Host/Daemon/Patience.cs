namespace Drap.Libp2p.Host.Daemon;

/// <summary>A token that is cancelled when another is, or when something has taken too long.</summary>
internal sealed class Patience : IDisposable
{
    private readonly CancellationTokenSource source;
    private readonly ITimer timer;

    public Patience(TimeProvider time, TimeSpan limit, CancellationToken ct)
    {
        source = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timer = time.CreateTimer(_ => End(), null, limit, Timeout.InfiniteTimeSpan);
    }

    public CancellationToken Token => source.Token;

    public void Dispose()
    {
        timer.Dispose();
        source.Dispose();
    }

    private void End()
    {
        try
        {
            source.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // It has just been in time.
        }
    }
}
