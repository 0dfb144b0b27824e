using Drap.Core.Jobs;
using Drap.Node.Blobs;

namespace Drap.Node.Hosting;

/// <summary>Takes declared outputs out of an attempt's folder into the store.</summary>
/// <param name="blobs">The store.</param>
/// <param name="folder">The task's output folder.</param>
/// <param name="job">Whose pins keep what is taken.</param>
/// <param name="isOnly">Whether one output is declared alone; two may have files in common, which then must stay for the second.</param>
/// <param name="isLast">Whether what is taken counts as safe here: not where it is fetched from here before its result counts, and synced there.</param>
internal sealed class OutputCollector(BlobStore blobs, string folder, JobId job, bool isOnly, bool isLast)
{
    /// <summary>The content of one output; null if it is not there.</summary>
    /// <exception cref="BlobRefusedException">It is, lies behind, or holds what may not be taken: a symbolic link that could lead out, a device.</exception>
    public (Cid Content, long Bytes, bool Executable)? Take(OutputSpec output)
    {
        RefuseLinks(Glob.HasMagic(output.Path) ? new Glob(output.Path).Folder : output.Path);
        // What is delivered to a person is on disk before it counts; what only feeds other tasks can be made again.
        var add = new AddOptions { Owner = job, Durable = isLast && (output.Result ?? true) };
        if (Glob.HasMagic(output.Path))
            return TakeGlob(output.Path, add);
        string path = Path.Combine(folder, output.Path);
        if (Directory.Exists(path))
            return TakeFolder(path, add);
        if (!File.Exists(path))
            return null;
        bool executable = (File.GetUnixFileMode(path) & UnixFileMode.UserExecute) != 0;
        // Moved where it can be: it is read-only then, whoever has it as an input. What finds no room comes back to its place.
        Cid cid = blobs.AddFile(path, isOnly ? AddMode.Move : AddMode.Link, add);
        return (cid, blobs.TryGetSize(cid, out long bytes) ? bytes : 0, executable);
    }

    private (Cid Content, long Bytes, bool Executable) TakeFolder(string path, AddOptions add)
    {
        FolderAdded added = blobs.AddTree(path, add);
        return (added.Root, added.FileBytes, false);
    }

    /// <summary>Files and folders that match, gathered in a folder of their own for as long as they are taken.</summary>
    private (Cid Content, long Bytes, bool Executable)? TakeGlob(string glob, AddOptions add)
    {
        var pattern = new Glob(glob);
        string root = Path.Combine(folder, pattern.Folder);
        if (!Directory.Exists(root))
            return null;
        string gathered = folder + ".glob";
        var moved = new List<string>();
        try
        {
            foreach (string match in Matches(root, pattern))
            {
                string name = Path.GetRelativePath(folder, match), target = Path.Combine(gathered, name);
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                Move(match, target);
                moved.Add(name);
            }
            return moved.Count > 0 ? TakeFolder(gathered, add) : null;
        }
        finally
        {
            // Also where there was no room for them: they are taken again then.
            foreach (string name in moved)
                Move(Path.Combine(gathered, name), Path.Combine(folder, name));
            if (Directory.Exists(gathered))
                Directory.Delete(gathered, recursive: true);
        }
    }

    /// <summary>In the order of their names; what lies in a folder that matches goes with it.</summary>
    private static List<string> Matches(string root, Glob pattern)
    {
        var matches = new List<string>();
        Look(root);
        return matches;

        void Look(string at)
        {
            foreach (string entry in Directory.GetFileSystemEntries(at).Order(StringComparer.Ordinal))
            {
                if (pattern.Matches(Path.GetRelativePath(root, entry)))
                    matches.Add(entry);
                else if (Directory.Exists(entry) && !IsLink(entry))
                    Look(entry);
            }
        }
    }

    /// <summary>A link on the way would take what lies elsewhere on this machine, with the node's rights. The family has ended, so nothing changes under us.</summary>
    private void RefuseLinks(string path)
    {
        string at = folder;
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries).Prepend(""))
        {
            at = Path.Combine(at, name);
            if (new FileInfo(at).LinkTarget is not null)
                throw new BlobRefusedException($"its output '{path}' lies behind the symbolic link {Path.GetRelativePath(Path.GetDirectoryName(folder)!, at)}; outputs are files and folders of its own");
        }
    }

    private static void Move(string from, string to)
    {
        if (Directory.Exists(from) && !IsLink(from))
            Directory.Move(from, to);
        else
            File.Move(from, to);
    }

    private static bool IsLink(string path) => (File.GetAttributes(path) & FileAttributes.ReparsePoint) != 0;
}
