using System.Runtime.CompilerServices;
using Drap.Libp2p.Host.Polling;

namespace Drap.Libp2p.Host.Streams;

/// <summary>
/// What a loop awaits when it has found work for others and nothing more for itself: as soon as the waiting is set up, and so the loop out of the way, its
/// thread does that work. Put into the pool's queue instead, the work would wake another thread to compete for it with this one, which is about to be free.
/// </summary>
/// <remarks>The loop may go on, on another thread, while the work is done: it waits for nothing that the work does.</remarks>
internal readonly struct Meanwhile(ValueTask<int> waited, IThreadPoolWorkItem? work) : ICriticalNotifyCompletion
{
    private readonly ConfiguredValueTaskAwaitable<int>.ConfiguredValueTaskAwaiter awaiter = waited.ConfigureAwait(false).GetAwaiter();
    private readonly IThreadPoolWorkItem? work = work;

    /// <summary>False while there is work: what is waited for may have come just now.</summary>
    public bool IsCompleted => work is null && awaiter.IsCompleted;

    /// <summary>Waits; the work is the pool's if there is nothing to wait for.</summary>
    public static Meanwhile Await(ValueTask<int> waited, IThreadPoolWorkItem? work)
    {
        if (work is not null && waited.IsCompleted)
        {
            ThreadPool.UnsafeQueueUserWorkItem(work, preferLocal: true);
            work = null;
        }
        return new Meanwhile(waited, work);
    }

    public Meanwhile GetAwaiter() => this;

    public int GetResult() => awaiter.GetResult();

    public void OnCompleted(Action continuation) => throw new NotSupportedException("awaited by the compiler, which takes the other one");

    public void UnsafeOnCompleted(Action continuation)
    {
        IThreadPoolWorkItem? mine = work;
        awaiter.UnsafeOnCompleted(continuation);
        if (mine is null)
            return;
        if (Poller.MayLend)
            mine.Execute();
        else
            ThreadPool.UnsafeQueueUserWorkItem(mine, preferLocal: false);
    }
}
