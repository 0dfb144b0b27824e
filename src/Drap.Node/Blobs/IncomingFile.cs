using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>A file that a peer sends, as it grows in the store's folder for unfinished ones. Disposed unfinished, it is gone.</summary>
internal sealed class IncomingFile(string path) : IDisposable
{
    private readonly SafeFileHandle handle = FileCalls.CreateNew(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
    private long length;

    /// <summary>Where it grows.</summary>
    public string Path => path;

    /// <summary>Adds a leaf that was checked.</summary>
    public void Append(ReadOnlySpan<byte> leaf)
    {
        FileCalls.Write(handle, leaf, length, path);
        length += leaf.Length;
    }

    /// <summary>It is whole; how its file looks now.</summary>
    public FileStamp? Finish()
    {
        handle.Dispose();
        FileCalls.MakeReadOnly(path);
        return FileCalls.Stat(path);
    }

    public void Dispose()
    {
        handle.Dispose();
        File.Delete(path);
    }
}
