namespace Drap.Core.Journal;

/// <summary>
/// The whole state after one record, as records of its own [JOURNAL-8]. The owner of the machine fills it in memory (a moment); any thread
/// writes it to a new file with <see cref="WriteTo"/> (long, and in nobody's way); the thread of the log puts it in place with
/// <see cref="JournalLog.Install"/> (short).
/// </summary>
public sealed class JournalSnapshot
{
    // A frame is read whole into memory, so a snapshot is many frames of this size, or of one record where that is larger.
    private const int FrameBytes = 1 << 20;

    private readonly List<JournalBatch> frames = [];
    private readonly ulong salt;
    private bool ended;

    internal JournalSnapshot(long sequence, ulong salt)
    {
        Sequence = sequence;
        this.salt = salt;
    }

    /// <summary>The last record of the log whose effect is in the snapshot.</summary>
    public long Sequence { get; }

    /// <summary>Size of the file.</summary>
    public long Bytes { get; private set; } = FileHeader.Size + FrameHeader.Size;

    /// <summary>Whether the file lies there complete and safe, under its provisional name.</summary>
    internal bool Written { get; private set; }

    /// <summary>Adds a record of the state. A body above <see cref="JournalLimits.RecordBytesMax"/> is a bug of the caller.</summary>
    public void Add(byte kind, byte version, ReadOnlySpan<byte> body)
    {
        Invariant.Check(!ended);
        if (frames.Count == 0 || frames[^1].Bytes >= FrameBytes)
        {
            frames.Add(new JournalBatch(frames.Count == 0 ? 1 : frames[^1].LastSequence + 1));
            Bytes += FrameHeader.Size;
        }
        int before = frames[^1].Bytes;
        frames[^1].Add(kind, version, body);
        Bytes += frames[^1].Bytes - before;
        Invariant.Check(Bytes <= JournalLimits.SnapshotBytesMax);
    }

    /// <summary>
    /// Writes the file under its provisional name and syncs it, once; the memory is given back. When this throws, the log is as good as
    /// before; the unfinished file is removed, at the latest when the journal is opened next.
    /// </summary>
    public void WriteTo(IJournalStorage storage)
    {
        Invariant.Check(ended && !Written);
        string name = JournalNames.New(JournalNames.Snapshot(Sequence));
        try
        {
            using IJournalFile file = storage.Create(name);
            WriteFrames(file);
            file.Sync();
            Written = true;
        }
        finally
        {
            Release();
            if (!Written)
                TryDelete(storage, name);
        }
    }

    internal void End()
    {
        Invariant.Check(!ended);
        ended = true;
    }

    private void WriteFrames(IJournalFile file)
    {
        Span<byte> header = stackalloc byte[FileHeader.Size];
        new FileHeader(Sequence, salt, Bytes).Write(FileHeader.SnapshotMagic, header);
        file.Write(0, header);
        long at = FileHeader.Size;
        foreach (JournalBatch frame in frames)
        {
            file.Write(at, frame.Seal(salt, at, syncedTo: 0));
            at += frame.Bytes;
        }
        // An empty frame closes the file, so that a cut between two frames is noticed too.
        Span<byte> closing = stackalloc byte[FrameHeader.Size];
        new FrameHeader(frames.Count == 0 ? 1 : frames[^1].LastSequence + 1, 0, 0, 0).Seal(closing, salt, at);
        file.Write(at, closing);
        Invariant.Check(at + FrameHeader.Size == Bytes);
    }

    /// <summary>A full disk is not kept full by what could not be finished.</summary>
    private static void TryDelete(IJournalStorage storage, string name)
    {
        try
        {
            storage.Delete(name);
        }
        catch (JournalStorageException)
        {
            // The first failure says more than this one.
        }
    }

    private void Release()
    {
        foreach (JournalBatch frame in frames)
            frame.Release();
        frames.Clear();
    }
}
