using Drap.Core.Journal;

namespace Drap.Simulator.Storage;

/// <summary>
/// Drives a log in virtual time as the node's journal thread does in real time: a group is all that was submitted while the one before
/// was under way, and each takes <paramref name="syncTime"/>. A crash of the storage comes out of the simulation's step.
/// </summary>
public sealed class SimulatedJournal(
    Simulation simulation, IJournalStorage storage, JournalLog log, IJournalListener listener, TimeSpan syncTime)
{
    // A new segment's zeros, and more than its header and what is carried over.
    private const long SegmentBytesMin = 320 << 10;

    private static readonly TimeSpan RoomTime = TimeSpan.FromSeconds(1);

    private readonly List<JournalBatch> waiting = [];
    private JournalSnapshot? snapshot;
    private SimulatedEvent? underWay;
    private bool isStopped;

    /// <summary>Is shown what is safe, if anybody is.</summary>
    internal IDurableRecords? Durable { get; init; }

    /// <summary>Batches that are said to be safe before they are written: a fault that is planted. Default: none.</summary>
    internal Func<JournalBatch, bool>? LiesOf { get; set; }

    /// <summary>Hands a batch over; after a failure it is dropped.</summary>
    public void Submit(JournalBatch batch)
    {
        if (isStopped)
            return;
        waiting.Add(batch);
        Begin();
        if (LiesOf?.Invoke(batch) ?? false)
            listener.Committed(batch.LastSequence);
    }

    /// <summary>Hands a snapshot over; false, and the snapshot is dropped, while another one waits for its records.</summary>
    public bool Submit(JournalSnapshot next)
    {
        if (snapshot is not null || isStopped)
            return false;
        snapshot = next;
        Begin();
        return true;
    }

    /// <summary>The machine is gone: what was under way never ends.</summary>
    public void Crash()
    {
        isStopped = true;
        underWay?.Cancel();
    }

    private void Begin()
    {
        if (underWay is null or { IsCancelled: true })
            underWay = simulation.After(syncTime, Write);
    }

    private void Write()
    {
        if (WaitsForRoom())
        {
            underWay = simulation.After(RoomTime, Write);
            return;
        }
        try
        {
            if (waiting.Count > 0)
            {
                JournalBatch[] group = [.. waiting];
                waiting.Clear();
                byte[][] records = Durable is null ? [] : [.. group.Select(b => b.Records.ToArray())];
                long last = log.Write(group);
                foreach (byte[] written in records)
                    Durable!.Written(written);
                listener.Committed(last);
            }
            InstallSnapshot();
        }
        catch (JournalFailedException e)
        {
            isStopped = true;
            waiting.Clear();
            listener.Failed(e);
        }
        if (waiting.Count > 0)
            Begin();
    }

    /// <summary>A full disk whose reserve is used up: the node's thread stays in its write, and tries again.</summary>
    private bool WaitsForRoom() =>
        storage is ReservedStorage { IsShort: true } && !storage.List().Contains(ReservedStorage.FileName)
        && storage.FreeBytes < waiting.Sum(b => b.Bytes) + SegmentBytesMin;

    private void InstallSnapshot()
    {
        if (snapshot is not { } ready || ready.Sequence > log.DurableSequence)
            return;
        snapshot = null;
        try
        {
            ready.WriteTo(storage);
        }
        catch (JournalStorageException e)
        {
            listener.SnapshotFailed(ready.Sequence, e);
            return;
        }
        log.Install(ready);
        listener.SnapshotInstalled(ready.Sequence);
    }
}
