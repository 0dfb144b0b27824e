using Drap.Libp2p.Host.Time;

namespace Drap.Libp2p.Host;

/// <summary>
/// What every service beside a host has: a lock for its machine, one deadline, the connections it hears of, work that it runs, and an end that waits for all of it.
/// </summary>
internal sealed class BesideHost : IAsyncDisposable
{
    private readonly Libp2pHost host;
    private readonly RunningTasks running = new();
    private readonly CancellationTokenSource stopping = new();
    private readonly CallAt deadline;
    private IDisposable? observing;

    /// <summary>Nothing happens before <see cref="Observe"/> or <see cref="WakeAt"/>.</summary>
    /// <param name="host">The host.</param>
    /// <param name="due">The deadline has come; never within the call that set it. Must not throw.</param>
    public BesideHost(Libp2pHost host, Action due)
    {
        this.host = host;
        deadline = new CallAt(() => running.Run(async () =>
        {
            await Task.Yield();
            due();
        }));
    }

    /// <summary>Held while the machine takes a step.</summary>
    public Lock Gate { get; } = new();

    /// <summary>Whether the end has begun: then no step is taken. Under <see cref="Gate"/>.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>Cancelled when the end begins.</summary>
    public CancellationToken Stopping => stopping.Token;

    public Instant Now => host.Hub.Clock.Now;

    /// <summary>Hears of connections from now on.</summary>
    public void Observe(IHostObserver by) => observing = host.Observe(by);

    /// <summary>Sets when the machine wants to be looked at.</summary>
    public void WakeAt(Instant at) => host.Hub.Deadlines.Set(deadline, at);

    /// <summary>Runs work beside, which must not throw.</summary>
    public void Run(Func<Task> work) => running.Run(work);

    /// <summary>Begins the end; false if it has begun before. What else must not be touched any more is let go of in <paramref name="last"/>, under <see cref="Gate"/>.</summary>
    public bool TryStop(Action? last = null)
    {
        lock (Gate)
        {
            if (IsStopped)
                return false;
            IsStopped = true;
            last?.Invoke();
        }
        observing?.Dispose();
        host.Hub.Deadlines.Clear(deadline);
        stopping.Cancel();
        return true;
    }

    /// <summary>Waits until nothing runs any more; after <see cref="TryStop"/>.</summary>
    public async ValueTask DisposeAsync()
    {
        await running.DrainAsync().ConfigureAwait(false);
        stopping.Dispose();
    }
}
