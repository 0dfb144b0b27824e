using System.Collections.Immutable;
using Drap.Core.Transfer;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>
/// The content-addressed store of a node: blobs under the CIDs that <c>ipfs add --cid-version=1</c> gives them, each kept once,
/// checked when read. Small blobs and the nodes of folders lie in packs, large ones are whole files. A blob is kept while a job pins
/// it (or what it belongs to), a hold is on it, or until the next collection. All members may be called from many threads; the
/// synchronous ones block only for the disk and, shortly, while a collection runs.
/// </summary>
public sealed class BlobStore : IDisposable
{
    /// <summary>Most blobs: more than this many would take over 500 MB of memory for the index alone.</summary>
    public const int BlobsMax = 2_000_000;

    private readonly BlobStoreOptions options;
    private readonly BlobIndex index;
    private readonly AsyncReaderWriterLock collection = new();
    private readonly HoldTable holds = new();
    private readonly SafeFileHandle owner;
    private readonly FileShelf files;
    private readonly PackShelf packs;
    private readonly PinTable pins;
    private readonly BlobImport import;

    private BlobStore(BlobStoreOptions options, SafeFileHandle owner)
    {
        this.options = options;
        this.owner = owner;
        index = new BlobIndex(options);
        files = new FileShelf(options.Folder);
        foreach (FileBlob blob in files.Scan())
            index.TryInsert(blob);
        string packFolder = Path.Combine(options.Folder, "packs");
        Directory.CreateDirectory(packFolder);
        packs = new PackShelf(packFolder, index.TryInsert);
        pins = new PinTable(Path.Combine(options.Folder, "pins"));
        Owners = new BlobOwners(Path.Combine(options.Folder, "owners"));
        import = new BlobImport(options, index, collection, holds, files, packs, pins);
        FileCalls.SyncFolder(options.Folder);
    }

    /// <summary>Blobs in the store.</summary>
    public int Count => index.Count;

    /// <summary>Bytes of all blobs; the disk holds a little more, and what a collection has not yet given back.</summary>
    public long Bytes => index.Bytes;

    internal BlobStoreOptions Options => options;

    internal FileShelf Files => files;

    internal HoldTable Holds => holds;

    /// <summary>Who brought which blobs here, where that is asked.</summary>
    internal BlobOwners Owners { get; }

    /// <summary>Whether the store's file system does not know reflinks; large files are then linked at once. Only a hint, so unguarded.</summary>
    internal bool CannotClone { get; set; }

