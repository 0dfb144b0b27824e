using System.Diagnostics;
using Drap.Node.Storage;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Bench;

/// <summary>What the disk under a folder costs: appends of 512 bytes to a file that was filled with zeros, each followed by an fdatasync.</summary>
public sealed class DiskFloor : IDisposable
{
    private const int BlocksMax = 1 << 16;

    private readonly string file;
    private readonly SafeFileHandle handle;
    private readonly byte[] block = new byte[512];
    private int next;

    /// <summary>Makes the file, of 32 MiB.</summary>
    public DiskFloor(string folder)
    {
        file = Path.Combine(folder, "fdatasync");
        handle = File.OpenHandle(file, FileMode.Create, FileAccess.ReadWrite);
        RandomAccess.Write(handle, new byte[block.Length * BlocksMax], 0);
        RandomAccess.FlushToDisk(handle);
        block.AsSpan().Fill(1);
    }

    /// <summary>One append, from the write until it is safe.</summary>
    public TimeSpan Sync()
    {
        long start = Stopwatch.GetTimestamp();
        RandomAccess.Write(handle, block, (long)(next++ % BlocksMax) * block.Length);
        FileCalls.SyncData(handle, file);
        return Stopwatch.GetElapsedTime(start);
    }

    /// <summary>Removes the file.</summary>
    public void Dispose()
    {
        handle.Dispose();
        File.Delete(file);
    }
}
