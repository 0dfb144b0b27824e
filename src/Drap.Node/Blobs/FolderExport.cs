using System.Collections.Immutable;
using System.Text;
using Drap.Core.Transfer;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>How a blob is put into place.</summary>
public readonly record struct MaterialiseOptions
{
    /// <summary>Whether the file is executable; of a folder nothing is, unless it is a parcel.</summary>
    public bool Executable { get; init; }

    /// <summary>
    /// Whether the receiver gets files of its own that it may write, as a person's results; else large ones may be read-only links
    /// to the store's.
    /// </summary>
    public bool Writable { get; init; }

    /// <summary>Most bytes of files to make, linked ones counted too; more is refused. Default 0: no limit but the disk.</summary>
    public long BytesMax { get; init; }
}

/// <summary>What <see cref="BlobStore.Materialise"/> did.</summary>
public sealed class Materialised
{
    internal List<(FileBlob Blob, string Path)> Links { get; } = [];

    /// <summary>Regular files made.</summary>
    public int Files { get; internal set; }

    /// <summary>Their bytes.</summary>
    public long Bytes { get; internal set; }

    /// <summary>How many of them are hard links to the store's files.</summary>
    public int LinkedFiles => Links.Count;
}

/// <summary>Puts one file or folder out of the store into place.</summary>
internal sealed class FolderExport
{
    /// <summary>Largest list of executables that is read: a million paths of 64 bytes.</summary>
    private const int ManifestBytesMax = 64 << 20;

    private const UnixFileMode FileMode644 =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
    private const UnixFileMode FileMode755 =
        FileMode644 | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;

    private readonly BlobStore store;
    private readonly MaterialiseOptions options;
    private readonly HashSet<string> executables;
    private readonly Materialised result = new();
    private readonly List<(string Path, string Target)> symlinks = [];
    private int entries;

    private FolderExport(BlobStore store, MaterialiseOptions options, HashSet<string> executables) =>
        (this.store, this.options, this.executables) = (store, options, executables);

    public static Materialised Run(BlobStore store, Cid cid, string target, MaterialiseOptions options) =>
        Run(store, cid, target, options, []);

    public static Materialised RunParcel(BlobStore store, Cid cid, string target, MaterialiseOptions options)
    {
        using BlobHold hold = store.Hold(cid);
        List<DagLink> links = List(store, cid, 2);
        if (links.Count != 2 || links[0].Name != FolderImport.ParcelExecutables || links[1].Name != FolderImport.ParcelFiles)
            throw new BlobRefusedException(
                $"{cid} is not a parcel: a directory of '{FolderImport.ParcelExecutables}' and '{FolderImport.ParcelFiles}' is wanted");
        using Stream manifest = store.OpenRead(links[0].Target);
        if (manifest.Length > ManifestBytesMax)
            throw new BlobRefusedException($"the list of executables of {cid} has {manifest.Length} bytes; at most {ManifestBytesMax} are read");
        var bytes = new byte[manifest.Length];
        manifest.ReadExactly(bytes);
        HashSet<string> executables = [.. Encoding.UTF8.GetString(bytes).Split('\0', StringSplitOptions.RemoveEmptyEntries)];
        return Run(store, links[1].Target, target, options, executables);
    }

    /// <summary>See <see cref="BlobStore.IsParcel"/>.</summary>
    public static bool IsParcel(BlobStore store, Cid cid) =>
        cid.Codec == CidCodec.DagPb && DirectoryDag.TryList(cid, store.ReadPacked, 2, null, out List<DagLink> links, out _)
        && links is [{ Name: FolderImport.ParcelExecutables }, { Name: FolderImport.ParcelFiles }];

