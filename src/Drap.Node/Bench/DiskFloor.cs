using System.Diagnostics;
using Drap.Node.Storage;

namespace Drap.Node.Bench;

/// <summary>What the disk under a folder costs.</summary>
public static class DiskFloor
{
    /// <summary>Appends of 512 bytes to a file that was filled with zeros, each followed by an fdatasync.</summary>
    public static IReadOnlyList<TimeSpan> Sync(string folder, int count)
    {
        string file = Path.Combine(folder, "fdatasync");
        byte[] block = new byte[512];
        var times = new List<TimeSpan>(count);
        using (var handle = File.OpenHandle(file, FileMode.Create, FileAccess.ReadWrite))
        {
            RandomAccess.Write(handle, new byte[block.Length * count], 0);
            RandomAccess.FlushToDisk(handle);
            block.AsSpan().Fill(1);
            for (int i = 0; i < count; i++)
            {
                long start = Stopwatch.GetTimestamp();
                RandomAccess.Write(handle, block, (long)i * block.Length);
                FileCalls.SyncData(handle, file);
                times.Add(Stopwatch.GetElapsedTime(start));
            }
        }
        File.Delete(file);
        return times;
    }
}
