using Drap.Core.Journal;

namespace Drap.Core.Nodes;

/// <summary>Makes a scheduler's state from its journal.</summary>
/// <param name="state">Empty; then what the journal says.</param>
/// <remarks>Its calls throw <see cref="InvalidDataException"/> at a record that this version cannot read, with its number and why.</remarks>
public sealed class SchedulerReplay(SchedulerState state) : IJournalReplay
{
    /// <inheritdoc/>
    public void Snapshot(long sequence, in JournalRecord record) => Record(sequence, record);

    /// <inheritdoc/>
    public void Record(long sequence, in JournalRecord record)
    {
        if (!SchedulerRecords.TryRead(record, out SchedulerRecord? read, out string? error))
            throw new InvalidDataException($"the journal's record {sequence} is {error}");
        state.Apply(read);
    }
}
