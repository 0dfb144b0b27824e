using Drap.Libp2p.Daemon;
using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Daemon;

namespace Drap.Node.Overlay.P2pd;

/// <summary>A topic that a daemon's node hears for us; when the daemon ends the subscription it is begun again at once.</summary>
internal sealed class DaemonTopic(DaemonClient daemon, string topic, Action<PubsubMessage> deliver) : IAsyncDisposable
{
    /// <summary>The pause after one that ended as soon as it had begun.</summary>
    private static readonly TimeSpan AgainAfter = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource stopping = new();
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Start() => _ = RunAsync();

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        await ended.Task.ConfigureAwait(false);
        stopping.Dispose();
    }

    private async Task RunAsync()
    {
        CancellationToken stopped = stopping.Token;
        while (!stopped.IsCancellationRequested)
        {
            long begun = Environment.TickCount64;
            try
            {
                using DaemonSubscription subscription = await daemon.SubscribeAsync(topic, stopped).ConfigureAwait(false);
                while (await subscription.NextAsync(stopped).ConfigureAwait(false) is { } message)
                    deliver(message);
            }
            catch (Exception failure) when (failure is Libp2pException or OperationCanceledException)
            {
                // The daemon is away, or we are to stop.
            }
            // One that stood for long is missed at once: js-libp2p's daemon ends a subscription on which nothing came for two minutes.
            if (Environment.TickCount64 - begun < AgainAfter.TotalMilliseconds)
                await Task.Delay(AgainAfter, stopped).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        ended.TrySetResult();
    }
}
