using System.Buffers;
using Drap.Core.Jobs;

namespace Drap.Client.Jobs;

/// <summary>The files of this machine, as job files mean them: relative paths are taken from the job file's folder.</summary>
/// <param name="folder">The job file's folder.</param>
public sealed class LocalFiles(string folder) : IFileLister
{
    /// <summary>Files listed below one folder before the listing ends; the reader of job files refuses far fewer.</summary>
    private const int listedMax = JobLimits.FilesMax * 10;

    private const int blockBytes = 64 * 1024;

    // No recursion into links: a link to a folder above would never end.
    private static readonly EnumerationOptions everything = new()
    {
        RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false, ReturnSpecialDirectories = false,
    };

    private readonly string root = Path.GetFullPath(folder);

    /// <summary>The absolute path that <paramref name="path"/> of the job file means.</summary>
    public string Resolve(string path) => Path.GetFullPath(path, root);

    /// <inheritdoc/>
    public PathKind KindOf(string path)
    {
        string full = Resolve(path);
        return Directory.Exists(full) ? PathKind.Folder : File.Exists(full) ? PathKind.File : PathKind.None;
    }

    /// <inheritdoc/>
    public IEnumerable<ListedFile> ListFiles(string folder)
    {
        string top = Resolve(folder);
        var files = new System.IO.Enumeration.FileSystemEnumerable<ListedFile?>(top, Listed, everything)
        {
            ShouldRecursePredicate = static (ref entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0,
        };
        return files.Where(f => f is not null).Select(f => f!.Value).Take(listedMax);

        ListedFile? Listed(ref System.IO.Enumeration.FileSystemEntry entry)
        {
            // Pipes, sockets and devices are neither folders nor plain files; reading one might never end.
            if ((entry.Attributes & FileAttributes.ReparsePoint) == 0 && (entry.IsDirectory || (entry.Attributes & FileAttributes.Device) != 0))
                return null;
            string full = entry.ToFullPath();
            long length = entry.Length;
            if ((entry.Attributes & FileAttributes.ReparsePoint) != 0)
            {
                if (File.ResolveLinkTarget(full, returnFinalTarget: true) is not FileInfo { Exists: true } target)
                    return null;
                length = target.Length;
            }
            return new ListedFile(Path.GetRelativePath(top, full), length);
        }
    }

    /// <inheritdoc/>
    public long SizeOf(string path) => new FileInfo(Resolve(path)).Length;

    /// <inheritdoc/>
    public long FindCut(string path, long from, SplitAt at)
    {
        using FileStream file = new(Resolve(path), FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        if (at == SplitAt.Byte || from >= file.Length)
            return Math.Min(from, file.Length);
        SearchValues<byte> ends = at == SplitAt.Line ? SearchValues.Create("\n"u8) : SearchValues.Create(" \t\r\n\v\f"u8);
        byte[] block = ArrayPool<byte>.Shared.Rent(blockBytes);
        try
        {
            // The byte before is looked at too: a cut right after a newline is already a good one.
            file.Position = Math.Max(0, from - 1);
            while (true)
            {
                long start = file.Position;
                int read = file.Read(block, 0, blockBytes);
                if (read == 0)
                    return start;
                if (block.AsSpan(0, read).IndexOfAny(ends) is >= 0 and int found)
                    return start + found + 1;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(block);
        }
    }
}
