namespace Drap.Core.Jobs;

/// <summary>
/// What the client's file system says. Core does no IO; whoever reads job files gives one. Paths are as the job file has them; the lister
/// takes relative ones from the job file's folder. A failure (no permission, too many files) is an <see cref="IOException"/> or an
/// <see cref="UnauthorizedAccessException"/>, which becomes an error of the field.
/// </summary>
public interface IFileLister
{
    /// <summary>What is at a path.</summary>
    PathKind KindOf(string path);

    /// <summary>
    /// The regular files in a folder and all below it, in any order, links to files among them, links to folders not followed.
    /// It may end after <see cref="JobLimits.FilesMax"/> × 10 files; the caller refuses far fewer.
    /// </summary>
    IEnumerable<ListedFile> ListFiles(string folder);

    /// <summary>The size of a file, in bytes.</summary>
    long SizeOf(string path);

    /// <summary>The position just after the first place, at or after <paramref name="from"/>, where a file may be cut; its size if there is none.</summary>
    long FindCut(string path, long from, SplitAt at);
}

/// <summary>What is at a path.</summary>
public enum PathKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A regular file, or a link to one.</summary>
    File,

    /// <summary>A folder, or a link to one.</summary>
    Folder,
}

/// <summary>A file that a lister found.</summary>
/// <param name="Path">Relative to the folder that was listed, with <c>/</c> between parts.</param>
/// <param name="Length">Bytes.</param>
public readonly record struct ListedFile(string Path, long Length);
