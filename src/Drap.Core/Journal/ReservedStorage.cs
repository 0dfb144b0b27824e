namespace Drap.Core.Journal;

/// <summary>
/// A journal's directory that keeps room for itself, so that a disk which others filled does not end the journal. A file that holds nothing but its
/// place is given up when a write finds no room, and the write is made once more. The directory is short from the time when little is left, or a write
/// found nothing: its owner takes nothing new then, and what is under way can end in the room that was given up. <see cref="Look"/> takes it up again.
/// </summary>
/// <remarks>
/// Snapshots never use that room: they may be large, and the log goes on without them. Whether what was written is safe is settled by the sync, as ever;
/// a write that failed for want of room has left nothing behind that counts, since no sync covered it, and the same bytes go to the same place
/// again. [JOURNAL-10]
/// </remarks>
/// <param name="disk">The directory.</param>
/// <param name="bytes">How much room is kept; 0 keeps none. See <see cref="BytesDefault"/>.</param>
/// <param name="changed">Hears when the directory gets short, and when it is not any more; on the thread that found out.</param>
public sealed class ReservedStorage(IJournalStorage disk, long bytes, Action<bool>? changed = null) : IJournalStorage
{
    /// <summary>8 MiB: the ends of about 50 000 tasks, far more than are under way when a disk gets full; and a hundredth of a second to make.</summary>
    public const long BytesDefault = 8 << 20;

    /// <summary>The file that keeps the room.</summary>
    public const string FileName = "reserve";

    // The log fills 256 KiB ahead, so a write may find room long after the disk has none: what is free is looked at too, and this much is little.
    private const int LittlePart = 8;

    private static readonly byte[] Piece = new byte[256 << 10];

    private readonly object gate = new();
    private bool isKept;
    private volatile bool isShort;

    /// <summary>Whether the disk was full, or nearly so, and has not got room again since.</summary>
    public bool IsShort => isShort;

    /// <summary>
    /// Asked when a write finds no room, not even in what was kept: true when it is to be tried again. It may wait; who must not, as at the start, leaves
    /// it null, and gets the exception. Set by the log's only writer before its first write.
    /// </summary>
    public Func<bool>? MayTryAgain { get; set; }

    /// <summary>
    /// Takes room up where it is to be had, and sees whether all is well; called at the start, and about once a second while <see cref="IsShort"/>. Well is
    /// the reserve and as much beside it: who had just the reserve would be short again with the next record.
    /// </summary>
    public void Look()
    {
        lock (gate)
        {
            if (!isKept && bytes > 0)
            {
                isKept = disk.List().Contains(FileName) || disk.FreeBytes >= bytes ? TryFill() : false;
                if (!isKept)
                    Drop();
            }
            Tell((!isKept && bytes > 0) || disk.FreeBytes < (isShort ? Math.Max(bytes, 1) : bytes / LittlePart));
        }
    }

    /// <inheritdoc/>
    public long FreeBytes => disk.FreeBytes;

    /// <inheritdoc/>
    public IReadOnlyList<string> List() => disk.List();

    /// <inheritdoc/>
    public IJournalFile Open(string name) => new File(this, disk.Open(name), maySpend: true);

    /// <inheritdoc/>
    public IJournalFile Create(string name)
    {
        bool maySpend = !JournalNames.IsNewSnapshot(name);
        if (!maySpend && isShort)
            throw new JournalStorageException(JournalStorageFault.DiskFull, name, $"cannot write {name}: the disk is full, and what is kept back is for records");
        return new File(this, Try(() => disk.Create(name), maySpend), maySpend);
    }

    /// <inheritdoc/>
    public void Rename(string from, string to) => Try(() =>
    {
        disk.Rename(from, to);
        return true;
    }, maySpend: true);

    /// <inheritdoc/>
    public void Delete(string name) => disk.Delete(name);

    /// <inheritdoc/>
    public void SyncDirectory() => disk.SyncDirectory();

    private T Try<T>(Func<T> call, bool maySpend)
    {
        while (true)
        {
            try
            {
                return call();
            }
            catch (JournalStorageException e) when (e.Fault == JournalStorageFault.DiskFull && maySpend)
            {
                if (!Spend() && MayTryAgain?.Invoke() != true)
                    throw;
            }
        }
    }

    /// <summary>Gives the room up; false if there is none.</summary>
    private bool Spend()
    {
        lock (gate)
        {
            bool had = isKept;
            isKept = false;
            if (had)
                Drop();
            Tell(true);
            return had;
        }
    }

    private bool TryFill()
    {
        try
        {
            using IJournalFile file = disk.List().Contains(FileName) ? disk.Open(FileName) : disk.Create(FileName);
            for (long at = file.Length; at < bytes; at += Piece.Length)
                file.Write(at, Piece.AsSpan(0, (int)Math.Min(Piece.Length, bytes - at)));
            return true;
        }
        catch (JournalStorageException e) when (e.Fault == JournalStorageFault.DiskFull)
        {
            return false;
        }
    }

    private void Drop()
    {
        if (disk.List().Contains(FileName))
            disk.Delete(FileName);
    }

    /// <summary>After a sync, which takes a thousand times as long as to ask.</summary>
    private void LookAtLittle()
    {
        if (isShort || disk.FreeBytes >= bytes / LittlePart)
            return;
        lock (gate)
            Tell(true);
    }

    private void Tell(bool nowShort)
    {
        if (nowShort == isShort)
            return;
        isShort = nowShort;
        changed?.Invoke(nowShort);
    }

    private sealed class File(ReservedStorage owner, IJournalFile file, bool maySpend) : IJournalFile
    {
        public string Path => file.Path;

        public long Length => file.Length;

        public int Read(long offset, Span<byte> buffer) => file.Read(offset, buffer);

        public void Write(long offset, ReadOnlySpan<byte> bytes)
        {
            while (true)
            {
                try
                {
                    file.Write(offset, bytes);
                    return;
                }
                catch (JournalStorageException e) when (e.Fault == JournalStorageFault.DiskFull && maySpend)
                {
                    if (!owner.Spend() && owner.MayTryAgain?.Invoke() != true)
                        throw;
                }
            }
        }

        public void Sync()
        {
            file.Sync();
            if (maySpend)
                owner.LookAtLittle();
        }

        public void Dispose() => file.Dispose();
    }
}
