namespace Drap.Libp2p.Host.Connections;

/// <summary>
/// Tells observers what happens, one thing at a time and in order, on the thread of whoever brings the news, unless somebody tells already. Whoever opens
/// connections waits until theirs was told, so that what waits here is bounded by them.
/// </summary>
internal sealed class ObserverQueue
{
    private readonly Lock gate = new();
    private readonly Queue<(Action<IHostObserver> News, TaskCompletionSource? Told)> queue = new();
    private IHostObserver[] observers = [];
    private bool isTelling;

    public IDisposable Subscribe(IHostObserver observer)
    {
        lock (gate)
            observers = [.. observers, observer];
        return new Subscription(this, observer);
    }

    /// <summary>Puts news behind the others; the next telling tells them. May be called where a lock is held.</summary>
    public void Add(Action<IHostObserver> news, TaskCompletionSource? told = null)
    {
        lock (gate)
        {
            if (observers.Length > 0)
                queue.Enqueue((news, told));
            else
                told?.TrySetResult();
        }
    }

    /// <summary>Tells what waits, unless somebody does.</summary>
    public void Tell()
    {
        lock (gate)
        {
            if (isTelling)
                return;
            isTelling = true;
        }
        while (true)
        {
            Action<IHostObserver> news;
            TaskCompletionSource? told;
            IHostObserver[] audience;
            lock (gate)
            {
                if (!queue.TryDequeue(out (Action<IHostObserver> News, TaskCompletionSource? Told) next))
                {
                    isTelling = false;
                    return;
                }
                (news, told) = next;
                audience = observers;
            }
            foreach (IHostObserver observer in audience)
                TellOne(observer, news);
            told?.TrySetResult();
        }
    }

    // One that throws, which none may, hears nothing more: the host does not depend on it.
    private void TellOne(IHostObserver observer, Action<IHostObserver> news)
    {
        try
        {
            news(observer);
        }
        catch (Exception)
        {
            Remove(observer);
        }
    }

    private void Remove(IHostObserver observer)
    {
        lock (gate)
            observers = [.. observers.Where(o => o != observer)];
    }

    public void Post(Action<IHostObserver> news)
    {
        Add(news);
        Tell();
    }

    private sealed class Subscription(ObserverQueue queue, IHostObserver observer) : IDisposable
    {
        public void Dispose() => queue.Remove(observer);
    }
}
