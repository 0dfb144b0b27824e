using System.Runtime.InteropServices;
using Drap.Core.Journal;

namespace Drap.Node.Storage;

/// <summary>
/// The thread that owns a log's writing side: it writes what was submitted, syncs, and tells the listener; what is submitted meanwhile
/// makes the next group. A snapshot is written by a thread of its own, beside the groups, and put in place between two of them.
/// </summary>
/// <remarks>
/// It owns the log and the storage's use, and disposes of the log. The owner keeps the limits: it takes a batch only while
/// <see cref="HasRoom"/>, and input only while its buffer has room; so at most <see cref="JournalLimits.PendingBytesMax"/> and one batch are
/// under way.
/// </remarks>
public sealed class JournalThread : IDisposable
{
    /// <summary>While the disk is full, whether there is room again is looked at this often.</summary>
    private static readonly TimeSpan LooksForRoom = TimeSpan.FromSeconds(1);

    private readonly IJournalStorage storage;
    private readonly ReservedStorage? reserved;
    private readonly JournalLog log;
    private readonly IJournalListener listener;
    private readonly Thread thread;

    // Shared with the callers, under the gate.
    private readonly object gate = new();
    private List<JournalBatch> waiting = [];
    private long bytesUnderWay;
    private Thread? snapshotThread;
    private (JournalSnapshot Snapshot, JournalException? Failure)? snapshotResult;
    private bool isStopping;
    private bool hasEnded;

    public JournalThread(IJournalStorage storage, JournalLog log, IJournalListener listener)
    {
        this.storage = storage;
        this.log = log;
        this.listener = listener;
        reserved = storage as ReservedStorage;
        reserved?.MayTryAgain = WaitForRoom;
        thread = new Thread(Run) { Name = "journal", IsBackground = true };
        thread.Start();
    }

    /// <summary>Whether the owner may submit another batch; else it waits for the next <see cref="IJournalListener.Committed"/>.</summary>
    public bool HasRoom
    {
        get
        {
            lock (gate)
                return bytesUnderWay < JournalLimits.PendingBytesMax;
        }
    }

    /// <summary>Hands a batch over, in order. After a failure, which the listener has heard of or will, it is dropped.</summary>
    public void Submit(JournalBatch batch)
    {
        lock (gate)
        {
            if (hasEnded || isStopping)
                return;
            bytesUnderWay += batch.Bytes;
            Invariant.Check(bytesUnderWay <= JournalLimits.GroupBytesMax);
            waiting.Add(batch);
            Monitor.Pulse(gate);
        }
    }

    /// <summary>Hands a snapshot over, after its records. False, and it is dropped, while an earlier one is being written.</summary>
    public bool Submit(JournalSnapshot snapshot)
    {
        lock (gate)
        {
            if (hasEnded || isStopping || snapshotThread is not null)
                return false;
            snapshotThread = new Thread(() => WriteSnapshot(snapshot)) { Name = "journal snapshot", IsBackground = true };
            snapshotThread.Start();
            return true;
        }
    }

    /// <summary>Writes what was submitted, ends the thread and closes the log. A snapshot that is not finished by then is dropped.</summary>
    public void Dispose()
    {
        Thread? snapshotting;
        lock (gate)
        {
            isStopping = true;
            snapshotting = snapshotThread;
            Monitor.Pulse(gate);
        }
        thread.Join();
        snapshotting?.Join();
        log.Dispose();
    }

    private void Run()
    {
        List<JournalBatch> group = [];
        try
        {
            while (Take(ref group, out var snapshot))
            {
                if (group.Count > 0)
                    Write(group);
                if (snapshot is { } result)
                    Install(result.Snapshot, result.Failure);
            }
        }
        catch (Exception e)
        {
            End();
            listener.Failed(e as JournalException ?? new JournalFailedException(log.DurableSequence, e));
        }
        End();
    }

    /// <summary>
    /// Waits for work: all that was submitted, or a snapshot whose records are safe; false when there is none and will be none.
    /// </summary>
    private bool Take(ref List<JournalBatch> group, out (JournalSnapshot Snapshot, JournalException? Failure)? snapshot)
    {
        lock (gate)
        {
            while (true)
            {
                snapshot = null;
                if (snapshotResult is { } result && (result.Failure is not null || result.Snapshot.Sequence <= log.DurableSequence))
                    (snapshot, snapshotResult, snapshotThread) = (result, null, null);
                if (waiting.Count > 0 || snapshot is not null)
                    break;
                if (isStopping)
                    return false;
                if (reserved is { IsShort: true })
                    LookForRoom(reserved);
                else
                    Monitor.Wait(gate);
            }
            (group, waiting) = (waiting, group);
            return true;
        }
    }

    /// <summary>Under the gate, which it leaves while it looks: whoever hands something over does not wait for the disk.</summary>
    private void LookForRoom(ReservedStorage full)
    {
        Monitor.Exit(gate);
        try
        {
            full.Look();
        }
        finally
        {
            Monitor.Enter(gate);
        }
        if (waiting.Count == 0 && !isStopping)
            Monitor.Wait(gate, LooksForRoom);
    }

    /// <summary>A write found no room, not even in the reserve: it waits for some, on this thread, until the journal is closed.</summary>
    private bool WaitForRoom()
    {
        lock (gate)
        {
            if (!isStopping)
                Monitor.Wait(gate, LooksForRoom);
            return !isStopping;
        }
    }

    private void Write(List<JournalBatch> group)
    {
        long bytes = 0;
        foreach (JournalBatch batch in group)
            bytes += batch.Bytes;
        long sequence = log.Write(CollectionsMarshal.AsSpan(group));
        group.Clear();
        lock (gate)
            bytesUnderWay -= bytes;
        listener.Committed(sequence);
    }

    private void Install(JournalSnapshot snapshot, JournalException? failure)
    {
        if (failure is not null)
        {
            listener.SnapshotFailed(snapshot.Sequence, failure);
            return;
        }
        log.Install(snapshot);
        listener.SnapshotInstalled(snapshot.Sequence);
    }

    private void WriteSnapshot(JournalSnapshot snapshot)
    {
        JournalException? failure = null;
        try
        {
            snapshot.WriteTo(storage);
        }
        catch (JournalStorageException e)
        {
            failure = e;
        }
        lock (gate)
        {
            snapshotResult = (snapshot, failure);
            Monitor.Pulse(gate);
        }
    }

    private void End()
    {
        lock (gate)
        {
            hasEnded = true;
            waiting.Clear();
        }
    }
}
