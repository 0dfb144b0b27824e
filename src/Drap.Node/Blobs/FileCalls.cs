using System.ComponentModel;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>
/// The file calls of the store that .NET does not offer, and errors in the store's own words. Numbers and layouts are those that
/// x64 and arm64 Linux share, or chosen by architecture.
/// </summary>
internal static unsafe partial class FileCalls
{
    private const string Library = "libc";
    private const int ENOENT = 2, EACCES = 13, EEXIST = 17, EXDEV = 18, EINVAL = 22, ENOTTY = 25, ENOSPC = 28, EMLINK = 31,
        EPERM = 1, ENOSYS = 38, ELOOP = 40, EOPNOTSUPP = 95, EDQUOT = 122, EINTR = 4;
    private const int O_RDONLY = 0, O_RDWR = 2, O_CREAT = 0x40, O_EXCL = 0x80, O_NONBLOCK = 0x800, O_CLOEXEC = 0x80000;
    private const int AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100;
    private const nuint FICLONE = 0x40049409;
    private const int TypeMask = 0xf000;
    private static readonly bool IsArm = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;
    private static readonly int O_DIRECTORY = IsArm ? 0x4000 : 0x10000, O_NOFOLLOW = IsArm ? 0x8000 : 0x20000;

    /// <summary>Whether an IO error means that there is no room.</summary>
    public static bool IsFull(IOException e) => e.HResult is ENOSPC or EDQUOT;

