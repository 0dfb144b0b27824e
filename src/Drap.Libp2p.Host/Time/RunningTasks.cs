namespace Drap.Libp2p.Host.Time;

/// <summary>Work that runs beside its owner, counted so that the owner can wait for its end.</summary>
internal sealed class RunningTasks
{
    private readonly TaskCompletionSource drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int running = 1;

    /// <summary>Runs work, which must not throw, on this thread as far as it goes without waiting.</summary>
    public void Run(Func<Task> work)
    {
        Interlocked.Increment(ref running);
        Task task = RunCounted(work);
        Invariant.Check(!task.IsFaulted);
    }

    /// <summary>Ends when all has ended. Nothing is to be begun after this.</summary>
    public Task DrainAsync()
    {
        End();
        return drained.Task;
    }

    /// <summary>As <see cref="Run"/>, for work that counts itself: each of these calls one of <see cref="End"/>.</summary>
    public void Begin() => Interlocked.Increment(ref running);

    public void End()
    {
        if (Interlocked.Decrement(ref running) == 0)
            drained.TrySetResult();
    }

    private async Task RunCounted(Func<Task> work)
    {
        try
        {
            await work().ConfigureAwait(false);
        }
        finally
        {
            End();
        }
    }
}
