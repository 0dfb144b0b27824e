using System.Buffers;
using Drap.Core.Transfer;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>How bytes, files and blocks come into a store: hashed as they are copied, checked against what is expected, put in their place at once or not at all.</summary>
internal sealed class BlobImport(
    BlobStoreOptions options, BlobIndex index, AsyncReaderWriterLock collection, HoldTable holds, FileShelf files, PackShelf packs, PinTable pins)
{
    public Cid AddBytes(ReadOnlySpan<byte> bytes, AddOptions add)
    {
        if (bytes.Length > options.PackedBytesMax)
            return AddTemporary(bytes, Stream.Null, add);
        Cid cid = Cid.Of(CidCodec.Raw, bytes);
        Expect(add, cid);
        AddPacked(cid, bytes, add);
        return cid;
    }

    public Cid AddStream(Stream stream, AddOptions add)
    {
        byte[] start = ArrayPool<byte>.Shared.Rent(options.PackedBytesMax + 1);
        try
        {
            int have = stream.ReadAtLeast(start.AsSpan(0, options.PackedBytesMax + 1), options.PackedBytesMax + 1, throwOnEndOfStream: false);
            return have <= options.PackedBytesMax ? AddBytes(start.AsSpan(0, have), add) : AddTemporary(start.AsSpan(0, have), stream, add);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(start);
        }
    }

    public Cid AddFile(string path, AddMode mode, AddOptions add)
    {
        using SafeFileHandle source = FileCalls.OpenRegular(path);
        long length = RandomAccess.GetLength(source);
        if (length > options.PackedBytesMax)
            return AddLarge(path, source, mode, add);
        byte[] bytes = ArrayPool<byte>.Shared.Rent((int)length + 1);
        try
        {
            // One byte more than it had: a file that grows meanwhile shows.
            int have = FileCalls.Read(source, bytes.AsSpan(0, (int)length + 1), 0);
            Cid cid = AddBytes(bytes.AsSpan(0, have), add);
            if (mode == AddMode.Move)
                File.Delete(path);
            return cid;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    public void AddBlock(Cid cid, ReadOnlySpan<byte> block, AddOptions add)
    {
        if (cid.Codec == CidCodec.Raw && block.Length <= UnixFs.ChunkBytes)
        {
            AddBytes(block, add with { Expected = cid });
            return;
        }
        Cid actual = Cid.Of(cid.Codec, block);
        if (actual != cid)
            throw new BlobMismatchException(cid, actual);
        if (cid.Codec == CidCodec.Raw)
            throw new BlobRefusedException($"raw block {cid} has {block.Length} bytes; at most {UnixFs.ChunkBytes} are taken");
        if (!DagPb.TryDecode(block.ToArray(), out DagNode? node, out string? error))
            throw new BlobRefusedException($"block {cid} is refused: {error}");
        if (node.Kind is not (UnixFsKind.Directory or UnixFsKind.Shard or UnixFsKind.Symlink))
            throw new BlobRefusedException($"block {cid} is part of a file; only whole files and nodes of folders are taken");
        AddPacked(cid, block, add);
    }

    public void Keep(IncomingFile file, FileDag dag, AddOptions add)
    {
        Expect(add, dag.Root);
        FileStamp? stamp = file.Finish();
        Publish(dag, file.Path, stamp, add);
    }

    public void AddPacked(Cid cid, ReadOnlySpan<byte> bytes, AddOptions add)
    {
        using var adding = collection.EnterRead();
        BlobEntry? entry;
        if (!index.TryGet(cid, out entry))
        {
            index.CheckRoom(bytes.Length);
            entry = packs.Append(cid, bytes, c => index.TryGet(c, out BlobEntry? known) ? known as PackedBlob : null, b => index.TryInsert(b));
        }
        Keep(entry, add);
        if (!add.Durable)
            return;
        if (entry is PackedBlob packed)
            PackShelf.Sync(packed);
        else
            files.Sync((FileBlob)entry);
    }

    private Cid AddTemporary(ReadOnlySpan<byte> start, Stream rest, AddOptions add)
    {
        string path = files.NewTemporary();
        try
        {
            FileDag dag = FileShelf.Write(path, start, rest);
            Expect(add, dag.Root);
            FileCalls.MakeReadOnly(path);
            Publish(dag, path, FileCalls.Stat(path), add);
            return dag.Root;
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }

    private Cid AddLarge(string path, SafeFileHandle source, AddMode mode, AddOptions add)
    {
        string tmp = files.NewTemporary();
        bool isMoved = mode == AddMode.Move && FileCalls.TryRename(path, tmp);
        FileDag? dag = null;
        try
        {
            FileStamp? hashed;
            if (isMoved || (mode == AddMode.Link && FileCalls.TryLink(path, tmp)))
            {
                // Opened anew under its own name: what was renamed need not be what was opened.
                using SafeFileHandle own = FileCalls.OpenRegular(tmp);
                hashed = FileCalls.Stat(tmp);
                dag = FileShelf.Hash(own, path);
            }
            else
            {
                dag = Copy(source, tmp);
                hashed = FileCalls.Stat(tmp);
            }
            Expect(add, dag.Root);
            if (mode != AddMode.Link)
                FileCalls.MakeReadOnly(tmp);
            Publish(dag, tmp, hashed, add);
            if (mode == AddMode.Move && !isMoved)
                File.Delete(path);
            return dag.Root;
        }
        catch
        {
            if (isMoved && File.Exists(tmp))
                FileCalls.TryRename(tmp, path);
            // It is in its place already, and only its pin found no room: the caller has it back all the same.
            else if (isMoved && dag is not null)
                FileCalls.TryLink(files.PathOf(dag.Root), path);
            File.Delete(tmp);
            throw;
        }
    }

    /// <summary>Copies and hashes what was copied, not what the file may have become since.</summary>
    private static FileDag Copy(SafeFileHandle source, string tmp)
    {
        using (SafeFileHandle target = FileCalls.CreateNew(tmp, UnixFileMode.UserRead | UnixFileMode.UserWrite))
        {
            if (FileCalls.TryClone(source, target, tmp, out _))
                return FileShelf.Hash(target, tmp);
        }
        File.Delete(tmp);
        using var stream = new FileStream(source, FileAccess.Read, bufferSize: 0);
        return FileShelf.Write(tmp, [], stream);
    }

    private void Publish(FileDag dag, string tmp, FileStamp? hashed, AddOptions add)
    {
        string? tmpIndex = null;
        try
        {
            tmpIndex = files.WriteIndex(dag);
            // Held while it is synced, which takes long and must not keep a collection waiting.
            using BlobHold? hold = add.Durable ? new BlobHold(holds) : null;
            FileBlob? blob;
            using (collection.EnterRead())
            lock (index.StripeOf(dag.Root))
            {
                if (!index.TryGet(dag.Root, out BlobEntry? entry))
                {
                    index.CheckRoom(dag.Length);
                    entry = files.Publish(dag, tmp, tmpIndex, hashed);
                    index.TryInsert(entry);
                    tmpIndex = null;
                }
                else
                {
                    File.Delete(tmp);
                }
                Keep(entry, add);
                hold?.Add(entry.Cid);
                blob = entry as FileBlob;
                if (blob is null && add.Durable)
                    PackShelf.Sync((PackedBlob)entry);
            }
            if (add.Durable && blob is not null)
                files.Sync(blob);
        }
        finally
        {
            if (tmpIndex is not null)
                File.Delete(tmpIndex);
        }
    }

    private void Keep(BlobEntry entry, AddOptions add)
    {
        index.Touch(entry);
        add.Hold?.Add(entry.Cid);
        if (add.Owner is { } job)
            pins.Pin(job, entry.Cid, add.Durable);
    }

    private static void Expect(AddOptions add, Cid actual)
    {
        if (!add.Expected.IsNone && add.Expected != actual)
            throw new BlobMismatchException(add.Expected, actual);
    }
}
