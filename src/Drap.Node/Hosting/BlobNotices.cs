using Drap.Node.Overlay;
using Drap.Node.Service;

namespace Drap.Node.Hosting;

/// <summary>Says in the swarm's DHT what a node's user keeps, so that others find it by its name (<c>drap data get</c>, <c>ipfs://</c> inputs).</summary>
internal sealed class BlobNotices : IAsyncDisposable
{
    /// <summary>Contents that are said; each is a record at some twenty nodes that is said again each half day. What was kept first is said first.</summary>
    private const int SaidMax = 1000;

    /// <summary>How often it is looked what is kept, and what nobody heard is said again.</summary>
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(2);

    private readonly BlobDesk desk;
    private readonly IOverlay overlay;
    private readonly CancellationTokenSource stop = new();
    private readonly Task running;

    /// <summary>Begins to say it.</summary>
    public BlobNotices(BlobDesk desk, IOverlay overlay)
    {
        (this.desk, this.overlay) = (desk, overlay);
        running = RunAsync();
    }

    /// <summary>Says nothing more; what was said lapses.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync().ConfigureAwait(false);
        await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        stop.Dispose();
    }

    private async Task RunAsync()
    {
        var said = new HashSet<Cid>();
        using var timer = new PeriodicTimer(Every);
        while (await timer.WaitForNextTickAsync(stop.Token).ConfigureAwait(false))
        {
            HashSet<Cid> kept = [.. desk.Kept().Take(SaidMax)];
            foreach (Cid gone in said.Except(kept).ToArray())
            {
                overlay.StopProviding(gone);
                said.Remove(gone);
            }
            foreach (Cid cid in kept.Except(said).ToArray())
                if (await overlay.ProvideAsync(cid, stop.Token).ConfigureAwait(false))
                    said.Add(cid);
        }
    }
}
