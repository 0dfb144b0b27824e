using Drap.Core.Journal;
using Drap.Core.Nodes;
using Drap.Node.Time;
using Microsoft.Extensions.Logging;

namespace Drap.Node.Hosting;

/// <summary>
/// Keeps on disk what a worker must not forget: results that wait for their scheduler, and the schedulers' epochs. What finds no room stays in memory, the
/// machine is told that it shall offer nothing, and it is tried again until there is room. Used by the thread that steps the machine, save for
/// <see cref="Degrade"/>.
/// </summary>
internal sealed class OutboxKeeper : IDisposable
{
    /// <summary>Results in one file: at their usual 200 bytes a fifth of a megabyte.</summary>
    private const int TogetherMax = 1024;

    // As much as a home's scheduler wants to have beside its reserve before it takes new work.
    private const long RoomMin = 8 << 20;

    private static readonly TimeSpan TriedAgain = TimeSpan.FromSeconds(1);

    private readonly string name;
    private readonly WorkerFolder folder;
    private readonly ILogger logger;
    private readonly Action<WorkerInput> tell;
    private readonly List<StoredResult> toStore = [];
    private readonly Dictionary<AttemptId, StoredResult> unstored = [];
    private readonly Wakeup again;

    /// <summary>A keeper of what a worker says.</summary>
    /// <param name="name">The worker's, for its lines.</param>
    /// <param name="folder">Where it is kept.</param>
    /// <param name="clock">For trying again.</param>
    /// <param name="logger">For its lines.</param>
    /// <param name="tell">Puts an input into the machine's queue.</param>
    /// <param name="post">Has something done by the thread that steps the machine.</param>
    public OutboxKeeper(string name, WorkerFolder folder, BootClock clock, ILogger logger, Action<WorkerInput> tell, Action<Action> post)
    {
        this.name = name;
        this.folder = folder;
        this.logger = logger;
        this.tell = tell;
        again = clock.CreateWakeup(() => post(StoreAgain));
    }

    /// <summary>Takes a result, which is safe when <see cref="StoreAll"/> has returned.</summary>
    public void Add(StoredResult result)
    {
        if (toStore.Count == TogetherMax)
            StoreAll();
        toStore.Add(result);
    }

    /// <summary>Stores what was ordered in a row together, which costs one sync; before anything else is performed.</summary>
    public void StoreAll()
    {
        if (toStore.Count == 0)
            return;
        if (!TryStore(() => folder.Store(toStore)))
            foreach (StoredResult result in toStore)
                unstored[result.Result.Attempt] = result;
        toStore.Clear();
    }

    /// <summary>Lets a result go.</summary>
    public void Drop(AttemptId attempt)
    {
        if (!unstored.Remove(attempt))
            folder.Drop(attempt);
    }

    /// <summary>Keeps the highest epoch of a scheduler.</summary>
    public void StoreEpoch(PeerId scheduler, Epoch epoch) => TryStore(() => folder.StoreEpoch(scheduler, epoch));

    /// <summary>Lets the epoch of a scheduler go.</summary>
    public void DropEpoch(PeerId scheduler) => TryStore(() => folder.DropEpoch(scheduler));

    /// <summary>The worker offers nothing until all that waits could be stored. Any thread may say so.</summary>
    public void Degrade(string why)
    {
        tell(new WorkerInput.Degraded(why));
        TryLater();
    }

    public void Dispose() => again.Dispose();

    private bool TryStore(Action store)
    {
        try
        {
            store();
            return true;
        }
        catch (Exception e) when (IsOfStorage(e))
        {
            HostLog.OutboxFailed(logger, name, e.Message);
            Degrade($"cannot write its state folder: {e.Message}");
            return false;
        }
    }

    private void StoreAgain()
    {
        try
        {
            if (folder.FreeBytes < RoomMin)
                throw new IOException("the disk is full");
            folder.StoreEpochs();
            foreach (StoredResult[] part in unstored.Values.Chunk(TogetherMax))
                folder.Store(part);
            unstored.Clear();
            HostLog.Recovered(logger, name);
            tell(new WorkerInput.Recovered());
        }
        catch (Exception e) when (IsOfStorage(e))
        {
            TryLater();
        }
    }

    private void TryLater() => again.Arm(BootClock.Now + TriedAgain);

    private static bool IsOfStorage(Exception e) => e is IOException or UnauthorizedAccessException or JournalStorageException;
}
