using System.Buffers;
using System.Collections;
using Drap.Core.Transfer;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>
/// A file of several leaves that peers send, in the store's folder for unfinished ones. What was there of it from an earlier time, also of another process,
/// is hashed and counts if it is right. Disposed unfinished it stays for the next time, if it may. Leaves may be written from several threads.
/// </summary>
internal sealed class IncomingFile : IDisposable
{
    private readonly SafeFileHandle handle;
    private readonly Action? released;
    private readonly BitArray found;
    private bool isFinished;

    /// <summary>Opens it.</summary>
    /// <param name="path">Where it grows.</param>
    /// <param name="dag">What it will be.</param>
    /// <param name="released">Called when nobody writes here any more; null for one that does not outlive this.</param>
    public IncomingFile(string path, FileDag dag, Action? released)
    {
        (Path, Dag, this.released) = (path, dag, released);
        found = new BitArray(dag.LeafCount);
        handle = released is not null && File.Exists(path)
            ? File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.Read)
            : FileCalls.CreateNew(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        Look();
    }

    /// <summary>Where it grows.</summary>
    public string Path { get; }

    /// <summary>What it will be.</summary>
    public FileDag Dag { get; }

    /// <summary>Whether a leaf was here when it was opened.</summary>
    public bool Has(int leaf) => found[leaf];

    /// <summary>Puts a leaf that was checked into its place.</summary>
    public void Write(int leaf, ReadOnlySpan<byte> bytes) => FileCalls.Write(handle, bytes, (long)leaf * UnixFs.ChunkBytes, Path);

    /// <summary>It is whole; how its file looks now.</summary>
    public FileStamp? Finish()
    {
        handle.Dispose();
        isFinished = true;
        FileCalls.MakeReadOnly(Path);
        return FileCalls.Stat(Path);
    }

    public void Dispose()
    {
        bool isEmpty = !handle.IsClosed && RandomAccess.GetLength(handle) == 0;
        handle.Dispose();
        // What is whole, and could not be put into its place, would be hashed for nothing.
        if (released is null || isEmpty || isFinished)
            File.Delete(Path);
        released?.Invoke();
    }

    private void Look()
    {
        long length = RandomAccess.GetLength(handle);
        if (length == 0)
            return;
        byte[] buffer = ArrayPool<byte>.Shared.Rent(UnixFs.ChunkBytes);
        try
        {
            for (int leaf = 0; leaf < Dag.LeafCount && (long)leaf * UnixFs.ChunkBytes < length; leaf++)
            {
                int got = FileCalls.Read(handle, buffer.AsSpan(0, Dag.LeafLength(leaf)), (long)leaf * UnixFs.ChunkBytes);
                found[leaf] = Dag.Verifies(leaf, buffer.AsSpan(0, got));
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
