using Drap.Core.Jobs;
using Drap.Node.Blobs;

namespace Drap.Node.Hosting;

/// <summary>Takes declared outputs out of an attempt's folder into the store.</summary>
internal static class OutputCollector
{
    /// <summary>The content of one output; null if it is not there.</summary>
    /// <param name="blobs">The store.</param>
    /// <param name="folder">The task's output folder.</param>
    /// <param name="output">What was declared.</param>
    /// <param name="job">Whose pins keep it.</param>
    public static (Cid Content, long Bytes, bool Executable)? Take(BlobStore blobs, string folder, OutputSpec output, JobId job)
    {
        // What is delivered to a person is on disk before it counts; what only feeds other tasks can be made again.
        var add = new AddOptions { Owner = job, Durable = output.Result ?? true };
        if (Glob.HasMagic(output.Path))
            return TakeGlob(blobs, folder, output.Path, add);
        string path = Path.Combine(folder, output.Path);
        if (Directory.Exists(path))
        {
            FolderAdded added = blobs.AddTree(path, add);
            return (added.Root, added.FileBytes, false);
        }
        if (!File.Exists(path))
            return null;
        bool executable = (File.GetUnixFileMode(path) & UnixFileMode.UserExecute) != 0;
        Cid cid = blobs.AddFile(path, AddMode.Move, add);
        return (cid, blobs.TryGetSize(cid, out long bytes) ? bytes : 0, executable);
    }

    private static (Cid, long, bool)? TakeGlob(BlobStore blobs, string folder, string glob, AddOptions add)
    {
        var pattern = new Glob(glob);
        string[] matches = [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(p => Path.GetRelativePath(folder, p)).Where(pattern.Matches).Order(StringComparer.Ordinal)];
        if (matches.Length == 0)
            return null;
        string gathered = folder + ".glob";
        foreach (string match in matches)
        {
            string target = Path.Combine(gathered, match);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Move(Path.Combine(folder, match), target);
        }
        FolderAdded added = blobs.AddTree(gathered, add);
        Directory.Delete(gathered, recursive: true);
        return (added.Root, added.FileBytes, false);
    }
}
