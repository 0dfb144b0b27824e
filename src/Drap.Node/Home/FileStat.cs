using System.Buffers.Binary;
using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Drap.Node.Home;

/// <summary>What tells one folder from its copy.</summary>
/// <param name="Device">The device number: the same until the next boot, usually longer.</param>
/// <param name="FileSystem">The file system's own id: survives boots on ext4, btrfs and others that derive it from their UUID.</param>
/// <param name="Inode">The inode.</param>
/// <param name="Kind">The file system's magic number (linux/magic.h).</param>
/// <param name="Mine">Whether its owner is the user of this process.</param>
internal readonly partial record struct FileStat(ulong Device, ulong FileSystem, ulong Inode, long Kind, bool Mine)
{
    private const int atFdCwd = -100;
    private const uint statxUidAndInode = 0x8 | 0x100;

    /// <exception cref="HomeException">The path cannot be looked at.</exception>
    public static unsafe FileStat Of(string path)
    {
        // struct statx and, on 64-bit machines, struct statfs have one layout on every architecture.
        Span<byte> stat = stackalloc byte[256];
        Span<byte> system = stackalloc byte[256];
        fixed (byte* s = stat, f = system)
        {
            if (StatX(atFdCwd, path, 0, statxUidAndInode, s) != 0 || StatFs(path, f) != 0)
                throw new HomeException(
                    HomeProblem.NotUsable, $"{path} cannot be looked at: {new Win32Exception(Marshal.GetLastPInvokeError()).Message}",
                    "set DRAP_HOME to a folder that you may read and write");
        }
        uint major = BinaryPrimitives.ReadUInt32LittleEndian(stat[136..]);
        uint minor = BinaryPrimitives.ReadUInt32LittleEndian(stat[140..]);
        return new FileStat(
            ((ulong)major << 32) | minor, BinaryPrimitives.ReadUInt64LittleEndian(system[56..]),
            BinaryPrimitives.ReadUInt64LittleEndian(stat[32..]), BinaryPrimitives.ReadInt64LittleEndian(system),
            BinaryPrimitives.ReadUInt32LittleEndian(stat[20..]) == EffectiveUser());
    }

    /// <summary>The name of the network file system that this is, or null for a local one.</summary>
    public string? NetworkName => Storage.NetworkFileSystems.Name(Kind);

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static unsafe partial int StatX(int folder, string path, int flags, uint mask, byte* result);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();

    [LibraryImport("libc", EntryPoint = "statfs", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    private static unsafe partial int StatFs(string path, byte* result);
}
