namespace Drap.Core.Journal;

/// <summary>One record as the journal sees it: it knows neither kinds nor contents.</summary>
/// <param name="Kind">What the record is, to who wrote it.</param>
/// <param name="Version">The version of that kind's encoding.</param>
/// <param name="Body">The content; on replay valid only until the callback returns.</param>
public readonly record struct JournalRecord(byte Kind, byte Version, ReadOnlyMemory<byte> Body);

/// <summary>Takes what a journal holds when it is opened: first the snapshot's records, then the log's, in their order.</summary>
public interface IJournalReplay
{
    /// <summary>One record of the newest snapshot, which is the state after the log's record <paramref name="sequence"/>.</summary>
    void Snapshot(long sequence, in JournalRecord record);

    /// <summary>The log's record <paramref name="sequence"/>; the numbers are continuous.</summary>
    void Record(long sequence, in JournalRecord record);
}
