namespace Drap.Core.Journal;

/// <summary>How a journal is kept.</summary>
/// <param name="Salt">
/// Random bits, drawn anew at each start: they enter the checksums of the files made from now on, so that no bytes inside a record, and
/// none left by another file, can pass for a frame. Any value is correct; a repeated one is only weaker.
/// </param>
public sealed record JournalOptions(ulong Salt)
{
    /// <summary>A segment that has reached this length is followed by a new one. Default 64 MiB: deleting is by segment. At most 1 GiB.</summary>
    public long SegmentBytes { get; init; } = 64 << 20;

    /// <summary>
    /// How far ahead of its end a segment is filled with zeros, so that a sync writes data only and no metadata of the file system
    /// (figures in docs/decisions/0011). Default 256 KiB; 0 turns it off.
    /// </summary>
    public int ReserveBytes { get; init; } = 256 << 10;

    /// <summary>
    /// A snapshot is due after this many bytes of records, and not before twice the last snapshot's size. Default 16 MiB: replayed in
    /// well under 0.1 s, and the snapshots written are at most half of all records written.
    /// </summary>
    public long SnapshotAfterBytes { get; init; } = 16 << 20;
}

/// <summary>The limits that every journal has; a file that exceeds them is damaged.</summary>
public static class JournalLimits
{
    /// <summary>Longest body of one record: 16 MiB, a job of 100 000 items with room. Who makes records refuses larger input before.</summary>
    public const int RecordBytesMax = 16 << 20;

    /// <summary>
    /// Bytes that may wait in a <see cref="JournalBuffer"/> before its owner must stop taking input: 32 MiB, about a second of a slow disk.
    /// </summary>
    public const int PendingBytesMax = 32 << 20;

    /// <summary>Most bytes in one batch: <see cref="PendingBytesMax"/> and what one more step may add, 128 MiB in all. More is a bug.</summary>
    public const int BatchBytesMax = 128 << 20;

    /// <summary>Most bytes of all batches in one write: 512 MiB, so that an offset in a segment fits 32 bits.</summary>
    public const long GroupBytesMax = 512 << 20;

    /// <summary>
    /// With so many segments at a start a snapshot is due at once: 16. Each start after a run that wrote leaves one more, and of 256 KiB at
    /// least.
    /// </summary>
    public const int SegmentsMax = 16;

    /// <summary>Largest snapshot: 1 GiB, a million tasks of 1 KiB each. More is a bug, since the history is bounded by a million tasks.</summary>
    public const long SnapshotBytesMax = 1L << 30;
}
