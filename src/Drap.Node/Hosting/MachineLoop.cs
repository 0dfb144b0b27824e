using System.Diagnostics.CodeAnalysis;
using Drap.Node.Time;

namespace Drap.Node.Hosting;

/// <summary>
/// One thread that owns one machine: it takes all inputs that wait, lets the machine step through them, performs what it wants, and
/// sleeps until an input or the machine's deadline. Everyone else reaches the machine through <see cref="Post"/>.
/// </summary>
/// <typeparam name="TItem">What waits in the queue.</typeparam>
internal sealed class MachineLoop<TItem> : IDisposable
{
    private readonly object gate = new();
    private readonly int capacity;
    private readonly Action<List<TItem>> run;
    private readonly Action<Exception> failed;
    private readonly Wakeup wakeup;
    private readonly Thread thread;
    private List<TItem> waiting = [];
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
    public void Start() => thread.Start();

    /// <summary>Puts in what is bounded elsewhere: ends of attempts, answers of the journal, requests of the API.</summary>
    public void Post(TItem item)
    {
        lock (gate)
        {
            waiting.Add(item);
            if (waiting.Count == 1)
                Monitor.PulseAll(gate);
        }
    }

    /// <summary>Puts in a message; false when the queue is full or the loop has ended.</summary>
    public bool TryPost(TItem item)
    {
        lock (gate)
        {
            if (waiting.Count >= capacity || isStopping)
                return false;
            waiting.Add(item);
            if (waiting.Count == 1)
                Monitor.PulseAll(gate);
            return true;
        }
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

    /// <summary>Ends the loop after the batch under way, and waits for it unless called on its own thread.</summary>
    public void Dispose()
    {
        lock (gate)
        {
            isStopping = true;
            Monitor.PulseAll(gate);
        }
        if (thread != Thread.CurrentThread && thread.ThreadState != ThreadState.Unstarted)
            thread.Join();
        wakeup.Dispose();
    }

    private void OnDue()
    {
        lock (gate)
        {
            isDue = true;
            Monitor.PulseAll(gate);
        }
    }

    [SuppressMessage("Design", "CA1031:Do not catch general exception types", Justification = "the loop's edge: whatever broke the machine ends its owner")]
    private void Run()
    {
        List<TItem> batch = [];
        try
        {
            while (Take(ref batch))
            {
                run(batch);
                batch.Clear();
            }
        }
        catch (Exception e)
        {
            lock (gate)
            {
                isStopping = true;
                Monitor.PulseAll(gate);
            }
            failed(e);
        }
    }

    private bool Take(ref List<TItem> batch)
    {
        lock (gate)
        {
            while (waiting.Count == 0 && !isDue && !isStopping)
                Monitor.Wait(gate);
            if (isStopping)
                return false;
            isDue = false;
            bool wasFull = waiting.Count >= capacity;
            (batch, waiting) = (waiting, batch);
            if (wasFull)
                Monitor.PulseAll(gate);
            return true;
        }
    }
}
