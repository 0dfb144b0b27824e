using System.Buffers;
using System.Buffers.Binary;
using Drap.Core.Transfer;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>
/// Large blobs, each whole in a read-only file named by its CID, with the digests of its leaves beside it (<c>.dag</c>: magic,
/// length, 32 bytes per 256 KiB; its own check, since the root follows from it). A file that is here was complete when it was
/// renamed to here; temporary ones are removed at open.
/// </summary>
internal sealed class FileShelf
{
    /// <summary>Quarantined files kept for a person to look at; the oldest go first.</summary>
    private const int QuarantinedMax = 8;

    private const UnixFileMode WriteMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    private const int IndexHeaderBytes = 16;
    private static ReadOnlySpan<byte> IndexMagic => "drapdag1"u8;

    private readonly string files, tmp, partial, quarantine;
    private readonly HashSet<string> growing = new(StringComparer.Ordinal);
    private readonly Dictionary<string, FileStamp> lastSeen = new(StringComparer.Ordinal);
    private long tmpNumber;

    public FileShelf(string folder)
    {
        files = Path.Combine(folder, "files");
        tmp = Path.Combine(folder, "tmp");
        partial = Path.Combine(folder, "partial");
        quarantine = Path.Combine(folder, "quarantine");
        if (Directory.Exists(tmp))
            Directory.Delete(tmp, recursive: true);
        Directory.CreateDirectory(tmp);
        Directory.CreateDirectory(partial);
        Directory.CreateDirectory(quarantine);
        // All 256 at once and synced, so that a durable add has one folder to sync.
        bool isNew = !Directory.Exists(Path.Combine(files, "ff"));
        for (int i = 0; isNew && i < 256; i++)
            Directory.CreateDirectory(Path.Combine(files, i.ToString("x2", System.Globalization.CultureInfo.InvariantCulture)));
        if (isNew)
            FileCalls.SyncFolder(files);
    }

    /// <summary>The blobs whose files are there, of a length that their name allows; what else lies about is removed.</summary>
    public IEnumerable<FileBlob> Scan()
    {
        foreach (string path in Directory.EnumerateFiles(files, "*", SearchOption.AllDirectories))
        {
            string name = Path.GetFileName(path);
            bool isIndex = name.EndsWith(".dag", StringComparison.Ordinal);
            if (isIndex && File.Exists(path[..^4]))
                continue;
            long length = new FileInfo(path).Length;
            bool isSound = Cid.TryParse(name, out Cid cid)
                && (cid.Codec == CidCodec.Raw ? length <= UnixFs.ChunkBytes : length is > UnixFs.ChunkBytes and <= UnixFs.FileBytesMax);
            if (isIndex || !isSound)
                File.Delete(path);
            else
                yield return new FileBlob(cid, length);
        }
    }

    public string PathOf(Cid cid)
    {
        Span<byte> digest = stackalloc byte[32];
        cid.CopyDigest(digest);
        return Path.Combine(files, Convert.ToHexStringLower(digest[..1]), cid.ToString());
    }

    /// <summary>A new name in the temporary folder, which is on the file system of the store.</summary>
    public string NewTemporary() =>
        Path.Combine(tmp, Interlocked.Increment(ref tmpNumber).ToString(System.Globalization.CultureInfo.InvariantCulture));

    /// <summary>A place for a file that peers send. One that is sent twice at the same time grows twice, the second without what is there already.</summary>
    public IncomingFile Receive(FileDag dag)
    {
        string path = Path.Combine(partial, dag.Root.ToString());
        lock (growing)
            if (!growing.Add(path))
                return new IncomingFile(NewTemporary(), dag, null);
        try
        {
            return new IncomingFile(path, dag, Release);
        }
        catch
        {
            Release();
            throw;
        }

        void Release()
        {
            lock (growing)
                growing.Remove(path);
        }
    }

