namespace Drap.Core.Journal;

/// <summary>Writes frames to the end of the newest segment.</summary>
internal sealed class SegmentWriter : IDisposable
{
    // Small frames are gathered, so that many batches of one group cost one system call; 64 KiB is where copying costs as much as a call.
    private const int StageBytes = 64 << 10;

    private readonly IJournalFile file;
    private readonly JournalOptions options;
    private readonly ulong salt;
    private readonly byte[] stage = new byte[StageBytes];
    private readonly byte[] zeros;
    private int staged;
    private long syncedTo;
    private long reservedTo;

    /// <summary>Goes on after the frames of <paramref name="file"/>, which end at <paramref name="end"/> and are safe; then only zeros follow.</summary>
    public SegmentWriter(IJournalFile file, JournalOptions options, ulong salt, long end)
    {
        this.file = file;
        this.options = options;
        this.salt = salt;
        zeros = new byte[options.ReserveBytes];
        Position = end;
        syncedTo = end;
        reservedTo = file.Length;
    }

    /// <summary>Where the next frame goes.</summary>
    public long Position { get; private set; }

    /// <summary>
    /// Makes a segment whose first record is <paramref name="firstSequence"/>, with frames carried over from another one or none. It gets
    /// its name when all that is safe, in place of a segment that had the name, and is written on when its name is safe [JOURNAL-6]. Where it fails for want
    /// of room all is as it was, and it may be tried again.
    /// </summary>
    public static SegmentWriter Create(IJournalStorage storage, JournalOptions options, long firstSequence, IEnumerable<Frame> carried)
    {
        string name = JournalNames.Segment(firstSequence);
        string made = JournalNames.New(name);
        IJournalFile file = storage.Create(made);
        try
        {
            long end = FileHeader.Size;
            foreach (Frame frame in carried)
            {
                byte[] bytes = new byte[FrameHeader.Size + frame.Header.PaddedLength];
                frame.Body.CopyTo(bytes.AsMemory(FrameHeader.Size));
                (frame.Header with { SyncedTo = 0 }).Seal(bytes, options.Salt, end);
                file.Write(end, bytes);
                end += bytes.Length;
            }
            byte[] header = new byte[FileHeader.Size];
            new FileHeader(firstSequence, options.Salt, end).Write(FileHeader.SegmentMagic, header);
            file.Write(0, header);
            if (options.ReserveBytes > 0)
                file.Write(end, new byte[options.ReserveBytes]);
            file.Sync();
            storage.Rename(made, name);
            SyncName(storage);
            return new SegmentWriter(file, options, options.Salt, end);
        }
        catch (Exception e)
        {
            file.Dispose();
            if (e is JournalStorageException { Fault: JournalStorageFault.DiskFull })
                storage.Delete(made);
            throw;
        }
    }

    /// <summary>From here on the name is there, and perhaps not for good: that is no want of room, which could be waited out.</summary>
    private static void SyncName(IJournalStorage storage)
    {
        try
        {
            storage.SyncDirectory();
        }
        catch (JournalStorageException e) when (e.Fault == JournalStorageFault.DiskFull)
        {
            throw new JournalStorageException(JournalStorageFault.Failed, e.Path, e.Message, e);
        }
    }

    /// <summary>Adds a batch; it may be in memory still.</summary>
    public void Append(JournalBatch batch)
    {
        ReadOnlySpan<byte> frame = batch.Seal(salt, Position, syncedTo);
        if (staged + frame.Length > StageBytes)
            Flush();
        if (frame.Length > StageBytes)
            file.Write(Position, frame);
        else
        {
            frame.CopyTo(stage.AsSpan(staged));
            staged += frame.Length;
        }
        Position += frame.Length;
    }

    /// <summary>Makes all that was appended safe.</summary>
    public void Sync()
    {
        Flush();
        ReserveAhead();
        file.Sync();
        syncedTo = Position;
    }

    public void Dispose() => file.Dispose();

    private void Flush()
    {
        if (staged > 0)
            file.Write(Position - staged, stage.AsSpan(0, staged));
        staged = 0;
    }

    /// <summary>Fills ahead with zeros, in the same sync, while at least half of the last filling is still there for the next frames.</summary>
    private void ReserveAhead()
    {
        if (options.ReserveBytes == 0 || reservedTo - Position > options.ReserveBytes / 2)
            return;
        long from = Math.Max(Position, reservedTo);
        long to = Position + options.ReserveBytes;
        file.Write(from, zeros.AsSpan(0, (int)(to - from)));
        reservedTo = to;
    }
}
