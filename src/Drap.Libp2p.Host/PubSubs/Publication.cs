namespace Drap.Libp2p.Host.PubSubs;

/// <summary>What becomes of one of our messages: to how many peers it went. Who asks late need not wait, and then nothing is made to wait with. Thread-safe.</summary>
internal sealed class Publication
{
    // Stands in the place of who waits when nobody need wait any more.
    private static readonly TaskCompletionSource<int> Over = new();

    private TaskCompletionSource<int>? waiting;
    private int peers;

    /// <summary>To how many peers it went; null while it has not gone out.</summary>
    public int? Peers => ReferenceEquals(Volatile.Read(ref waiting), Over) ? peers : null;

    /// <summary>It has gone out. Called once.</summary>
    public void End(int toPeers)
    {
        peers = toPeers;
        Interlocked.Exchange(ref waiting, Over)?.TrySetResult(toPeers);
    }

    /// <summary>Waits until it has gone out. Called once.</summary>
    public Task<int> WaitAsync()
    {
        var mine = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        return Interlocked.CompareExchange(ref waiting, mine, null) is null ? mine.Task : Task.FromResult(peers);
    }
}
