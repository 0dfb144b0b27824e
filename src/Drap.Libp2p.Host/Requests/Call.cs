using Drap.Libp2p.Host.Connections;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.RequestResponse;

namespace Drap.Libp2p.Host.Requests;

/// <summary>
/// Watches over one request: when nothing comes for long it asks the connection whether it lives, closes one that does not, and ends all when the time is
/// over. One deadline on the host's timer; no other cost as long as answers come in time.
/// </summary>
internal sealed class Call : Deadline, IDisposable
{
    private readonly Lock gate = new();
    private readonly ConnectionHub hub;
    private readonly RequestOptions options;
    private readonly CancellationToken ct;
    private readonly CancellationTokenRegistration registration;
    private readonly Instant until;
    private CancellationTokenSource? source;
    private TaskCompletionSource? waiting;
    private P2pStream? stream;
    private Instant probedAt;
    private bool isProbing;

    public Call(ConnectionHub hub, RequestOptions options, CancellationToken ct)
    {
        this.hub = hub;
        this.options = options;
        this.ct = ct;
        until = hub.Clock.Now + options.Timeout;
        if (ct.CanBeCanceled)
            registration = ct.UnsafeRegister(static me => ((Call)me!).End(), this);
    }

    /// <summary>Whether the time is over.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Cancelled when the time is over or the asker gives up. Made only if the stream must be waited for.</summary>
    public CancellationToken Token
    {
        get
        {
            lock (gate)
            {
                if (source is null)
                {
                    source = new CancellationTokenSource();
                    hub.Deadlines.Set(this, until);
                    if (ct.IsCancellationRequested)
                        source.Cancel();
                }
                return source.Token;
            }
        }
    }

    public void Watch(P2pStream watched)
    {
        lock (gate)
        {
            stream = watched;
            isProbing = false;
        }
        hub.Deadlines.Set(this, Instant.Min(until, hub.Clock.Now + options.SilenceAfter));
        if (IsOver || ct.IsCancellationRequested)
            End();
    }

    public void Unwatch()
    {
        lock (gate)
            stream = null;
        hub.Deadlines.Clear(this);
    }

    /// <summary>Waits so long, but not beyond the end.</summary>
    public async Task WaitAsync(TimeSpan time)
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (gate)
            waiting = done;
        hub.Deadlines.Set(this, Instant.Min(until, hub.Clock.Now + time));
        if (ct.IsCancellationRequested)
            End();
        await done.Task.ConfigureAwait(false);
    }

    public void Dispose()
    {
        hub.Deadlines.Clear(this);
        registration.Dispose();
        lock (gate)
        {
            source?.Dispose();
            source = null;
        }
    }

    internal override void Passed()
    {
        Instant now = hub.Clock.Now;
        if (now >= until)
        {
            IsOver = true;
            End();
            return;
        }
        P2pStream? watched;
        lock (gate)
        {
            waiting?.TrySetResult();
            waiting = null;
            watched = stream;
        }
        if (watched is null)
            return;
        PeerConnection connection = watched.Connection;
        if (isProbing && connection.Mux.BatchTime < probedAt)
        {
            connection.Mux.Close(CloseReason.PeerSilent, null);
            return;
        }
        // What is slow is not dead: as long as the connection answers, the request waits.
        isProbing = true;
        probedAt = now;
        connection.Mux.Probe(now);
        hub.Deadlines.Set(this, Instant.Min(until, now + options.SilenceAfter));
    }

    private void End()
    {
        P2pStream? watched;
        CancellationTokenSource? cancelled;
        lock (gate)
        {
            watched = stream;
            cancelled = source;
            waiting?.TrySetResult();
            waiting = null;
        }
        watched?.Reset();
        try
        {
            cancelled?.Cancel();
        }
        catch (ObjectDisposedException)
        {
            // The request has just ended.
        }
    }
}
