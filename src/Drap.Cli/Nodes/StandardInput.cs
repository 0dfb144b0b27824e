using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Drap.Cli.Nodes;

/// <summary>What lies behind this process's standard input.</summary>
internal static partial class StandardInput
{
    private const uint statxType = 0x1;
    private const int emptyPath = 0x1000, kindMask = 0xF000, characterDevice = 0x2000;

    /// <summary>
    /// Whether an ad-hoc task is to get it: a pipe, a file or a terminal is, a closed one or the null device is not. A task with an input is one
    /// task and is not tried again, so nobody should get that who has none.
    /// </summary>
    public static unsafe bool IsOpen()
    {
        Span<byte> stat = stackalloc byte[256];
        fixed (byte* s = stat)
            if (StatX(0, "", emptyPath, statxType, s) != 0)
                return false;
        bool device = (BinaryPrimitives.ReadUInt16LittleEndian(stat[28..]) & kindMask) == characterDevice;
        // linux/major.h: memory devices are 1, and null is the third of them.
        bool isNull = device && BinaryPrimitives.ReadUInt32LittleEndian(stat[128..]) == 1 && BinaryPrimitives.ReadUInt32LittleEndian(stat[132..]) == 3;
        return !isNull;
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatX(int folder, string path, int flags, uint mask, byte* result);
}
