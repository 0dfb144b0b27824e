namespace Drap.Core.Journal;

/// <summary>
/// Opens a journal [JOURNAL-9]: names, snapshot, segments in order, the tail, and the deletion of what is covered. Used once.
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

    public SegmentWriter Current { get; private set; } = null!;

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
            throw new JournalCorruptException(JournalNames.Snapshot(SnapshotSequence), 0, "there is a snapshot, but no segment of the log after it");
        Current = SegmentWriter.Create(storage, options, 1);
        Segments.Add(1);
    }

    private void ReadSnapshot(IJournalReplay replay)
    {
        using IJournalFile file = storage.Open(JournalNames.Snapshot(SnapshotSequence));
        FileHeader fileHeader = FileHeader.Read(file, FileHeader.SnapshotMagic, SnapshotSequence);
        var frames = new FrameReader(file, fileHeader.Salt);
        for (long next = 1; ;)
        {
            long at = frames.Position;
            FrameStatus status = frames.TryRead(out FrameHeader header, out ReadOnlyMemory<byte> body);
            if (status != FrameStatus.Frame)
                throw new JournalCorruptException(file.Path, at, status == FrameStatus.Bad ? frames.Reason : "the snapshot ends too early");
            if (header.FirstSequence != next)
                throw new JournalCorruptException(file.Path, at, $"record {next} of the snapshot should be here, but {header.FirstSequence} is");
            if (header.Count == 0)
                break;
            for (int i = 0; i < header.Count; i++, next++)
                replay.Snapshot(SnapshotSequence, Take(file, at, ref body));
            RefuseRest(file, at, body);
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
        for (int i = from; i < Segments.Count; i++)
            ReadSegment(i, replay);
        if (LastSequence < SnapshotSequence)
            throw new JournalCorruptException(
                JournalNames.Segment(Segments[^1]), 0, $"the log ends at record {LastSequence}, before its snapshot of record {SnapshotSequence}");
    }

    private void ReadSegment(int index, IJournalReplay replay)
    {
        bool isLast = index == Segments.Count - 1;
        IJournalFile file = storage.Open(JournalNames.Segment(Segments[index]));
        try
        {
            FileHeader fileHeader = FileHeader.Read(file, FileHeader.SegmentMagic, Segments[index]);
            var frames = new FrameReader(file, fileHeader.Salt);
            (FrameStatus status, long syncedTo) = ReadFrames(file, frames, replay);
            if (isLast)
            {
                RepairTail(file, frames, fileHeader.Salt, status, syncedTo);
                Current = new SegmentWriter(file, options, fileHeader.Salt, frames.Position);
            }
            else if (LastSequence + 1 != Segments[index + 1])
                throw new JournalCorruptException(
                    file.Path,
                    frames.Position,
                    status == FrameStatus.Bad
                        ? frames.Reason
                        : $"the segment ends at record {LastSequence}, but the next one begins at {Segments[index + 1]}");
        }
        catch
        {
            file.Dispose();
            throw;
        }
        if (!isLast)
            file.Dispose();
    }

    /// <summary>Reads frames up to the first that is none, which is where the reader then stands.</summary>
    private (FrameStatus Status, long SyncedTo) ReadFrames(IJournalFile file, FrameReader frames, IJournalReplay replay)
    {
        long syncedTo = FileHeader.Size;
        while (true)
        {
            long at = frames.Position;
            FrameStatus status = frames.TryRead(out FrameHeader header, out ReadOnlyMemory<byte> body);
            if (status != FrameStatus.Frame)
                return (status, syncedTo);
            if (header.FirstSequence != LastSequence + 1)
                throw new JournalCorruptException(file.Path, at, $"record {LastSequence + 1} should be here, but {header.FirstSequence} is");
            syncedTo = header.SyncedTo;
            Replay(file, at, header, body, replay);
        }
    }

    private void Replay(IJournalFile file, long at, in FrameHeader header, ReadOnlyMemory<byte> body, IJournalReplay replay)
    {
        for (int i = 0; i < header.Count; i++)
        {
            JournalRecord record = Take(file, at, ref body);
            if (++LastSequence <= SnapshotSequence)
                continue;
            replay.Record(LastSequence, record);
            records++;
            logBytes += record.Body.Length;
        }
        RefuseRest(file, at, body);
    }

    /// <summary>
    /// Makes the end of the newest segment clean and safe. What is no frame there was either never acknowledged, and is cut, or was, and
    /// is damage: a frame further on says so if it was written when the bad place was already safe.
    /// </summary>
    private void RepairTail(IJournalFile file, FrameReader frames, ulong salt, FrameStatus status, long syncedTo)
    {
        long end = frames.Position;
        TailKind tail = TailScan.Run(file, salt, end);
        if (tail == TailKind.WasSafe)
            throw new JournalCorruptException(
                file.Path, end, status == FrameStatus.Bad ? frames.Reason : "zeros stand where records were, since others follow");
        if (tail == TailKind.Torn)
        {
            cutBytes = file.Length - end;
            file.Truncate(end);
        }
        // The last group is in the file, but perhaps in memory only, and the system may believe that it is not: a sync that failed before
        // the last start leaves it so. Written again, it is safe after this sync.
        byte[] group = new byte[end - syncedTo];
        Invariant.Check(file.Read(syncedTo, group) == group.Length);
        file.Write(syncedTo, group);
        file.Sync();
    }

    private void DeleteCovered()
    {
        for (; snapshots.Count > 1; snapshots.RemoveAt(0))
            storage.Delete(JournalNames.Snapshot(snapshots[0]));
        for (; Segments.Count > 1 && Segments[1] <= SnapshotSequence + 1; Segments.RemoveAt(0))
            storage.Delete(JournalNames.Segment(Segments[0]));
    }

    private static JournalRecord Take(IJournalFile file, long at, ref ReadOnlyMemory<byte> body) =>
        RecordCodec.TryRead(ref body, out JournalRecord record)
            ? record
            : throw new JournalCorruptException(file.Path, at, "the frame's checksum is right, but its records are not");

    private static void RefuseRest(IJournalFile file, long at, ReadOnlyMemory<byte> body)
    {
        if (!body.IsEmpty)
            throw new JournalCorruptException(file.Path, at, $"{body.Length} bytes follow the frame's last record");
    }
}
