namespace Drap.Node.Overlay.Kept;

/// <summary>Wakes the one who waits, or the next one to. Thread-safe.</summary>
internal sealed class Signal
{
    private readonly Lock gate = new();
    private TaskCompletionSource? waiting;
    private bool isSet;

    public void Set()
    {
        TaskCompletionSource? woken;
        lock (gate)
        {
            woken = waiting;
            waiting = null;
            isSet = woken is null;
        }
        woken?.TrySetResult();
    }

    public Task WaitAsync(CancellationToken cancel = default)
    {
        lock (gate)
        {
            if (isSet)
            {
                isSet = false;
                return Task.CompletedTask;
            }
            waiting ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return cancel.CanBeCanceled ? waiting.Task.WaitAsync(cancel) : waiting.Task;
        }
    }
}
