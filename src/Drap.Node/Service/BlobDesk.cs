using System.Collections.Immutable;
using Drap.Api;
using Drap.Node.Blobs;

namespace Drap.Node.Service;

/// <summary>Takes files and folders into the store for jobs to come, and writes them out again.</summary>
internal sealed class BlobDesk(BlobStore store, DataBook book, TimeProvider time)
{
    /// <summary>Owner of what the user keeps.</summary>
    private static readonly JobId kept = new(new Guid(4, 0x6472, 0x6170, [0, 0, 0, 0, 0, 0, 0, 0]));

    /// <summary>
    /// What is added is pinned under one of three owners, by the hour; as an hour begins the pins of the one before the last are dropped.
    /// So each stays for at least an hour and at most two, whatever becomes of the client, through a restart too.
    /// </summary>
    private static readonly JobId[] uploads = [.. Enumerable.Range(1, 3).Select(i => new JobId(new Guid(i, 0x6472, 0x6170, [0, 0, 0, 0, 0, 0, 0, 0])))];

    private readonly Lock gate = new();
    private long hour = -1;

    public Task<BlobDocument> AddAsync(Stream content, CancellationToken cancel) => RunAsync(() =>
        Describe(store.AddStream(content, new AddOptions { Owner = Owner() })), cancel);

    public Task<BlobDocument> AddAsync(PathRequest request, CancellationToken cancel) => RunAsync(() =>
    {
        CheckPath(request.Path);
        var add = new AddOptions { Owner = Owner() };
        if (Directory.Exists(request.Path))
        {
            if (request.Plain && store.AddDirectory(request.Path, request.Ignore, add) is { Executables.IsEmpty: true } plain && !store.IsParcel(plain.Root))
                return Describe(plain.Root);
            return Describe(store.AddParcel(request.Path, request.Ignore, add));
        }
        if (!File.Exists(request.Path))
            throw new ApiException(ErrorCodes.NotFound, $"there is no file or folder {request.Path}", request.Path, "a file or folder of the node's machine");
        if (request.Offset == 0 && request.Length is null)
            return Describe(store.AddFile(request.Path, AddMode.Copy, add));
        using FileStream file = File.OpenRead(request.Path);
        long length = request.Length ?? file.Length - request.Offset;
        if (request.Offset < 0 || length < 0 || request.Offset + length > file.Length)
            throw new ApiException(ErrorCodes.BadRequest, $"{request.Path} has {file.Length} bytes, not {length} from {request.Offset} on", request.Path, "a range within the file");
        return Describe(store.AddStream(new FileRange(file, request.Offset, length), add));
    }, cancel);

    public Task<BlobDocument> DescribeAsync(Cid cid, CancellationToken cancel) => RunAsync(() => Describe(cid), cancel);

    public Task<Stream> OpenAsync(Cid cid, CancellationToken cancel) => RunAsync(() => store.OpenRead(cid), cancel);

    /// <summary>What the user keeps; with <paramref name="all"/> also what jobs do.</summary>
    public Task<BlobListDocument> ListAsync(bool all, CancellationToken cancel) => RunAsync(() =>
    {
        var blobs = ImmutableArray.CreateBuilder<BlobDocument>();
        Cid[] own = [.. Kept()];
        foreach (Cid cid in own)
            blobs.Add(store.Contains(cid) ? Describe(cid) : new BlobDocument { Cid = cid, Pinned = true, Name = book.NameOf(cid) });
        if (all)
            foreach (Cid cid in store.Pins().Except(own).Order())
                if (store.Contains(cid))
                    blobs.Add(Describe(cid));
        return new BlobListDocument { Blobs = blobs.ToImmutable(), StoreBlobs = store.Count, StoreBytes = store.Bytes };
    }, cancel);

    /// <summary>What the user keeps, what was named first at first.</summary>
    public IEnumerable<Cid> Kept() => store.PinsOf(kept).OrderBy(book.PlaceOf).ThenBy(c => c);

    /// <summary>Keeps a blob, or keeps it no more; names it, and says who may read it.</summary>
    public Task<BlobDocument> PinAsync(Cid cid, PinRequest request, CancellationToken cancel) => RunAsync(() =>
    {
        if (!request.Pinned)
        {
            store.Unpin(kept, cid);
            book.Forget(cid);
        }
        else if (store.IsComplete(cid))
        {
            store.Pin(kept, cid, durable: true);
            book.Name(cid, request.Name);
        }
        else
        {
            throw new ApiException(ErrorCodes.NotFound, $"the node does not have all of {cid}", cid.ToString(), "content that is here: drap data get brings it");
        }
        if (request.Public is { } isPublic)
            store.Publish([cid], isPublic);
        return store.Contains(cid) ? Describe(cid) : new BlobDocument { Cid = cid };
    }, cancel);