    /// <summary>What is at <paramref name="path"/>, without following a link there; null where nothing is.</summary>
    public static FileStamp? Stat(string path)
    {
        Statx s;
        if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, 0x7ff, &s) == 0)
            return new FileStamp(s.DeviceMajor, s.DeviceMinor, s.Inode, s.Size, s.Modified.Ticks, s.Changed.Ticks, s.Mode);
        int error = Marshal.GetLastPInvokeError();
        return error is ENOENT ? null : throw Error(error, "look at", path);
    }

    /// <summary>Opens a regular file to read; what is a link, a device or a pipe is refused, and nothing blocks.</summary>
    public static SafeFileHandle OpenRegular(string path)
    {
        FileStamp? before = Stat(path);
        if (before is { IsRegular: false })
            throw new BlobRefusedException($"{path} is not a regular file; only regular files can be added");
        SafeFileHandle handle = Open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0, "open");
        if (File.GetAttributes(handle).HasFlag(FileAttributes.Directory) || !handle.CanSeek())
        {
            handle.Dispose();
            throw new BlobRefusedException($"{path} is not a regular file; only regular files can be added");
        }
        return handle;
    }

    /// <summary>Makes a new file to read and write; fails where there is one.</summary>
    public static SafeFileHandle CreateNew(string path, UnixFileMode mode) =>
        Open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, (int)mode, "create");

    /// <summary>Writes all bytes at an offset.</summary>
    public static void Write(SafeFileHandle handle, ReadOnlySpan<byte> bytes, long offset, string path)
    {
        try
        {
            RandomAccess.Write(handle, bytes, offset);
        }
        catch (IOException e) when (IsFull(e))
        {
            throw new BlobStoreFullException($"no room on the disk to write {path}", e);
        }
    }

    /// <summary>Reads until the buffer is full or the file ends.</summary>
    public static int Read(SafeFileHandle handle, Span<byte> buffer, long offset)
    {
        int have = 0;
        while (have < buffer.Length)
        {
            int got = RandomAccess.Read(handle, buffer[have..], offset + have);
            if (got == 0)
                break;
            have += got;
        }
        return have;
    }

    /// <summary>Makes the file's bytes durable.</summary>
    public static void Sync(SafeFileHandle handle, string path)
    {
        if (fdatasync(handle) != 0)
            throw Error(Marshal.GetLastPInvokeError(), "sync", path);
    }

    /// <summary>Makes the names in a folder durable.</summary>
    public static void SyncFolder(string path)
    {
        using SafeFileHandle handle = Open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, "open");
        if (fsync(handle) != 0)
            throw Error(Marshal.GetLastPInvokeError(), "sync", path);
    }

    /// <summary>Renames; false where the two places are on different file systems.</summary>
    public static bool TryRename(string from, string to)
    {
        if (rename(from, to) == 0)
            return true;
        int error = Marshal.GetLastPInvokeError();
        return error == EXDEV ? false : throw Error(error, "rename", from);
    }

    /// <summary>Makes a hard link, not following a symbolic one; false where the file systems or their rules do not allow it.</summary>
    public static bool TryLink(string existing, string path)
    {
        if (linkat(AT_FDCWD, existing, AT_FDCWD, path, 0) == 0)
            return true;
        int error = Marshal.GetLastPInvokeError();
        return error is EXDEV or EPERM or EMLINK or EOPNOTSUPP ? false : throw Error(error, "link", path);
    }

    /// <summary>
    /// Makes <paramref name="target"/> share the blocks of <paramref name="source"/> (reflink); false where that is not to be had,
    /// and <paramref name="isUnknown"/> where the file system does not know it at all.
    /// </summary>
    public static bool TryClone(SafeFileHandle source, SafeFileHandle target, string path, out bool isUnknown)
    {
        isUnknown = false;
        if (ioctl(target, FICLONE, source) == 0)
            return true;
        int error = Marshal.GetLastPInvokeError();
        isUnknown = error is EOPNOTSUPP or ENOTTY;
        return isUnknown || error is EXDEV or EINVAL or ENOSYS or EPERM ? false : throw Error(error, "clone to", path);
    }

    /// <summary>Copies <paramref name="length"/> bytes inside the kernel; false, after any part, where that is not to be had.</summary>
    public static bool TryCopyRange(SafeFileHandle source, SafeFileHandle target, long length, string path)
    {
        long from = 0, to = 0;
        while (from < length)
        {
            nint n = copy_file_range(source, &from, target, &to, (nuint)Math.Min(length - from, 1 << 30), 0);
            if (n > 0)
                continue;
            int error = n == 0 ? EINVAL : Marshal.GetLastPInvokeError();
            if (error == EINTR)
                continue;
            return error is EXDEV or EINVAL or EOPNOTSUPP or ENOSYS or EPERM ? false : throw Error(error, "copy to", path);
        }
        return true;
    }

    /// <summary>Takes everybody's right to write the file.</summary>
    public static void MakeReadOnly(string path)
    {
        if (chmod(path, 0x124 /* 0444 */) != 0)
            throw Error(Marshal.GetLastPInvokeError(), "change the mode of", path);
    }

    public static void MakeSymlink(string target, string path)
    {
        if (symlink(target, path) != 0)
            throw Error(Marshal.GetLastPInvokeError(), "make the link", path);
    }

    private static bool CanSeek(this SafeFileHandle handle) => lseek(handle, 0, 1) >= 0;

    private static SafeFileHandle Open(string path, int flags, int mode, string verb)
    {
        int fd = open(path, flags, mode);
        return fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw Error(Marshal.GetLastPInvokeError(), verb, path);
    }

    private static BlobStoreException Error(int error, string verb, string path)
    {
        string text = $"cannot {verb} {path}: {Marshal.GetPInvokeErrorMessage(error)}";
        return error switch
        {
            ENOSPC or EDQUOT => new BlobStoreFullException($"no room on the disk to {verb} {path}", new Win32Exception(error)),
            ELOOP => new BlobRefusedException($"{path} is a symbolic link; only regular files can be added"),
            EEXIST => new BlobRefusedException($"{path} exists already"),
            EACCES => new BlobStoreException(text + "; the node's user needs access to it", new Win32Exception(error)),
            _ => new BlobStoreException(text, new Win32Exception(error)),
        };
    }

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags, int mode);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int linkat(int fromFolder, string from, int toFolder, string to, int flags);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int chmod(string path, uint mode);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int symlink(string target, string path);

    [LibraryImport(Library, SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statx(int folder, string path, int flags, uint mask, Statx* result);

    [LibraryImport(Library, SetLastError = true)]
    private static partial int ioctl(SafeFileHandle target, nuint request, SafeFileHandle source);

    [LibraryImport(Library, SetLastError = true)]
    private static partial nint copy_file_range(
        SafeFileHandle source, long* sourceOffset, SafeFileHandle target, long* targetOffset, nuint length, uint flags);

    [LibraryImport(Library, SetLastError = true)]
    private static partial int fdatasync(SafeFileHandle handle);

    [LibraryImport(Library, SetLastError = true)]
    private static partial int fsync(SafeFileHandle handle);

    [LibraryImport(Library, SetLastError = true)]
    private static partial long lseek(SafeFileHandle handle, long offset, int whence);

    [StructLayout(LayoutKind.Sequential)]
    private struct StatTime
    {
        public long Seconds;
        public uint Nanoseconds;
        public int Reserved;

        public readonly long Ticks => (Seconds * 1_000_000_000) + Nanoseconds;
    }

    [StructLayout(LayoutKind.Explicit, Size = 256)]
    private struct Statx
    {
        [FieldOffset(28)] public ushort Mode;
        [FieldOffset(32)] public ulong Inode;
        [FieldOffset(40)] public long Size;
        [FieldOffset(96)] public StatTime Changed;
        [FieldOffset(112)] public StatTime Modified;
        [FieldOffset(136)] public uint DeviceMajor;
        [FieldOffset(140)] public uint DeviceMinor;
    }
}

/// <summary>
/// What the kernel says of a file. While all of it stays the same, so do the bytes: a write moves the change time, and no program
/// can set that back.
/// </summary>
internal readonly record struct FileStamp(
    uint DeviceMajor, uint DeviceMinor, ulong Inode, long Size, long ModifiedNs, long ChangedNs, int Mode)
{
    public bool IsRegular => (Mode & 0xf000) == 0x8000;

    public bool IsFolder => (Mode & 0xf000) == 0x4000;

    public bool IsLink => (Mode & 0xf000) == 0xa000;

    public bool IsExecutable => (Mode & 0x40) != 0;
}