    /// <summary>See <see cref="BlobStore.Release"/>.</summary>
    public static ImmutableArray<Cid> Release(BlobStore store, Materialised materialised)
    {
        var spoilt = ImmutableArray.CreateBuilder<Cid>();
        foreach ((FileBlob blob, string path) in materialised.Links)
        {
            string own = store.Files.PathOf(blob.Cid);
            bool isSound;
            int bad = -1;
            lock (blob.Gate)
            {
                bool isUntouched = blob.Verified is { } known && FileCalls.Stat(own) == known;
                if (FileCalls.Stat(path) is { } there && there.Inode == FileCalls.Stat(own)?.Inode)
                    File.Delete(path);
                if (isUntouched)
                    blob.Verified = FileCalls.Stat(own); // our own unlink moved the change time
                isSound = isUntouched || FileCalls.Stat(own) is null || store.Files.Verify(blob, out bad);
            }
            if (isSound)
                continue;
            _ = store.Corrupt(blob, bad);
            spoilt.Add(blob.Cid);
        }
        materialised.Links.Clear();
        return spoilt.ToImmutable();
    }

    /// <summary>Whether a blob and all below it is in the store.</summary>
    public static bool IsComplete(BlobStore store, Cid root)
    {
        // The usual one, a file, without the lists.
        if (root.Codec == CidCodec.Raw || !store.Contains(root))
            return store.Contains(root);
        return Reach(store, root).All(store.Contains);
    }

    /// <summary>A blob and all that it names, at any depth, as far as folders are here to say.</summary>
    public static IEnumerable<Cid> Reach(BlobStore store, Cid root)
    {
        var seen = new HashSet<Cid> { root };
        var open = new Stack<Cid>(seen);
        while (open.TryPop(out Cid cid))
        {
            yield return cid;
            if (cid.Codec != CidCodec.DagPb || store.ReadPacked(cid) is not { } block || !DagPb.TryDecode(block, out DagNode? node, out _))
                continue;
            foreach (DagLink link in node.Links)
            {
                if (seen.Add(link.Target))
                    open.Push(link.Target);
            }
        }
    }

    private static Materialised Run(BlobStore store, Cid cid, string target, MaterialiseOptions options, HashSet<string> executables)
    {
        using BlobHold hold = store.Hold(cid);
        var export = new FolderExport(store, options, executables);
        if (!IsNode(store, cid))
        {
            export.PutFile(cid, target, options.Executable);
            return export.result;
        }
        if (FileCalls.Stat(target) is not null)
            throw new BlobRefusedException($"{target} exists already");
        // Under another name until it is whole.
        string partial = $"{target.TrimEnd('/')}.{Guid.NewGuid():n}.partial";
        try
        {
            export.PutNode(cid, partial, "", 0);
            foreach ((string path, string leadsTo) in export.symlinks)
                FileCalls.MakeSymlink(leadsTo, path); // last, so that nothing is ever written through one
            FileCalls.TryRename(partial, target);
        }
        catch (Exception e)
        {
            Release(store, export.result);
            if (Directory.Exists(partial))
                Directory.Delete(partial, recursive: true);
            if (e is IOException io && FileCalls.IsFull(io))
                throw new BlobStoreFullException($"no room on the disk for {target}", io);
            throw;
        }
        for (int i = 0; i < export.result.Links.Count; i++)
        {
            (FileBlob blob, string path) = export.result.Links[i];
            export.result.Links[i] = (blob, target.TrimEnd('/') + path[partial.Length..]);
        }
        return export.result;
    }

    private static bool IsNode(BlobStore store, Cid cid) =>
        store.Use(cid, entry => entry is PackedBlob && cid.Codec == CidCodec.DagPb);

    private static List<DagLink> List(BlobStore store, Cid cid, int entriesMax)
    {
        if (DirectoryDag.TryList(cid, store.ReadPacked, entriesMax, null, out List<DagLink> links, out string? error))
            return links;
        throw store.Contains(cid) ? new BlobRefusedException(error) : new BlobMissingException(cid, $" ({error})");
    }

