using Drap.Core.Journal;
using Drap.Core.Nodes;
using Drap.Simulator.Checks;

namespace Drap.Simulator.Storage;

/// <summary>
/// A scheduler's disk as one life of it sees it: the state that its journal held, and where the next records go. Not thread-safe.
/// </summary>
internal sealed class SchedulerDisk
{
    private readonly JournalBuffer buffer;
    private readonly SimulatedJournal journal;

    /// <summary>Reads what is there.</summary>
    /// <param name="simulation">Virtual time.</param>
    /// <param name="storage">The disk.</param>
    /// <param name="options">How the journal is kept.</param>
    /// <param name="listener">Who is told what is durable.</param>
    /// <param name="syncTime">How long a group of records takes.</param>
    /// <param name="durable">Is shown what was read and what is written, if anybody is.</param>
    public SchedulerDisk(
        Simulation simulation, IJournalStorage storage, JournalOptions options, IJournalListener listener, TimeSpan syncTime, DurableState? durable = null)
    {
        var replay = new SchedulerReplay(State);
        JournalLog log = JournalLog.Open(storage, options, durable is null ? replay : new BothReplays(replay, durable.Reread()));
        buffer = log.CreateBuffer();
        journal = new SimulatedJournal(simulation, storage, log, listener, syncTime) { Durable = durable };
    }

    /// <summary>Batches that are said to be safe before they are written: a fault that is planted. Default: none.</summary>
    public Func<JournalBatch, bool>? LiesOf
    {
        init => journal.LiesOf = value;
    }

    /// <summary>What was read, and then what is.</summary>
    public SchedulerState State { get; } = new();

    /// <summary>The machine over it.</summary>
    public SchedulerNode NewNode(SchedulerOptions options, Prng prng) => new(options, State, buffer, prng);

    /// <summary>Hands over what a batch of inputs recorded.</summary>
    public void Write()
    {
        if (buffer.TakeBatch() is { } records)
            journal.Submit(records);
    }

    /// <summary>Takes a snapshot if one is due.</summary>
    public void SnapshotIfDue()
    {
        if (!buffer.SnapshotDue || buffer.PendingBytes > 0)
            return;
        JournalSnapshot snapshot = buffer.BeginSnapshot();
        foreach (SchedulerRecord record in State.ToRecords())
            SchedulerRecords.Add(snapshot, record);
        buffer.EndSnapshot(snapshot);
        journal.Submit(snapshot);
    }

    /// <summary>The machine is gone: what was under way never ends.</summary>
    public void Crash() => journal.Crash();

    private sealed class BothReplays(IJournalReplay first, IJournalReplay second) : IJournalReplay
    {
        public void Snapshot(long sequence, in JournalRecord record)
        {
            first.Snapshot(sequence, record);
            second.Snapshot(sequence, record);
        }

        public void Record(long sequence, in JournalRecord record)
        {
            first.Record(sequence, record);
            second.Record(sequence, record);
        }
    }
}