    /// <summary>Opens the store in its folder, making it where it is not. Throws <see cref="BlobStoreException"/> while another one has it open.</summary>
    public static BlobStore Open(BlobStoreOptions options)
    {
        Invariant.Check(options.PackedBytesMax is >= 0 and <= UnixFs.ChunkBytes);
        Directory.CreateDirectory(options.Folder);
        SafeFileHandle owner;
        try
        {
            owner = File.OpenHandle(Path.Combine(options.Folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (!FileCalls.IsFull(e))
        {
            throw new BlobStoreException($"the blob store in {options.Folder} is in use by another process", e);
        }
        try
        {
            return new BlobStore(options, owner);
        }
        catch
        {
            owner.Dispose();
            throw;
        }
    }

    /// <summary>Adds bytes.</summary>
    public Cid AddBytes(ReadOnlySpan<byte> bytes, AddOptions add = default) => import.AddBytes(bytes, add);

    /// <summary>Adds what the stream holds from its position on.</summary>
    public Cid AddStream(Stream stream, AddOptions add = default) => import.AddStream(stream, add);

    /// <summary>
    /// Adds a regular file; a symbolic link is refused, not followed. After <see cref="AddMode.Move"/> the file is gone from its
    /// place; when the add fails it is still there.
    /// </summary>
    public Cid AddFile(string path, AddMode mode = AddMode.Copy, AddOptions add = default) => import.AddFile(path, mode, add);

    /// <summary>
    /// Adds a block that a peer sent: a raw leaf, or a node of a folder (directory, shard, symbolic link) after checking that it
    /// is one. Files of several leaves come by <see cref="AddStream"/> or <see cref="AddFile"/>.
    /// </summary>
    public void AddBlock(Cid cid, ReadOnlySpan<byte> block, AddOptions add = default) => import.AddBlock(cid, block, add);

    /// <summary>Whether this one blob is here; of a folder only its own node (see <see cref="IsComplete"/>).</summary>
    public bool Contains(Cid cid) => index.Contains(cid);

    /// <summary>Whether the blob, and for a folder all below it, is here.</summary>
    public bool IsComplete(Cid cid)
    {
        using BlobHold hold = Hold(cid);
        return FolderExport.IsComplete(this, cid);
    }

    /// <summary>Bytes of a file; for a folder the bytes of all its blocks, as its nodes say. False where it is not here.</summary>
    public bool TryGetSize(Cid cid, out long bytes)
    {
        bytes = 0;
        if (!index.TryGet(cid, out BlobEntry? entry))
            return false;
        bytes = entry.Length;
        if (entry is PackedBlob && cid.Codec == CidCodec.DagPb && ReadPacked(cid) is { } block
            && DagPb.TryDecode(block, out DagNode? node, out _))
            bytes += node.Links.Sum(l => l.DagBytes);
        return true;
    }

    /// <summary>Opens a file's bytes, checked chunk by chunk as they are read (<see cref="BlobCorruptException"/>); seekable.</summary>
    public Stream OpenRead(Cid cid)
    {
        using var reading = collection.EnterRead();
        BlobEntry entry = index.Find(cid);
        if (entry is FileBlob blob)
        {
            SafeFileHandle handle = FileCalls.OpenRegular(files.PathOf(cid));
            try
            {
                return new BlobStream(handle, files.DagOf(blob) ?? throw Corrupt(blob, -1), chunk => Corrupt(blob, chunk));
            }
            catch
            {
                handle.Dispose();
                throw;
            }
        }
        if (cid.Codec == CidCodec.DagPb)
            throw new BlobRefusedException($"{cid} is a folder or a symbolic link; only files can be opened");
        return new MemoryStream(ReadVerified((PackedBlob)entry), writable: false);
    }

    /// <summary>
    /// One block of the DAG under <paramref name="root"/>, for a peer: the root itself, a leaf or an inner node of a file, checked.
    /// Null where there is none. What a folder names is asked for under its own CID.
    /// </summary>
    public byte[]? TryReadBlock(Cid root, Cid block)
    {
        using var reading = collection.EnterRead();
        if (!index.TryGet(root, out BlobEntry? entry))
            return null;
        if (entry is PackedBlob packed)
            return root == block ? ReadVerified(packed) : null;
        var blob = (FileBlob)entry;
        FileDag dag = files.DagOf(blob) ?? throw Corrupt(blob, -1);
        if (block.Codec == CidCodec.DagPb)
        {
            DagBlock node = dag.Nodes().FirstOrDefault(n => n.Cid == block);
            return node.Cid.IsNone ? null : node.Bytes.ToArray();
        }
        for (int i = 0; i < dag.LeafCount; i++)
        {
            if (dag.LeafAt(i) != block)
                continue;
            var bytes = new byte[dag.LeafLength(i)];
            using SafeFileHandle handle = FileCalls.OpenRegular(files.PathOf(root));
            int got = FileCalls.Read(handle, bytes, (long)i * UnixFs.ChunkBytes);
            return dag.Verifies(i, bytes.AsSpan(0, got)) ? bytes : throw Corrupt(blob, i);
        }
        return null;
    }

    /// <summary>
    /// Opens one blob to be sent to a peer in parts: a file, or one node of a folder. Null where it is not here. Stays readable when the blob is
    /// collected meanwhile.
    /// </summary>
    internal OutgoingBlob? TryOpenParts(Cid cid)
    {
        using var reading = collection.EnterRead();
        if (!index.TryGet(cid, out BlobEntry? entry))
            return null;
        index.Touch(entry);
        if (entry is PackedBlob packed)
            return ReadPackedInside(cid) is { } bytes ? new OutgoingBlob(bytes) : null;
        var blob = (FileBlob)entry;
        FileDag? dag = files.DagOf(blob);
        if (dag is null)
        {
            _ = Corrupt(blob, -1);
            return null;
        }
        return new OutgoingBlob(FileCalls.OpenRegular(files.PathOf(cid)), dag, chunk => Corrupt(blob, chunk));
    }

    /// <summary>A place for a file of several leaves that peers send, each of them checked by the caller.</summary>
    internal IncomingFile Receive(FileDag dag)
    {
        index.CheckRoom(dag.Length);
        return files.Receive(dag);
    }

    /// <summary>Throws <see cref="BlobStoreFullException"/> where so many bytes have no room.</summary>
    internal void CheckRoom(long bytes) => index.CheckRoom(bytes);

    /// <summary>Keeps a file that came whole.</summary>
    internal void Keep(IncomingFile file, FileDag dag, AddOptions add) => import.Keep(file, dag, add);

    /// <summary>Makes blobs that are here outlive a power cut; those that are not are passed over.</summary>
    internal void Sync(IEnumerable<Cid> cids)
    {
        foreach (Cid cid in cids)
        {
            using BlobHold hold = Hold(cid);
            if (!index.TryGet(cid, out BlobEntry? entry))
                continue;
            if (entry is PackedBlob packed)
                PackShelf.Sync(packed);
            else
                files.Sync((FileBlob)entry);
        }
    }

    /// <summary>The digests of a file's leaves, which let a receiver check what it gets piece by piece; null for what is no file here.</summary>
    public FileDag? TryGetFileDag(Cid cid)
    {
        using var reading = collection.EnterRead();
        if (!index.TryGet(cid, out BlobEntry? entry) || (entry is PackedBlob && cid.Codec == CidCodec.DagPb))
            return null;
        if (entry is FileBlob blob)
            return files.DagOf(blob) ?? throw Corrupt(blob, -1);
        var digest = new byte[32];
        cid.CopyDigest(digest);
        return new FileDag(entry.Length, digest);
    }

    /// <summary>
    /// Adds a folder as <c>ipfs add -r --cid-version=1</c> does, files by copy. With <paramref name="useIgnoreFiles"/> what
    /// <c>.drapignore</c> (where there is none, <c>.gitignore</c>) excludes stays out, and always <c>.git</c>. Symbolic links that
    /// could lead out of the folder are refused, as are sockets, pipes and devices.
    /// </summary>
    public FolderAdded AddDirectory(string path, bool useIgnoreFiles = false, AddOptions add = default) =>
        FolderImport.Add(this, path, useIgnoreFiles, add);

    /// <summary>
    /// Adds a folder together with which of its files are executable, which its own name does not cover: a directory of
    /// <c>files</c> (the folder as <see cref="AddDirectory"/> names it) and <c>executables</c> (their paths, each ended by NUL).
    /// </summary>
    public Cid AddParcel(string path, bool useIgnoreFiles = false, AddOptions add = default) =>
        FolderImport.AddParcel(this, path, useIgnoreFiles, add);

    /// <summary>
    /// Adds a folder whole: as <see cref="AddDirectory"/> where nothing in it is executable, else as <see cref="AddParcel"/>, and so too
    /// where it has itself the form of a parcel. What is told of it is the folder's, but for the root.
    /// </summary>
    public FolderAdded AddTree(string path, AddOptions add = default) => FolderImport.AddTree(this, path, add);

    /// <summary>
    /// Puts a file or a folder to <paramref name="target"/>, which must not be there yet (its parent must): by reflink where the
    /// file system can, else small files as copies and large ones as read-only hard links. Call <see cref="Release"/> after use.
    /// When it throws, nothing is left at the target.
    /// </summary>
    public Materialised Materialise(Cid cid, string target, MaterialiseOptions options = default) =>
        FolderExport.Run(this, cid, target, options);

    /// <summary>As <see cref="Materialise"/>, of what <see cref="AddParcel"/> made: with the executables executable.</summary>
    public Materialised MaterialiseParcel(Cid cid, string target, MaterialiseOptions options = default) =>
        FolderExport.RunParcel(this, cid, target, options);

    /// <summary>Whether a blob has the form that <see cref="AddParcel"/> makes.</summary>
    public bool IsParcel(Cid cid) => FolderExport.IsParcel(this, cid);

    /// <summary>
    /// Removes the hard links of a materialisation (before its folder is removed otherwise) and checks the blobs that were written
    /// through them. Gives the CIDs of those that were spoilt and are now in quarantine; usually none. Skipping it costs the next
    /// user of each linked blob a check of the whole file.
    /// </summary>
    public ImmutableArray<Cid> Release(Materialised materialised) => FolderExport.Release(this, materialised);

    /// <summary>Keeps a blob, and for a folder all below it, from collection until the hold is disposed; it need not be here yet.</summary>
    public BlobHold Hold(Cid cid)
    {
        using var reading = collection.EnterRead();
        var hold = new BlobHold(holds);
        hold.Add(cid);
        return hold;
    }

    /// <summary>Keeps a blob, and for a folder all below it, for a job until <see cref="Unpin(JobId)"/>; it need not be here yet.</summary>
    public void Pin(JobId owner, Cid cid, bool durable = false)
    {
        using var reading = collection.EnterRead();
        pins.Pin(owner, cid, durable);
    }

    /// <summary>Ends one pin of a job.</summary>
    public void Unpin(JobId owner, Cid cid) => pins.Unpin(owner, cid);

    /// <summary>Ends all pins of a job.</summary>
    public void Unpin(JobId owner) => pins.UnpinAll(owner);

    /// <summary>Everybody in the swarm may read these from now on, and what folders among them name; or nobody may only because of this.</summary>
    public void Publish(IEnumerable<Cid> roots, bool isPublic = true)
    {
        Cid[] all = [.. roots.SelectMany(root => FolderExport.Reach(this, root))];
        if (all.Length > 0 && isPublic)
            Owners.Publish(all);
        else if (all.Length > 0)
            Owners.Withdraw(all);
    }

    /// <summary>Whether everybody in the swarm may read it.</summary>
    public bool IsPublic(Cid cid) => Owners.IsPublic(cid);

    /// <summary>What a job keeps.</summary>
    public ImmutableArray<Cid> PinsOf(JobId owner) => pins.Of(owner);

    /// <summary>What jobs keep, each once.</summary>
    public IReadOnlySet<Cid> Pins() => pins.All();

    /// <summary>Which jobs keep it.</summary>
    public ImmutableArray<JobId> PinnersOf(Cid cid) => pins.OwnersOf(cid);

    public bool IsPinned(JobId owner, Cid cid) => pins.IsPinned(owner, cid);

    /// <summary>
    /// Deletes blobs that nothing pins or holds, the longest unused first, until those left take at most
    /// <paramref name="unpinnedBytesMax"/>; then gives space in packs back. Waits for calls that are inside; others wait for it.
    /// Cancelled while it waits, it has done nothing; once it runs it ends.
    /// </summary>
    public async Task<CollectionResult> CollectAsync(long unpinnedBytesMax = 0, CancellationToken cancellationToken = default)
    {
        using var writing = await collection.EnterWriteAsync(cancellationToken).ConfigureAwait(false);
        HashSet<Cid> kept = Mark();
        List<BlobEntry> unpinned = [.. index.Entries.Where(e => !kept.Contains(e.Cid)).OrderByDescending(e => e.LastUse).ThenBy(e => e.Cid)];
        long left = unpinnedBytesMax, freed = 0;
        int deleted = 0;
        foreach (BlobEntry entry in unpinned)
        {
            if (left >= entry.Length)
            {
                left -= entry.Length;
                continue;
            }
            left = 0; // what is older than the first that goes, goes too
            Delete(entry);
            freed += entry.Length;
            deleted++;
        }
        freed += files.RemovePartial(all: unpinnedBytesMax == 0);
        packs.Compact(index.Entries.OfType<PackedBlob>(), index.Move, Delete);
        pins.Tidy();
        Owners.Tidy(index.Contains);
        return new CollectionResult(deleted, freed, index.Count, Bytes);
    }

    public void Dispose()
    {
        packs.Dispose();
        pins.Dispose();
        Owners.Dispose();
        owner.Dispose();
    }

    /// <summary>A packed blob's bytes, checked; null where there is none (a corrupt one is quarantined, and then there is none).</summary>
    internal byte[]? ReadPacked(Cid cid)
    {
        using var reading = collection.EnterRead();
        return ReadPackedInside(cid);
    }

    /// <summary>Keeps a blob's entry from collection while <paramref name="use"/> works with it.</summary>
    internal T Use<T>(Cid cid, Func<BlobEntry, T> use)
    {
        using var reading = collection.EnterRead();
        return use(index.Find(cid));
    }

    /// <summary>Puts a blob whose bytes are bad out of the way and gives the error to throw.</summary>
    internal BlobCorruptException Corrupt(BlobEntry entry, int chunk)
    {
        // In the stripe, so that the file of a fresh add of the same blob is not the one that goes.
        lock (index.StripeOf(entry.Cid))
        {
            if (index.TryRemove(entry))
            {
                if (entry is FileBlob)
                    files.Quarantine(entry.Cid);
                else
                    packs.Delete((PackedBlob)entry);
            }
        }
        return new BlobCorruptException(entry.Cid, chunk);
    }

    internal void AddNode(DagBlock block, AddOptions add) => import.AddPacked(block.Cid, block.Bytes.Span, add);

    internal byte[] ReadVerified(PackedBlob blob) => PackShelf.Read(blob) ?? throw Corrupt(blob, 0);

    private byte[]? ReadPackedInside(Cid cid)
    {
        if (!index.TryGet(cid, out BlobEntry? entry) || entry is not PackedBlob packed)
            return null;
        if (PackShelf.Read(packed) is { } bytes)
            return bytes;
        _ = Corrupt(packed, 0);
        return null;
    }

    private void Delete(BlobEntry entry)
    {
        if (!index.TryRemove(entry))
            return;
        if (entry is FileBlob blob)
            files.Delete(blob);
        else
            packs.Delete((PackedBlob)entry);
    }

    /// <summary>All that pins and holds keep, with what folders among it name.</summary>
    private HashSet<Cid> Mark()
    {
        HashSet<Cid> marked = pins.All();
        marked.UnionWith(holds.All());
        var open = new Stack<Cid>(marked);
        while (open.TryPop(out Cid cid))
        {
            if (cid.Codec != CidCodec.DagPb || ReadPackedInside(cid) is not { } block
                || !DagPb.TryDecode(block, out DagNode? node, out _))
                continue;
            foreach (DagLink link in node.Links)
            {
                if (marked.Add(link.Target))
                    open.Push(link.Target);
            }
        }
        return marked;
    }
}

/// <summary>What a collection did.</summary>
/// <param name="Deleted">Blobs deleted.</param>
/// <param name="FreedBytes">Their bytes.</param>
/// <param name="Kept">Blobs left.</param>
/// <param name="KeptBytes">Their bytes.</param>
public readonly record struct CollectionResult(int Deleted, long FreedBytes, int Kept, long KeptBytes);
