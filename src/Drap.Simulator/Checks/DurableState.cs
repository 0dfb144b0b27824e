using Drap.Core;
using Drap.Core.Journal;
using Drap.Core.Nodes;
using Drap.Simulator.Storage;

namespace Drap.Simulator.Checks;

/// <summary>
/// What a scheduler's disk holds for certain: the records of every write that was synced, applied to a state of their own. The machine's own state is
/// ahead of it by what is under way. Not thread-safe.
/// </summary>
internal sealed class DurableState : IDurableRecords, IJournalReplay
{
    private readonly SortedDictionary<JobId, Credits> costs = [];

    /// <summary>What is safe.</summary>
    public SchedulerState State { get; private set; } = new();

    /// <summary>The scheduler comes up: what its disk holds is read again.</summary>
    public IJournalReplay Reread()
    {
        State = new SchedulerState();
        costs.Clear();
        return this;
    }

    /// <summary>What the attempts of a job cost, by the records of their ends.</summary>
    public Credits CostOf(JobId job) => costs.GetValueOrDefault(job);

    /// <inheritdoc/>
    public void Written(ReadOnlyMemory<byte> records)
    {
        while (RecordCodec.TryRead(ref records, out JournalRecord record))
            Apply(record);
        Invariant.Check(records.IsEmpty);
    }

    /// <inheritdoc/>
    public void Snapshot(long sequence, in JournalRecord record) => Apply(record);

    /// <inheritdoc/>
    public void Record(long sequence, in JournalRecord record) => Apply(record);

    private void Apply(in JournalRecord record)
    {
        if (!SchedulerRecords.TryRead(record, out SchedulerRecord? read, out string? error))
            throw new ViolationException("journal", $"a record that was written cannot be read: {error}");
        State.Apply(read);
        if (read is SchedulerRecord.Ended ended)
            foreach (EndedAttempt attempt in ended.Attempts)
                costs[ended.Job] = CostOf(ended.Job) + attempt.Cost;
        if (read is SchedulerRecord.Standing standing)
            costs[standing.Job] = standing.Spent;
    }
}
