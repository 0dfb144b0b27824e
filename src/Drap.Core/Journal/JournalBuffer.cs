namespace Drap.Core.Journal;

/// <summary>
/// The owner's side of a journal: numbers the records and collects them into a batch until it is taken for writing. It belongs to the
/// thread that runs the machine; the log belongs to the thread that writes; a <see cref="JournalBatch"/> is all that passes between.
/// <code>
/// owner:    Step → Append …  → TakeBatch ──► writer: log.Write(batches) ──► owner: all effects up to that sequence may be sent
/// </code>
/// </summary>
public sealed class JournalBuffer
{
    private readonly JournalOptions options;
    private JournalBatch? batch;
    private long snapshotBytes;
    private long bytesSinceSnapshot;
    private bool hasManySegments;

    internal JournalBuffer(JournalOptions options, long lastSequence, JournalReport report, int segments)
    {
        this.options = options;
        snapshotBytes = report.SnapshotBytes;
        bytesSinceSnapshot = report.LogBytes;
        hasManySegments = segments >= JournalLimits.SegmentsMax;
        LastSequence = lastSequence;
    }

    /// <summary>Number of the record appended last; 0 when there never was one.</summary>
    public long LastSequence { get; private set; }

    /// <summary>Bytes appended and not yet taken.</summary>
    public int PendingBytes => batch?.Bytes ?? 0;

    /// <summary>
    /// False when <see cref="JournalLimits.PendingBytesMax"/> bytes wait: the owner then takes no new input until a batch was taken. What a
    /// step that has begun appends still fits.
    /// </summary>
    public bool HasRoom => PendingBytes < JournalLimits.PendingBytesMax;

    /// <summary>
    /// Whether a new snapshot pays: enough was appended since the last (<see cref="JournalOptions.SnapshotAfterBytes"/>), or many starts
    /// have left many segments.
    /// </summary>
    public bool SnapshotDue =>
        LastSequence > 0 && (hasManySegments || bytesSinceSnapshot >= Math.Max(options.SnapshotAfterBytes, 2 * snapshotBytes));

    /// <summary>
    /// Puts a record at the journal's end and returns its number. Nothing is durable yet. A body above
    /// <see cref="JournalLimits.RecordBytesMax"/> is a bug of the caller, who refuses such input before.
    /// </summary>
    public long Append(byte kind, byte version, ReadOnlySpan<byte> body)
    {
        batch ??= new JournalBatch(LastSequence + 1);
        int before = batch.Bytes;
        batch.Add(kind, version, body);
        bytesSinceSnapshot += batch.Bytes - before;
        return ++LastSequence;
    }

    /// <summary>What was appended since the last call, to be handed to the log; null when that is nothing.</summary>
    public JournalBatch? TakeBatch()
    {
        JournalBatch? taken = batch;
        batch = null;
        return taken;
    }

    /// <summary>
    /// Begins a snapshot of the state after <see cref="LastSequence"/>. The owner adds its whole state at once, before it appends anything
    /// else, and then calls <see cref="EndSnapshot"/>.
    /// </summary>
    public JournalSnapshot BeginSnapshot()
    {
        Invariant.Check(LastSequence > 0);
        return new JournalSnapshot(LastSequence, options.Salt);
    }

    /// <summary>Ends the adding; the snapshot may now be written on any thread. The next one is due by what is appended from here.</summary>
    public void EndSnapshot(JournalSnapshot snapshot)
    {
        Invariant.Check(snapshot.Sequence == LastSequence);
        snapshot.End();
        snapshotBytes = snapshot.Bytes;
        bytesSinceSnapshot = 0;
        hasManySegments = false;
    }
}