    private void PutNode(Cid cid, string path, string relative, int depth)
    {
        if (!DagPb.TryDecode(store.ReadPacked(cid) ?? throw new BlobMissingException(cid, $", which {relative} names"), out DagNode? node, out string? error))
            throw new BlobRefusedException($"block {cid} is refused: {error}");
        if (node.Kind == UnixFsKind.Symlink)
        {
            string target = Encoding.UTF8.GetString(node.Data.Span);
            if (!SymlinkTarget.StaysInside(target, depth - 1))
                throw new BlobRefusedException($"the symbolic link '{relative}' in the folder leads out of it, to '{target}'");
            symlinks.Add((path, target));
            return;
        }
        if (depth > FolderImport.DepthMax)
            throw new BlobRefusedException($"'{relative}' lies more than {FolderImport.DepthMax} folders deep; at most that many are made");
        Directory.CreateDirectory(path);
        foreach (DagLink link in List(store, cid, FolderImport.EntriesMax - entries))
        {
            entries++;
            string below = relative.Length == 0 ? link.Name : relative + "/" + link.Name, place = path + "/" + link.Name;
            if (Encoding.UTF8.GetByteCount(place) > FolderImport.PathBytesMax)
                throw new BlobRefusedException($"'{place}' has more than {FolderImport.PathBytesMax} bytes");
            if (IsNode(store, link.Target))
                PutNode(link.Target, place, below, depth + 1);
            else
                PutFile(link.Target, place, executables.Contains(below));
        }
    }

    private void PutFile(Cid cid, string path, bool executable)
    {
        (BlobEntry entry, byte[]? bytes) = store.Use(cid, e => (e, e is PackedBlob packed ? store.ReadVerified(packed) : null));
        if (options.BytesMax > 0 && entry.Length > options.BytesMax - result.Bytes)
            throw new BlobRefusedException($"more than {options.BytesMax} bytes would be put to {path} and beside it, which is the most allowed");
        // What follows may take long and is under a hold, so not inside the collection's lock.
        if (bytes is null)
            PutLarge((FileBlob)entry, path, executable);
        else
            Create(path, executable, handle => FileCalls.Write(handle, bytes, 0, path));
        result.Files++;
        result.Bytes += entry.Length;
    }

    private void PutLarge(FileBlob blob, string path, bool executable)
    {
        string own = store.Files.PathOf(blob.Cid);
        int bad;
        lock (blob.Gate)
        {
            if (store.Files.Verify(blob, out bad))
            {
                bool mayLink = !executable && !options.Writable && blob.Length >= store.Options.LinkBytesMin;
                if (!TryPutCopy(own, blob, path, executable, cloneOnly: mayLink))
                {
                    if (FileCalls.TryLink(own, path))
                    {
                        blob.Verified = FileCalls.Stat(own); // our own link moved the change time
                        result.Links.Add((blob, path));
                    }
                    else
                    {
                        TryPutCopy(own, blob, path, executable, cloneOnly: false);
                    }
                }
                return;
            }
        }
        throw store.Corrupt(blob, bad);
    }

    /// <summary>Copies by the cheapest way there is; false, with nothing made, if only a reflink was asked for and cannot be had.</summary>
    private bool TryPutCopy(string own, FileBlob blob, string path, bool executable, bool cloneOnly)
    {
        if (cloneOnly && store.CannotClone)
            return false;
        using SafeFileHandle source = FileCalls.OpenRegular(own);
        bool isDone = true;
        Create(path, executable, target =>
        {
            if (FileCalls.TryClone(source, target, path, out bool isUnknown))
                return;
            store.CannotClone |= isUnknown;
            isDone = !cloneOnly;
            if (cloneOnly || FileCalls.TryCopyRange(source, target, blob.Length, path))
                return;
            using var stream = new FileStream(source, FileAccess.Read, bufferSize: 0);
            stream.Position = 0;
            byte[] buffer = new byte[UnixFs.ChunkBytes];
            long at = 0;
            for (int got; (got = stream.Read(buffer)) > 0; at += got)
                FileCalls.Write(target, buffer.AsSpan(0, got), at, path);
        });
        if (!isDone)
            File.Delete(path);
        return isDone;
    }

    private static void Create(string path, bool executable, Action<SafeFileHandle> fill)
    {
        using SafeFileHandle handle = FileCalls.CreateNew(path, executable ? FileMode755 : FileMode644);
        try
        {
            fill(handle);
        }
        catch
        {
            File.Delete(path);
            throw;
        }
    }
}
