namespace Drap.Node.Blobs;

/// <summary>How a <see cref="BlobStore"/> keeps its blobs.</summary>
public sealed record BlobStoreOptions
{
    /// <summary>The store's own folder; one store per folder, on the disk where tasks' work folders lie if moving is to be free.</summary>
    public required string Folder { get; init; }

    /// <summary>Most bytes that the store keeps. Default: no limit but the disk. At the limit an add throws <see cref="BlobStoreFullException"/>.</summary>
    public long CapacityBytes { get; init; } = long.MaxValue;

    /// <summary>
    /// Whether the disk is full, as who keeps room on it for something else knows: an add throws <see cref="BlobStoreFullException"/> then. Default: it never is.
    /// </summary>
    public Func<bool> IsShort { get; init; } = static () => false;

    /// <summary>
    /// Blobs up to this size go into packs. Default 16 KiB: up to there writing the bytes twice at a compaction costs less than a
    /// file (about 30 µs to make, 4 KiB of slack). At most <see cref="Drap.Core.Transfer.UnixFs.ChunkBytes"/>.
    /// </summary>
    public int PackedBytesMax { get; init; } = 16 * 1024;

    /// <summary>
    /// Files from this size on are given out as hard links where the file system cannot reflink. Default 1 MiB: below it a copy
    /// costs less than the risk that a task which writes its inputs makes us fetch the blob again.
    /// </summary>
    public long LinkBytesMin { get; init; } = 1 << 20;
}

/// <summary>How a file comes into the store.</summary>
public enum AddMode
{
    /// <summary>The file stays; the store has its own bytes, sharing blocks where the file system can (reflink).</summary>
    Copy,

    /// <summary>The file goes into the store by a rename; nobody may still write it. Copied and removed across file systems.</summary>
    Move,

    /// <summary>The store and the file's owner share one inode; the owner must not write it again. Copied where that cannot be.</summary>
    Link,
}

/// <summary>What an add does beside keeping the blob.</summary>
public readonly record struct AddOptions
{
    /// <summary>The job that needs it: pinned before any collection could take it. Null: kept until the next collection.</summary>
    public JobId? Owner { get; init; }

    /// <summary>Whether the add returns only when bytes, names and pin survive a power cut.</summary>
    public bool Durable { get; init; }

    /// <summary>The name that the bytes must have; anything else is refused with <see cref="BlobMismatchException"/>. Default: any.</summary>
    public Cid Expected { get; init; }

    internal BlobHold? Hold { get; init; }
}
