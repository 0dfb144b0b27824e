using Drap.Core.Transfer;

namespace Drap.Node.Blobs;

/// <summary>Where one blob lies.</summary>
internal abstract class BlobEntry(Cid cid, long length)
{
    private long lastUse;

    public Cid Cid { get; } = cid;

    public long Length { get; } = length;

    /// <summary>A number that grows with each use in this store; collection takes the lowest first.</summary>
    public long LastUse => Volatile.Read(ref lastUse);

    public void Use(long tick) => Volatile.Write(ref lastUse, tick);
}

/// <summary>A small blob, a record of a pack.</summary>
internal sealed class PackedBlob(Cid cid, int length, Pack pack, long offset) : BlobEntry(cid, length)
{
    public Pack Pack { get; } = pack;

    /// <summary>Where its record starts.</summary>
    public long Offset { get; } = offset;
}

/// <summary>A large blob, a file of its own. <see cref="Gate"/> guards what is known of the file's state.</summary>
internal sealed class FileBlob(Cid cid, long length) : BlobEntry(cid, length)
{
    private WeakReference<FileDag>? dag;

    public Lock Gate { get; } = new();

    /// <summary>The file's stamp when its bytes were last seen to be right; null if not since the store was opened.</summary>
    public FileStamp? Verified { get; set; }

    /// <summary>Whether bytes, index and name were synced since the store was opened.</summary>
    public bool IsSynced { get; set; }

    /// <summary>The file's DAG while somebody uses it; 128 KiB per GB, so not kept for all.</summary>
    public FileDag? Dag
    {
        get => dag is not null && dag.TryGetTarget(out FileDag? d) ? d : null;
        set => dag = value is null ? null : new WeakReference<FileDag>(value);
    }
}
