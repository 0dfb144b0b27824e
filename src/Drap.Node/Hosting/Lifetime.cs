namespace Drap.Node.Hosting;

/// <summary>The one life of what a process keeps up: it ends once, whoever asks for it, and everybody hears of it; or a fault of its own ends it.</summary>
internal sealed class Lifetime
{
    private readonly TaskCompletionSource completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int isEnding;

    /// <summary>Completes when it has ended; with the fault, if one of its own ended it.</summary>
    public Task Completion => completion.Task;

    /// <summary>A fault ends it; the first one counts.</summary>
    public void Fail(Exception fault) => completion.TrySetException(fault);

    /// <summary>Ends it by <paramref name="end"/>; whoever comes later waits for that.</summary>
    public async ValueTask EndAsync(Func<Task> end)
    {
        if (Interlocked.Exchange(ref isEnding, 1) != 0)
        {
            await Completion.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return;
        }
        await end().ConfigureAwait(false);
        completion.TrySetResult();
    }
}