    /// <summary>Removes what came in part of files and has not grown since this was called last; all that does not grow now if <paramref name="all"/>. Gives the bytes.</summary>
    public long RemovePartial(bool all)
    {
        long freed = 0;
        lock (growing)
        {
            foreach (string path in Directory.EnumerateFiles(partial))
            {
                if (growing.Contains(path) || FileCalls.Stat(path) is not { } stamp)
                    continue;
                bool isOld = lastSeen.TryGetValue(path, out FileStamp seen) && seen == stamp;
                lastSeen[path] = stamp;
                if (!all && !isOld)
                    continue;
                File.Delete(path);
                freed += stamp.Size;
            }
            foreach (string gone in lastSeen.Keys.Where(p => !File.Exists(p)).ToArray())
                lastSeen.Remove(gone);
        }
        return freed;
    }

    /// <summary>Writes <paramref name="stream"/> after <paramref name="start"/> into a temporary file and hashes it on the way.</summary>
    public static FileDag Write(string path, ReadOnlySpan<byte> start, Stream stream)
    {
        using SafeFileHandle handle = FileCalls.CreateNew(path, WriteMode);
        using var builder = new FileDagBuilder();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(UnixFs.ChunkBytes);
        try
        {
            Append(start);
            for (int got; (got = stream.Read(buffer)) > 0;)
                Append(buffer.AsSpan(0, got));
            return builder.Finish();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        void Append(ReadOnlySpan<byte> bytes)
        {
            long at = builder.Length;
            if (!builder.TryAppend(bytes))
                throw new BlobRefusedException($"a blob of more than {UnixFs.FileBytesMax} bytes (1 TiB) is not taken");
            FileCalls.Write(handle, bytes, at, path);
        }
    }

    /// <summary>Hashes a whole file.</summary>
    public static FileDag Hash(SafeFileHandle handle, string path)
    {
        using var builder = new FileDagBuilder();
        byte[] buffer = ArrayPool<byte>.Shared.Rent(UnixFs.ChunkBytes);
        try
        {
            while (true)
            {
                int got = FileCalls.Read(handle, buffer.AsSpan(0, UnixFs.ChunkBytes), builder.Length);
                if (!builder.TryAppend(buffer.AsSpan(0, got)))
                    throw new BlobRefusedException($"{path} has more than {UnixFs.FileBytesMax} bytes (1 TiB), which is not taken");
                if (got < UnixFs.ChunkBytes)
                    return builder.Finish();
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Writes the index of a file of several leaves into a temporary file; null for one of one leaf, which needs none.</summary>
    public string? WriteIndex(FileDag dag)
    {
        if (dag.LeafCount == 1)
            return null;
        string path = NewTemporary();
        byte[] header = new byte[IndexHeaderBytes];
        IndexMagic.CopyTo(header);
        BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(8), dag.Length);
        using SafeFileHandle handle = FileCalls.CreateNew(path, WriteMode);
        FileCalls.Write(handle, header, 0, path);
        FileCalls.Write(handle, dag.Digests, IndexHeaderBytes, path);
        return path;
    }

    /// <summary>Moves finished temporary files to their place and gives the entry. The caller holds the blob's stripe; <paramref name="hashed"/> is the file's stamp from before it was hashed.</summary>
    public FileBlob Publish(FileDag dag, string file, string? index, FileStamp? hashed)
    {
        string path = PathOf(dag.Root);
        // The index first: a file without one can be hashed again, an index without a file is only litter.
        if (index is not null)
            FileCalls.TryRename(index, path + ".dag");
        FileCalls.TryRename(file, path);
        // The rename itself moved the change time; whoever wrote since the hashing moved the modification time.
        FileStamp? now = FileCalls.Stat(path);
        bool isUntouched = now is { } n && hashed is { } h && n.Size == dag.Length && n.ModifiedNs == h.ModifiedNs && n.Inode == h.Inode;
        return new FileBlob(dag.Root, dag.Length) { Verified = isUntouched ? now : null, Dag = dag };
    }

    /// <summary>Makes a published blob durable: its bytes, its index, its name.</summary>
    public void Sync(FileBlob blob)
    {
        lock (blob.Gate)
        {
            if (blob.IsSynced)
                return;
            string path = PathOf(blob.Cid);
            SyncFile(path);
            if (blob.Cid.Codec == CidCodec.DagPb && File.Exists(path + ".dag"))
                SyncFile(path + ".dag");
            FileCalls.SyncFolder(Path.GetDirectoryName(path)!);
            blob.IsSynced = true;
        }
    }

    /// <summary>The DAG of a blob: from memory, from its index, or, where that is missing or bad, from its bytes. Null where these are bad too.</summary>
    public FileDag? DagOf(FileBlob blob)
    {
        if (blob.Dag is { } known)
            return known;
        lock (blob.Gate)
        {
            FileDag? dag = blob.Dag ?? ReadIndex(blob) ?? Rehash(blob);
            blob.Dag = dag;
            return dag;
        }
    }

    /// <summary>
    /// Whether the file's bytes are those of its name: at once if its stamp is that of the last check, else by hashing it. The
    /// caller holds the blob's gate. On false <paramref name="badChunk"/> is the first bad one, -1 if that cannot be told.
    /// </summary>
    public bool Verify(FileBlob blob, out int badChunk)
    {
        badChunk = -1;
        string path = PathOf(blob.Cid);
        FileStamp? before = FileCalls.Stat(path);
        if (before is null)
            return false;
        if (before == blob.Verified)
            return true;
        using SafeFileHandle handle = FileCalls.OpenRegular(path);
        FileDag actual = Hash(handle, path);
        if (actual.Root == blob.Cid)
        {
            blob.Verified = before;
            return true;
        }
        blob.Verified = null;
        if ((blob.Dag ?? ReadIndex(blob)) is { } wanted)
            badChunk = actual.Digests.CommonPrefixLength(wanted.Digests) / 32;
        return false;
    }

    /// <summary>Takes a bad file out of its place, for a person to look at.</summary>
    public void Quarantine(Cid cid)
    {
        string path = PathOf(cid);
        File.Delete(path + ".dag");
        if (File.Exists(path))
            FileCalls.TryRename(path, Path.Combine(quarantine, cid.ToString()));
        FileInfo[] kept = [.. new DirectoryInfo(quarantine).EnumerateFiles().OrderByDescending(f => f.LastWriteTimeUtc)];
        foreach (FileInfo old in kept.Skip(QuarantinedMax))
            old.Delete();
    }

    public void Delete(FileBlob blob)
    {
        string path = PathOf(blob.Cid);
        File.Delete(path);
        File.Delete(path + ".dag");
    }

    private static void SyncFile(string path)
    {
        using SafeFileHandle handle = FileCalls.OpenRegular(path);
        FileCalls.Sync(handle, path);
    }

    private FileDag? ReadIndex(FileBlob blob)
    {
        if (blob.Cid.Codec == CidCodec.Raw)
        {
            var digest = new byte[32];
            blob.Cid.CopyDigest(digest);
            return new FileDag(blob.Length, digest);
        }
        string path = PathOf(blob.Cid) + ".dag";
        long digestBytes = 32L * UnixFs.LeafCount(blob.Length);
        if (FileCalls.Stat(path) is not { IsRegular: true } stamp || stamp.Size != IndexHeaderBytes + digestBytes)
            return null;
        byte[] bytes = File.ReadAllBytes(path);
        if (bytes.Length != IndexHeaderBytes + digestBytes || !bytes.AsSpan().StartsWith(IndexMagic)
            || BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8)) != blob.Length)
            return null;
        var dag = new FileDag(blob.Length, bytes[IndexHeaderBytes..]);
        return dag.Root == blob.Cid ? dag : null;
    }

    private FileDag? Rehash(FileBlob blob)
    {
        string path = PathOf(blob.Cid);
        using SafeFileHandle handle = FileCalls.OpenRegular(path);
        FileStamp? stamp = FileCalls.Stat(path);
        FileDag dag = Hash(handle, path);
        if (dag.Root != blob.Cid)
            return null;
        FileCalls.TryRename(WriteIndex(dag)!, path + ".dag");
        blob.Verified = stamp;
        return dag;
    }
}
