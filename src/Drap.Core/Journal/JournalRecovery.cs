namespace Drap.Core.Journal;

/// <summary>
/// Opens a journal [JOURNAL-9]: names, snapshot, segments in order, the tail, and the deletion of what is covered. It never changes a file
/// that has its name: what must be made safe again goes into a new segment. Used once.
/// </summary>
internal sealed class JournalRecovery(IJournalStorage storage, JournalOptions options)
{
    private readonly List<long> snapshots = [];
    private long snapshotBytes;
    private long records;
    private long logBytes;
    private long cutBytes;

    /// <summary>First records of the segments that remain, in order; the last is <see cref="Current"/>.</summary>
    public List<long> Segments { get; } = [];

    /// <summary>The newest, on which the log goes on; null where there was no room to make it.</summary>
    public SegmentWriter? Current { get; private set; }

    /// <summary>Makes <see cref="Current"/> where it is not there, once there is room; reads the segment before it again.</summary>
    public Func<SegmentWriter>? Make { get; private set; }

    public long LastSequence { get; private set; }

    public long SnapshotSequence { get; private set; }

    public JournalReport Report => new(SnapshotSequence, snapshotBytes, records, logBytes, cutBytes);

    public void Run(IJournalReplay replay)
    {
        // A process that died may have left names that are visible and not safe; nothing is built on them before they are.
        storage.SyncDirectory();
        ReadNames();
        if (SnapshotSequence > 0)
            ReadSnapshot(replay);
        if (Segments.Count == 0)
            Begin();
        else
            ReadSegments(replay);
        DeleteCovered();
    }

    private void ReadNames()
    {
        foreach (string name in storage.List())
        {
            if (JournalNames.TryParseSegment(name, out long first))
                Segments.Add(first);
            else if (JournalNames.TryParseSnapshot(name, out long covered))
                snapshots.Add(covered);
            else if (JournalNames.IsNew(name))
                storage.Delete(name);
        }
        Segments.Sort();
        snapshots.Sort();
        SnapshotSequence = snapshots.Count > 0 ? snapshots[^1] : 0;
    }

    private void Begin()
    {
        if (SnapshotSequence > 0)
            throw new JournalCorruptException(
                JournalNames.Snapshot(SnapshotSequence), 0, "there is a snapshot, but no segment of the log after it");
        TryMake(() => Create(1, []));
    }

    private void ReadSnapshot(IJournalReplay replay)
    {
        using IJournalFile file = storage.Open(JournalNames.Snapshot(SnapshotSequence));
        FileHeader fileHeader = FileHeader.Read(file, FileHeader.SnapshotMagic, SnapshotSequence);
        var frames = new FrameReader(file, fileHeader.Salt);
        for (long next = 1; ;)
        {
            long at = frames.Position;
            FrameStatus status = frames.TryRead(out Frame frame);
            if (status != FrameStatus.Frame)
                throw new JournalCorruptException(file.Path, at, status == FrameStatus.Bad ? frames.Reason : "the snapshot ends too early");
            if (frame.Header.FirstSequence != next)
                throw new JournalCorruptException(
                    file.Path, at, $"record {next} of the snapshot should be here, but {frame.Header.FirstSequence} is");
            if (frame.Header.Count == 0)
                break;
            foreach (JournalRecord record in Records(file, at, frame))
                replay.Snapshot(SnapshotSequence, record);
            next += frame.Header.Count;
        }
        if (frames.Position != file.Length)
            throw new JournalCorruptException(file.Path, frames.Position, "bytes follow the end of the snapshot");
        snapshotBytes = file.Length;
    }

    private void ReadSegments(IJournalReplay replay)
    {
        // The newest segment that begins at or before the first record needed; those before it are covered by the snapshot.
        int from = Segments.FindLastIndex(first => first <= SnapshotSequence + 1);
        if (from < 0)
            throw new JournalCorruptException(
                JournalNames.Segment(Segments[0]), 0, $"record {SnapshotSequence + 1} is missing: the oldest segment begins at {Segments[0]}");
        LastSequence = Segments[from] - 1;
        for (int i = from; i < Segments.Count - 1; i++)
            ReadFinishedSegment(Segments[i], Segments[i + 1], replay);
        ReadNewestSegment(Segments[^1], replay);
        if (LastSequence < SnapshotSequence)
            throw new JournalCorruptException(
                JournalNames.Segment(Segments[^1]), 0, $"the log ends at record {LastSequence}, before its snapshot of record {SnapshotSequence}");
    }

    /// <summary>Reads up to the record where the next segment begins; what follows there was left out at an earlier start.</summary>
    private void ReadFinishedSegment(long first, long nextFirst, IJournalReplay replay)
    {
        using IJournalFile file = storage.Open(JournalNames.Segment(first));
        FileHeader fileHeader = FileHeader.Read(file, FileHeader.SegmentMagic, first);
        var frames = new FrameReader(file, fileHeader.Salt);
        while (LastSequence + 1 < nextFirst)
        {
            long at = frames.Position;
            FrameStatus status = frames.TryRead(out Frame frame);
            if (status == FrameStatus.Bad)
                throw new JournalCorruptException(file.Path, at, frames.Reason);
            if (status == FrameStatus.End || LastSequence + frame.Header.Count >= nextFirst)
                throw new JournalCorruptException(
                    file.Path, at, $"the segment ends at record {LastSequence}, but the next one begins at {nextFirst}");
            Replay(file, at, frame, replay);
        }
    }

