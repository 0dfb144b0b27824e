namespace Drap.Node.Overlay.Frames;

/// <summary>
/// Waits for readers whose node has no room: a node says so only to a thread that stands still, so one does for all of them. It is made when it is
/// first needed.
/// </summary>
internal sealed class RoomKeeper(IOverlayEvents events, CancellationToken left)
{
    private readonly object gate = new();
    private List<TaskCompletionSource> waiting = [];
    private bool isRunning;

    /// <summary>Gives a frame to the node as soon as it takes it.</summary>
    public async ValueTask DeliverAsync(PeerId from, ReadOnlyMemory<byte> frame)
    {
        do
        {
            left.ThrowIfCancellationRequested();
            var room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            lock (gate)
            {
                waiting.Add(room);
                if (!isRunning)
                {
                    isRunning = true;
                    new Thread(Run) { Name = "overlay room", IsBackground = true }.Start();
                }
                Monitor.Pulse(gate);
            }
            await room.Task.WaitAsync(left).ConfigureAwait(false);
        }
        while (!events.Frame(from, frame));
    }

    /// <summary>Lets the thread go; after the token was cancelled.</summary>
    public void Stop()
    {
        lock (gate)
            Monitor.Pulse(gate);
    }

    private void Run()
    {
        while (true)
        {
            List<TaskCompletionSource> woken;
            lock (gate)
            {
                while (waiting.Count == 0 && !left.IsCancellationRequested)
                    Monitor.Wait(gate);
                if (left.IsCancellationRequested)
                    return;
            }
            events.WaitForRoom();
            lock (gate)
            {
                woken = waiting;
                waiting = [];
            }
            foreach (TaskCompletionSource room in woken)
                room.TrySetResult();
        }
    }
}
