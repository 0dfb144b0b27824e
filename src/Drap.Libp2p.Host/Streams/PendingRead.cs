using System.Threading.Tasks.Sources;

namespace Drap.Libp2p.Host.Streams;

/// <summary>A stream's read that waits; one a stream, used again for each. All but the source's own members belong to the connection's lock.</summary>
internal sealed class PendingRead(P2pStream stream) : IValueTaskSource<int>
{
    private readonly P2pStream stream = stream;
    private ManualResetValueTaskSourceCore<int> core;
    private CancellationTokenRegistration registration;

    public Memory<byte> Buffer;
    public int Filled;
    public CancellationToken Token;
    public bool IsWaiting, IsCancelled;

    public ValueTask<int> Begin(Memory<byte> buffer, CancellationToken token)
    {
        core.Reset();
        Buffer = buffer;
        Filled = 0;
        IsCancelled = false;
        Token = token;
        IsWaiting = true;
        return new ValueTask<int>(this, core.Version);
    }

    /// <summary>Outside the lock, before the read is given to its caller.</summary>
    public void CancelByToken()
    {
        if (Token.CanBeCanceled)
            registration = Token.UnsafeRegister(static me => ((PendingRead)me!).stream.CancelRead(), this);
    }

    /// <summary>Outside the lock: the reader goes on, here.</summary>
    public void Finish(Exception? failure)
    {
        Buffer = default;
        if (failure is null)
            core.SetResult(Filled);
        else
            core.SetException(failure);
    }


    int IValueTaskSource<int>.GetResult(short token)
    {
        registration.Dispose();
        registration = default;
        return core.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => core.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        core.OnCompleted(continuation, state, token, flags);
}