    private void ReadNewestSegment(long first, IJournalReplay replay)
    {
        IJournalFile file = storage.Open(JournalNames.Segment(first));
        bool goesOn = false;
        try
        {
            FileHeader fileHeader = FileHeader.Read(file, FileHeader.SegmentMagic, first);
            var frames = new FrameReader(file, fileHeader.Salt);
            (long safeTo, long firstUnsafe) = ReadFrames(file, frames, fileHeader.SafeTo, replay);
            long end = frames.Position;
            // Where all is safe and nothing follows, the segment is written on.
            goesOn = IsTailClean(file, frames, fileHeader) && safeTo == end;
            if (goesOn)
                Current = new SegmentWriter(file, options, fileHeader.Salt, end);
            else
                CarryOver(first, firstUnsafe, fileHeader.Salt, safeTo, end);
        }
        finally
        {
            if (!goesOn)
                file.Dispose();
        }
    }

    /// <summary>
    /// Reads frames up to the first that is none. Returns where the last group begins, the only one that may not be safe, and its first
    /// record.
    /// </summary>
    private (long SafeTo, long FirstUnsafe) ReadFrames(IJournalFile file, FrameReader frames, long safeTo, IJournalReplay replay)
    {
        long? firstUnsafe = null;
        while (true)
        {
            long at = frames.Position;
            if (frames.TryRead(out Frame frame) != FrameStatus.Frame)
                return (safeTo, firstUnsafe ?? LastSequence + 1);
            if (frame.Header.SyncedTo == at)
                (safeTo, firstUnsafe) = (at, frame.Header.FirstSequence);
            Replay(file, at, frame, replay);
        }
    }

    private void Replay(IJournalFile file, long at, in Frame frame, IJournalReplay replay)
    {
        if (frame.Header.FirstSequence != LastSequence + 1)
            throw new JournalCorruptException(
                file.Path, at, $"record {LastSequence + 1} should be here, but {frame.Header.FirstSequence} is");
        foreach (JournalRecord record in Records(file, at, frame))
        {
            if (++LastSequence <= SnapshotSequence)
                continue;
            replay.Record(LastSequence, record);
            records++;
            logBytes += record.Body.Length;
        }
    }

    /// <summary>
    /// Looks at what follows the last frame of the newest segment. What is no frame there was never acknowledged, and is left out; or it
    /// was, and is damage: the file's header says so, or a frame further on that was written when this place was already safe.
    /// </summary>
    private bool IsTailClean(IJournalFile file, FrameReader frames, in FileHeader fileHeader)
    {
        long end = frames.Position;
        TailKind tail = end < fileHeader.SafeTo ? TailKind.WasSafe : TailScan.Run(file, fileHeader.Salt, end);
        if (tail == TailKind.WasSafe)
            throw new JournalCorruptException(file.Path, end, frames.Reason);
        if (tail == TailKind.Torn)
            cutBytes = file.Length - end;
        return tail == TailKind.Clean;
    }

    /// <summary>
    /// Goes on in a new segment, which begins with the last group of the old one. That group is in the old file, but perhaps in memory
    /// only, and after a failed sync the system believes that it is not there to be written; and to write it in place again would put
    /// records at risk that may be safe.
    /// </summary>
    private void CarryOver(long from, long first, ulong salt, long start, long end) => TryMake(() =>
    {
        using IJournalFile file = storage.Open(JournalNames.Segment(from));
        return Create(first, FramesBetween(file, salt, start, end));
    });

    /// <summary>
    /// On a full disk the journal is open all the same, so that what it holds can be seen; then the first write makes the segment, and nothing that was
    /// read counts as safe before.
    /// </summary>
    private void TryMake(Func<SegmentWriter> make)
    {
        try
        {
            Current = make();
        }
        catch (JournalStorageException e) when (e.Fault == JournalStorageFault.DiskFull)
        {
            Make = make;
        }
    }

    private SegmentWriter Create(long first, IEnumerable<Frame> carried)
    {
        SegmentWriter made = SegmentWriter.Create(storage, options, first, carried);
        if (Segments.Count == 0 || Segments[^1] != first)
            Segments.Add(first);
        return made;
    }

    private static IEnumerable<Frame> FramesBetween(IJournalFile file, ulong salt, long start, long end)
    {
        var frames = new FrameReader(file, salt, start);
        while (frames.Position < end)
        {
            if (frames.TryRead(out Frame frame) != FrameStatus.Frame)
                throw new JournalCorruptException(file.Path, frames.Position, "the file changed while it was read");
            yield return frame;
        }
    }

    private void DeleteCovered()
    {
        for (; snapshots.Count > 1; snapshots.RemoveAt(0))
            storage.Delete(JournalNames.Snapshot(snapshots[0]));
        for (; Segments.Count > 1 && Segments[1] <= SnapshotSequence + 1; Segments.RemoveAt(0))
            storage.Delete(JournalNames.Segment(Segments[0]));
    }

    private static IEnumerable<JournalRecord> Records(IJournalFile file, long at, Frame frame)
    {
        ReadOnlyMemory<byte> rest = frame.Body;
        for (int i = 0; i < frame.Header.Count; i++)
        {
            if (!RecordCodec.TryRead(ref rest, out JournalRecord record))
                throw new JournalCorruptException(file.Path, at, "the frame's checksum is right, but its records are not");
            yield return record;
        }
        if (!rest.IsEmpty)
            throw new JournalCorruptException(file.Path, at, $"{rest.Length} bytes follow the frame's last record");
    }
}
