using System.Threading.Tasks.Sources;

namespace Drap.Libp2p.Host.Streams;

/// <summary>A stream's write that waits for credit or for the connection; one a stream, used again for each. Belongs to the connection's lock as its counterpart does.</summary>
internal sealed class PendingWrite(P2pStream stream) : IValueTaskSource
{
    private readonly P2pStream stream = stream;
    private ManualResetValueTaskSourceCore<bool> core;
    private CancellationTokenRegistration registration;

    /// <summary>What is still to be written; it stays where the caller has it.</summary>
    public ReadOnlyMemory<byte> Rest;
    public CancellationToken Token;
    public bool IsWaiting, IsCancelled, ClosesAfter;

    public ValueTask Begin(ReadOnlyMemory<byte> rest, bool closesAfter, CancellationToken token)
    {
        core.Reset();
        Rest = rest;
        ClosesAfter = closesAfter;
        IsCancelled = false;
        Token = token;
        IsWaiting = true;
        return new ValueTask(this, core.Version);
    }

    /// <summary>Outside the lock, before the write is given to its caller.</summary>
    public void CancelByToken()
    {
        if (Token.CanBeCanceled)
            registration = Token.UnsafeRegister(static me => ((PendingWrite)me!).stream.CancelWrite(), this);
    }

    /// <summary>Outside the lock: the writer goes on, here.</summary>
    public void Finish(Exception? failure)
    {
        Rest = default;
        if (failure is null)
            core.SetResult(true);
        else
            core.SetException(failure);
    }

    void IValueTaskSource.GetResult(short token)
    {
        registration.Dispose();
        registration = default;
        core.GetResult(token);
    }

    ValueTaskSourceStatus IValueTaskSource.GetStatus(short token) => core.GetStatus(token);

    void IValueTaskSource.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        core.OnCompleted(continuation, state, token, flags);
}
