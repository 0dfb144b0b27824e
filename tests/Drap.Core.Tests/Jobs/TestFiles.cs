using Drap.Core.Jobs;

namespace Drap.Core.Tests.Jobs;

/// <summary>A file system of names and contents.</summary>
internal sealed class TestFiles(params (string Path, string Content)[] files) : IFileLister
{
    public PathKind KindOf(string path) =>
        files.Any(f => f.Path == path) ? PathKind.File
        : path == "." || files.Any(f => f.Path.StartsWith(path.TrimEnd('/') + "/", StringComparison.Ordinal)) ? PathKind.Folder : PathKind.None;

    public IEnumerable<ListedFile> ListFiles(string folder) =>
        from file in files.Reverse()
        where folder == "." || file.Path.StartsWith(folder + "/", StringComparison.Ordinal)
        select new ListedFile(folder == "." ? file.Path : file.Path[(folder.Length + 1)..], file.Content.Length);

    public long SizeOf(string path) => Content(path).Length;

    public long FindCut(string path, long from, SplitAt at)
    {
        int found = Content(path).IndexOfAny(at == SplitAt.Line ? ['\n'] : [' ', '\n', '\t'], (int)from);
        return found < 0 ? SizeOf(path) : found + 1;
    }

    public string Content(string path) => files.Single(f => f.Path == path).Content;
}