    /// <summary>Deletes what nothing keeps.</summary>
    public async Task<CollectReply> CollectAsync(CollectRequest request, CancellationToken cancel)
    {
        CollectionResult result = await RunAsync(() => store.CollectAsync(request.KeepBytes, cancel).GetAwaiter().GetResult(), cancel).ConfigureAwait(false);
        return new CollectReply { Deleted = result.Deleted, FreedBytes = result.FreedBytes, Kept = result.Kept, KeptBytes = result.KeptBytes };
    }

    public Task ExportAsync(Cid cid, PathRequest request, CancellationToken cancel) => RunAsync(() =>
    {
        CheckPath(request.Path);
        Export(cid, request);
        return true;
    }, cancel);

    public bool IsFolder(Cid cid) => cid.Codec == CidCodec.DagPb && (!store.Contains(cid) || store.TryGetFileDag(cid) is null);

    private void Export(Cid cid, PathRequest request)
    {
        string target = Path.TrimEndingDirectorySeparator(request.Path);
        bool isFolder = IsFolder(cid);
        if (isFolder ? File.Exists(target) : Directory.Exists(target))
            throw new ApiException(ErrorCodes.Conflict, $"{target} is a {(isFolder ? "file" : "folder")}, and {cid} is a {(isFolder ? "folder" : "file")}", target,
                isFolder ? "a folder, or nothing" : "a file, or nothing");
        string parent = Path.GetDirectoryName(target)!;
        Directory.CreateDirectory(parent);
        // Beside the target and renamed onto it: whoever looks there sees the old or the new, never a half.
        string temporary = Path.Combine(parent, $".{Path.GetFileName(target)}.{Guid.NewGuid():n}");
        try
        {
            var options = new MaterialiseOptions { Executable = request.Executable, Writable = true };
            if (isFolder && store.IsParcel(cid))
                store.MaterialiseParcel(cid, temporary, options);
            else
                store.Materialise(cid, temporary, options);
            if (!isFolder)
                File.Move(temporary, target, overwrite: true);
            else if (!Directory.Exists(target))
                Directory.Move(temporary, target);
            else
                Merge(new DirectoryInfo(temporary), target);
        }
        finally
        {
            if (isFolder && Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
            else
                File.Delete(temporary);
        }
    }

    /// <summary>Moves what is in a folder into another, file by file; what is there else stays.</summary>
    private static void Merge(DirectoryInfo from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (FileSystemInfo entry in from.EnumerateFileSystemInfos())
        {
            string target = Path.Combine(to, entry.Name);
            if (entry is DirectoryInfo { LinkTarget: null } folder)
            {
                if (Directory.Exists(target))
                    Merge(folder, target);
                else
                    folder.MoveTo(target);
            }
            else
            {
                File.Move(entry.FullName, target, overwrite: true);
            }
        }
    }

    private BlobDocument Describe(Cid cid)
    {
        if (!store.TryGetSize(cid, out long bytes))
            throw new ApiException(ErrorCodes.NotFound, $"the node does not have {cid}", cid.ToString());
        bool isKept = store.IsPinned(kept, cid);
        return new BlobDocument
        {
            Cid = cid, Bytes = bytes, Folder = IsFolder(cid), Pinned = isKept, Public = store.IsPublic(cid), Name = book.NameOf(cid),
            Jobs = store.PinnersOf(cid).Count(o => o != kept && !uploads.Contains(o)),
        };
    }

    /// <summary>Under which what comes now is kept for an hour or two.</summary>
    public JobId Owner()
    {
        long now = time.GetUtcNow().ToUnixTimeSeconds() / 3600;
        lock (gate)
        {
            if (now != hour)
                store.Unpin(uploads[(now + 1) % uploads.Length]);
            hour = now;
        }
        return uploads[now % uploads.Length];
    }

    private static void CheckPath(string path)
    {
        if (!Path.IsPathRooted(path))
            throw new ApiException(ErrorCodes.BadRequest, $"'{path}' is no absolute path", path, "an absolute path of the node's machine");
    }

    /// <summary>The store's calls block on the disk: not on the caller's thread.</summary>
    private static async Task<T> RunAsync<T>(Func<T> call, CancellationToken cancel)
    {
        try
        {
            return await Task.Run(call, cancel).ConfigureAwait(false);
        }
        catch (BlobMissingException e)
        {
            throw new ApiException(ErrorCodes.NotFound, e.Message, e.Cid.ToString());
        }
        catch (BlobRefusedException e)
        {
            throw new ApiException(ErrorCodes.BadRequest, e.Message);
        }
        catch (Exception e) when (e is BlobStoreException or IOException or UnauthorizedAccessException)
        {
            throw new ApiException(ErrorCodes.Storage, e.Message);
        }
    }

    /// <summary>A range of a file, from its beginning on.</summary>
    private sealed class FileRange : Stream
    {
        private readonly FileStream file;
        private long left;

        public FileRange(FileStream file, long offset, long length)
        {
            this.file = file;
            file.Position = offset;
            left = length;
        }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override int Read(Span<byte> buffer)
        {
            int count = file.Read(buffer[..(int)Math.Min(buffer.Length, left)]);
            left -= count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
