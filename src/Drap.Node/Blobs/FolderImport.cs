using System.Collections.Immutable;
using System.Text;
using Drap.Core.Transfer;

namespace Drap.Node.Blobs;

/// <summary>A folder that was added.</summary>
/// <param name="Root">Its name, the one <c>ipfs add -r --cid-version=1</c> gives.</param>
/// <param name="DagBytes">Bytes of all its blocks.</param>
/// <param name="Files">Regular files in it, at any depth.</param>
/// <param name="FileBytes">Their bytes.</param>
/// <param name="Executables">Paths of those that their owner may execute, with <c>/</c>, sorted by bytes.</param>
public sealed record FolderAdded(Cid Root, long DagBytes, long Files, long FileBytes, ImmutableArray<string> Executables);

/// <summary>Walks one folder into the store. What was added stays held until the root is kept, so a collection cannot take the parts.</summary>
internal sealed class FolderImport
{
    /// <summary>Most entries of one folder tree: listing more is a mistake (a home folder, a cache) more often than a wish.</summary>
    public const int EntriesMax = 1_000_000;

    /// <summary>Deepest nesting; trees of programs stay far below, and the walk recurses.</summary>
    public const int DepthMax = 128;

    /// <summary>Longest path in bytes, as the kernel has it (PATH_MAX less its NUL).</summary>
    public const int PathBytesMax = 4095;

    public const string ParcelFiles = "files", ParcelExecutables = "executables";

    private readonly BlobStore store;
    private readonly AddOptions part;
    private readonly bool useIgnoreFiles;
    private readonly List<string> executables = [];
    private long files, fileBytes;
    private int entries;

    private FolderImport(BlobStore store, bool useIgnoreFiles, AddOptions part) =>
        (this.store, this.useIgnoreFiles, this.part) = (store, useIgnoreFiles, part);

    public static FolderAdded Add(BlobStore store, string path, bool useIgnoreFiles, AddOptions add)
    {
        using var hold = new BlobHold(store.Holds);
        FolderAdded added = Walk(store, path, useIgnoreFiles, add, hold);
        Expect(add, added.Root);
        Finish(store, added.Root, add);
        return added;
    }

    public static Cid AddParcel(BlobStore store, string path, bool useIgnoreFiles, AddOptions add)
    {
        using var hold = new BlobHold(store.Holds);
        var part = new AddOptions { Hold = hold, Durable = add.Durable };
        Cid parcel = MakeParcel(store, part, path, Walk(store, path, useIgnoreFiles, add, hold));
        Expect(add, parcel);
        Finish(store, parcel, add);
        return parcel;
    }

    public static FolderAdded AddTree(BlobStore store, string path, AddOptions add)
    {
        using var hold = new BlobHold(store.Holds);
        FolderAdded added = Walk(store, path, useIgnoreFiles: false, add, hold);
        if (!added.Executables.IsEmpty || FolderExport.IsParcel(store, added.Root))
            added = added with { Root = MakeParcel(store, new AddOptions { Hold = hold, Durable = add.Durable }, path, added) };
        Expect(add, added.Root);
        Finish(store, added.Root, add);
        return added;
    }

    private static Cid MakeParcel(BlobStore store, AddOptions part, string path, FolderAdded added)
    {
        var manifest = new MemoryStream();
        foreach (string name in added.Executables)
        {
            manifest.Write(Encoding.UTF8.GetBytes(name));
            manifest.WriteByte(0);
        }
        manifest.Position = 0;
        Cid executables = store.AddStream(manifest, part);
        DagLink parcel = MakeDirectory(
            store, part, path,
            [new DagLink(ParcelFiles, added.Root, added.DagBytes), new DagLink(ParcelExecutables, executables, manifest.Length)]);
        return parcel.Target;
    }

