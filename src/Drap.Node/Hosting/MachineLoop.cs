using System.Diagnostics.CodeAnalysis;
using Drap.Node.Time;

namespace Drap.Node.Hosting;

/// <summary>
/// Owns one machine: takes all inputs that wait, lets the machine step through them, performs what it wants, and sleeps until an input or
/// the machine's deadline. One thread at a time steps the machine: the loop's own, or one that brings an input by <see cref="Hand"/> while
/// the machine rests, which spares two changes of thread. Everyone else reaches it through <see cref="Post"/>.
/// </summary>
/// <typeparam name="TItem">What waits in the queue.</typeparam>
internal sealed class MachineLoop<TItem> : IDisposable
{
    /// <summary>Batches that a visitor steps at most before the loop's own thread goes on: it has work of its own.</summary>
    private const int VisitMax = 4;

    private readonly object gate = new();
    private readonly int capacity;
    private readonly Action<List<TItem>> run;
    private readonly Action<Exception> failed;
    private readonly Wakeup wakeup;
    private readonly Thread thread;
    private List<TItem> waiting = [], spare = [];
    private Thread? stepping;
    private bool isStarted;
    private bool isDue;
    private bool isStopping;

    /// <summary>A loop that is not running yet.</summary>
    /// <param name="name">The thread's name.</param>
    /// <param name="capacity">Messages from others that may wait; more are refused, which the protocol bears.</param>
    /// <param name="clock">For the machine's deadlines.</param>
    /// <param name="run">Steps through a batch, which may be empty at a deadline, and performs; on the loop's thread.</param>
    /// <param name="failed">The machine broke: a bug of ours, or a journal that failed. The loop has ended.</param>
    public MachineLoop(string name, int capacity, BootClock clock, Action<List<TItem>> run, Action<Exception> failed)
    {
        this.capacity = capacity;
        this.run = run;
        this.failed = failed;
        wakeup = clock.CreateWakeup(OnDue);
        thread = new Thread(Run) { Name = name, IsBackground = true };
    }

    /// <summary>Begins to run.</summary>
    public void Start()
    {
        lock (gate)
            isStarted = true;
        thread.Start();
    }

    /// <summary>Puts in what is bounded elsewhere: ends of attempts, answers of the journal, requests of the API.</summary>
    public void Post(TItem item)
    {
        lock (gate)
            Add(item);
    }

    /// <summary>Puts in a message; false when the queue is full or the loop has ended.</summary>
    public bool TryPost(TItem item)
    {
        lock (gate)
        {
            if (waiting.Count >= capacity || isStopping)
                return false;
            Add(item);
            return true;
        }
    }

    /// <summary>
    /// As <see cref="Post"/>, several at once, and steps the machine here and now unless somebody does already; then that one will see
    /// them. The caller must hold no lock that performing could need.
    /// </summary>
    public void Hand(ReadOnlySpan<TItem> items)
    {
        lock (gate)
        {
            waiting.AddRange(items);
            if (stepping is not null || isStopping || !isStarted)
                return;
            stepping = Thread.CurrentThread;
        }
        Visit();
    }

    /// <summary>As <see cref="Hand"/> for frames of one peer, of which it takes the first ones for which there is room; says how many.</summary>
    public int TryHand(PeerId from, ReadOnlySpan<ReadOnlyMemory<byte>> frames, Func<PeerId, ReadOnlyMemory<byte>, TItem> item)
    {
        int taken;
        lock (gate)
        {
            taken = isStopping ? 0 : Math.Clamp(capacity - waiting.Count, 0, frames.Length);
            foreach (ReadOnlyMemory<byte> frame in frames[..taken])
                waiting.Add(item(from, frame));
            if (taken == 0 || stepping is not null || !isStarted)
                return taken;
            stepping = Thread.CurrentThread;
        }
        Visit();
        return taken;
    }

    /// <summary>Waits until <see cref="TryPost"/> would take something, or the loop ends.</summary>
    public void WaitForRoom()
    {
        lock (gate)
            while (waiting.Count >= capacity && !isStopping)
                Monitor.Wait(gate);
    }

    /// <summary>Sets when the machine wants to be looked at next; on the loop's thread.</summary>
    public void WakeAt(Instant at) => wakeup.Arm(at);

    /// <summary>Ends the loop after the batch under way, and waits for it unless called from within it.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isStopping = true;
            Monitor.PulseAll(gate);
            while (stepping is not null && stepping != Thread.CurrentThread)
                Monitor.Wait(gate);
        }
        if (isStarted && thread != Thread.CurrentThread)
            thread.Join();
        wakeup.Dispose();
    }

    private void Add(TItem item)
    {
        waiting.Add(item);
        if (waiting.Count == 1 && stepping is null)
            Monitor.PulseAll(gate);
    }

    private void OnDue()
    {
        lock (gate)
        {
            isDue = true;
            Monitor.PulseAll(gate);
        }
    }

    private void Run()
    {
        while (Take() is { } batch && TryRun(batch))
        {
        }
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "the loop's edge: whatever broke the machine ends its owner")]
    private bool TryRun(List<TItem> batch)
    {
        try
        {
            run(batch);
            batch.Clear();
            return true;
        }
        catch (Exception e)
        {
            lock (gate)
            {
                isStopping = true;
                Rest();
            }
            failed(e);
            return false;
        }
    }

    private void Visit()
    {
        for (int i = 0; TakeMore(isLast: i == VisitMax) is { } batch && TryRun(batch); i++)
        {
        }
    }

    /// <summary>For the loop's own thread: the next batch, once there is one and nobody else steps; null at the end.</summary>
    private List<TItem>? Take()
    {
        lock (gate)
        {
            if (stepping == Thread.CurrentThread)
                Rest();
            while (stepping is not null || (waiting.Count == 0 && !isDue && !isStopping))
                Monitor.Wait(gate);
            if (isStopping)
                return null;
            stepping = Thread.CurrentThread;
            isDue = false;
            return Swap();
        }
    }

    /// <summary>For a visitor: the next batch, or null when none waits; then, and after its last, the loop's own thread goes on.</summary>
    private List<TItem>? TakeMore(bool isLast)
    {
        lock (gate)
        {
            if (waiting.Count > 0 && !isLast && !isStopping)
                return Swap();
            Rest();
            return null;
        }
    }

    private List<TItem> Swap()
    {
        bool wasFull = waiting.Count >= capacity;
        (spare, waiting) = (waiting, spare);
        if (wasFull)
            Monitor.PulseAll(gate);
        return spare;
    }

    private void Rest()
    {
        stepping = null;
        if (waiting.Count > 0 || isDue || isStopping)
            Monitor.PulseAll(gate);
    }
}
