using System.Net.Sockets;
using System.Threading.Tasks.Sources;

namespace Drap.Libp2p.Host.Polling;

/// <summary>
/// Whether one way of a socket may have become ready since it was found not to be, and who waits for that: one at a time. It may say so in vain; whoever hears
/// it tries, and waits again.
/// </summary>
internal sealed class Readiness : IValueTaskSource<int>, IThreadPoolWorkItem
{
    private const int Unknown = 0, Ready = 1, WaitedFor = 2, Over = 3, Closed = 4;

    private ManualResetValueTaskSourceCore<int> core;
    private int state;
    private bool goesOnHere;

    /// <summary>
    /// Waits; always 0. Only for who has read or written less than he wanted since the last time: what was ready before is not told again. With <paramref name="here"/> whoever waits goes on on the poller's thread if that has nothing else to do: he must not run what others wrote
    /// there, but by <see cref="Poller.MayLend"/>.
    /// </summary>
    /// <exception cref="SocketException">The socket is closed.</exception>
    public ValueTask<int> WaitAsync(bool here)
    {
        core.Reset();
        goesOnHere = here;
        int was = Interlocked.CompareExchange(ref state, WaitedFor, Unknown);
        if (was == Unknown)
            return new ValueTask<int>(this, core.Version);
        if (was == Ready)
            was = Interlocked.CompareExchange(ref state, Unknown, Ready);
        if (was is Ready or Over)
            return new ValueTask<int>(0);
        return ValueTask.FromException<int>(new SocketException((int)SocketError.OperationAborted));
    }

    /// <summary>It may be ready; if it is over, it stays so: the end may have come together with the last bytes.</summary>
    public void Happened(bool isOver, bool mayGoOnHere)
    {
        while (true)
        {
            int was = Volatile.Read(ref state);
            if (was is Over or Closed)
                return;
            if (Interlocked.CompareExchange(ref state, isOver ? Over : was == WaitedFor ? Unknown : Ready, was) != was)
                continue;
            if (was != WaitedFor)
                return;
            if (mayGoOnHere && goesOnHere)
                core.SetResult(0);
            else
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
            return;
        }
    }

    /// <summary>It is closed: whoever waits goes on, and fails when he tries.</summary>
    public void Close()
    {
        if (Interlocked.Exchange(ref state, Closed) == WaitedFor)
            ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute() => core.SetResult(0);

    int IValueTaskSource<int>.GetResult(short token) => core.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => core.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        core.OnCompleted(continuation, state, token, flags);
}
