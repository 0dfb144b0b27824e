namespace Drap.Core.Journal;

/// <summary>
/// The journal's log: the writer's side. One thread calls it (any; the simulator's too). The order that makes acknowledgements true:
/// 1. <see cref="Write"/> puts whole batches behind each other and syncs once (group commit); only then it returns their last number.
/// 2. The caller sends what depends on those records after that return, never before.
/// 3. When a write or a sync fails, nothing is acknowledged any more, for good: after a failed sync the system may have dropped what it
///    held, and a second sync would say that all is well [JOURNAL-7].
/// </summary>
public sealed class JournalLog : IDisposable
{
    private readonly IJournalStorage storage;
    private readonly JournalOptions options;
    private readonly List<long> segments;
    private readonly Func<SegmentWriter>? make;
    private SegmentWriter? current;
    private bool writing;
    private JournalException? failure;

    private JournalLog(IJournalStorage storage, JournalOptions options, JournalRecovery recovery)
    {
        this.storage = storage;
        this.options = options;
        segments = recovery.Segments;
        current = recovery.Current;
        make = recovery.Make;
        DurableSequence = recovery.LastSequence;
        SnapshotSequence = recovery.SnapshotSequence;
        Report = recovery.Report;
    }

    /// <summary>Number of the last record that is safe.</summary>
    public long DurableSequence { get; private set; }

    /// <summary>The last record that the newest snapshot covers; 0 without one.</summary>
    public long SnapshotSequence { get; private set; }

    /// <summary>What opening found.</summary>
    public JournalReport Report { get; }

    /// <summary>
    /// Opens the journal in a directory, or makes one where there is none, and hands over all it holds. A torn tail, which a crash leaves
    /// of what was never acknowledged, is left out; whatever was read is safe on the disk when this returns. Other damage is a
    /// <see cref="JournalCorruptException"/>. Records handed over before an exception are to be thrown away. On a full disk it is opened too; then
    /// what was read is safe only when the first write has returned, and nobody is to be told of it as if it were before that.
    /// </summary>
    public static JournalLog Open(IJournalStorage storage, JournalOptions options, IJournalReplay replay)
    {
        Invariant.Check(options.SegmentBytes is >= FileHeader.Size and <= 1 << 30);
        Invariant.Check(options.ReserveBytes is >= 0 and <= 1 << 30);
        var recovery = new JournalRecovery(storage, options);
        recovery.Run(replay);
        return new JournalLog(storage, options, recovery);
    }

    /// <summary>The owner's side, beginning after the last record. Taken once, before the first write.</summary>
    public JournalBuffer CreateBuffer() => new(options, DurableSequence, Report, segments.Count);

    /// <summary>
    /// Writes one or more batches, in their order, syncs once, and returns the number of the last record, which is now safe, with all before it. A
    /// batch never survives in part. Throws <see cref="JournalFailedException"/> when that fails or anything failed before.
    /// </summary>
    public long Write(params ReadOnlySpan<JournalBatch> batches)
    {
        Begin();
        Invariant.Check(!batches.IsEmpty);
        try
        {
            current ??= make!();
            if (current.Position >= options.SegmentBytes)
                current = StartSegment(current);
            long next = DurableSequence + 1;
            long bytes = 0;
            foreach (JournalBatch batch in batches)
            {
                Invariant.Check(batch.FirstSequence == next);
                next = batch.LastSequence + 1;
                bytes += batch.Bytes;
                Invariant.Check(bytes <= JournalLimits.GroupBytesMax);
                current.Append(batch);
                batch.Release();
            }
            current.Sync();
            DurableSequence = next - 1;
        }
        catch (JournalStorageException e)
        {
            throw Fail(e);
        }
        writing = false;
        return DurableSequence;
    }

    /// <summary>
    /// Puts a written snapshot in place and deletes what it makes needless: older snapshots, and the segments that it covers. The record
    /// it covers last is durable already. One that is older than the present snapshot is a bug.
    /// </summary>
    public void Install(JournalSnapshot snapshot)
    {
        Invariant.Check(snapshot.Written && snapshot.Sequence <= DurableSequence && snapshot.Sequence >= SnapshotSequence);
        Begin();
        try
        {
            string name = JournalNames.Snapshot(snapshot.Sequence);
            storage.Rename(JournalNames.New(name), name);
            storage.SyncDirectory();
            // Not synced: what comes back after a crash is deleted when the journal is opened.
            if (SnapshotSequence > 0 && SnapshotSequence < snapshot.Sequence)
                storage.Delete(JournalNames.Snapshot(SnapshotSequence));
            SnapshotSequence = snapshot.Sequence;
            for (; segments.Count > 1 && segments[1] <= SnapshotSequence + 1; segments.RemoveAt(0))
                storage.Delete(JournalNames.Segment(segments[0]));
        }
        catch (JournalStorageException e)
        {
            throw Fail(e);
        }
        writing = false;
    }

    /// <summary>Closes the files. Nothing is written: what was not acknowledged is lost.</summary>
    public void Dispose() => current?.Dispose();

    private SegmentWriter StartSegment(SegmentWriter full)
    {
        SegmentWriter next = SegmentWriter.Create(storage, options, DurableSequence + 1, []);
        full.Dispose();
        segments.Add(DurableSequence + 1);
        return next;
    }

    /// <summary>The flag stays up when anything at all breaks a write off, so that no kind of exception can leave half a write behind.</summary>
    private void Begin()
    {
        if (writing)
            throw new JournalFailedException(DurableSequence, failure);
        writing = true;
    }

    private JournalFailedException Fail(JournalStorageException cause)
    {
        failure = cause;
        return new JournalFailedException(DurableSequence, cause);
    }
}