    private static FolderAdded Walk(BlobStore store, string path, bool useIgnoreFiles, AddOptions add, BlobHold hold)
    {
        if (FileCalls.Stat(path + "/.") is not { IsFolder: true })
            throw new BlobRefusedException($"{path} is not a folder");
        var import = new FolderImport(store, useIgnoreFiles, new AddOptions { Hold = hold, Durable = add.Durable });
        DagLink root = import.AddFolder(path, "", 0, useIgnoreFiles ? IgnoreRules.Default : IgnoreRules.None);
        import.executables.Sort(DagPb.CompareNames);
        return new FolderAdded(root.Target, root.DagBytes, import.files, import.fileBytes, [.. import.executables]);
    }

    private static void Finish(BlobStore store, Cid root, AddOptions add)
    {
        if (add.Owner is { } job)
            store.Pin(job, root, add.Durable);
        add.Hold?.Add(root);
    }

    private static void Expect(AddOptions add, Cid actual)
    {
        if (!add.Expected.IsNone && add.Expected != actual)
            throw new BlobMismatchException(add.Expected, actual);
    }

    private DagLink AddFolder(string path, string relative, int depth, IgnoreRules rules)
    {
        if (depth > DepthMax)
            throw new BlobRefusedException($"{path} lies more than {DepthMax} folders deep; at most that many are taken");
        if (useIgnoreFiles)
            rules = rules.WithFilesOf(path, relative);
        var links = new List<DagLink>();
        foreach (string entry in List(path))
        {
            string name = Path.GetFileName(entry), below = relative.Length == 0 ? name : relative + "/" + name;
            if (FileCalls.Stat(entry) is not { } stamp)
            {
                if (name.Contains('\uFFFD'))
                    throw new BlobRefusedException($"{entry} has a name that is not UTF-8; rename it or leave it out by an ignore file");
                continue; // gone since it was listed
            }
            if (rules.Ignores(below, stamp.IsFolder))
                continue;
            if (++entries > EntriesMax)
                throw new BlobRefusedException($"the folder has more than {EntriesMax} entries; leave some out by an ignore file");
            if (Encoding.UTF8.GetByteCount(below) > PathBytesMax)
                throw new BlobRefusedException($"{entry} has a path of more than {PathBytesMax} bytes");
            links.Add(AddEntry(entry, below, stamp, depth, rules) with { Name = name });
        }
        return MakeDirectory(store, part, path, links);
    }

    private static string[] List(string path)
    {
        try
        {
            return Directory.GetFileSystemEntries(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BlobStoreException($"cannot list {path}: {e.Message}", e);
        }
    }

    private DagLink AddEntry(string path, string relative, FileStamp stamp, int depth, IgnoreRules rules)
    {
        if (stamp.IsFolder)
            return AddFolder(path, relative, depth + 1, rules);
        if (stamp.IsLink)
            return AddLink(path, depth);
        if (!stamp.IsRegular)
            throw new BlobRefusedException($"{path} is a socket, a pipe or a device; leave it out by an ignore file");
        Cid cid = store.AddFile(path, AddMode.Copy, part);
        FileDag dag = store.TryGetFileDag(cid)!;
        files++;
        fileBytes += dag.Length;
        if (stamp.IsExecutable)
            executables.Add(relative);
        return new DagLink("", cid, dag.DagBytes);
    }

    private DagLink AddLink(string path, int depth)
    {
        string target = new FileInfo(path).LinkTarget ?? "";
        if (!SymlinkTarget.StaysInside(target, depth))
            throw new BlobRefusedException(
                $"the symbolic link {path} leads to '{target}'; allowed is a relative target inside the folder, with .. only at its start");
        DagBlock block = DagPb.Symlink(target);
        store.AddNode(block, part);
        return new DagLink("", block.Cid, block.Bytes.Length);
    }

    private static DagLink MakeDirectory(BlobStore store, AddOptions part, string path, List<DagLink> links)
    {
        List<DagBlock> blocks = DirectoryDag.Make(links, out long dagBytes)
            ?? throw new BlobRefusedException($"two names in {path} have the same 64-bit hash, for which UnixFS has no form; rename one");
        foreach (DagBlock block in blocks)
            store.AddNode(block, part);
        return new DagLink("", blocks[^1].Cid, dagBytes);
    }
}
