using System.Runtime.InteropServices;
using Drap.Core.Journal;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Storage;

/// <summary>
/// The system calls of the journal's files, made directly: the framework has no fdatasync, and hides which error it was. Failures are
/// <see cref="JournalStorageException"/>s that name the call, the path and the system's words.
/// </summary>
internal static unsafe partial class FileCalls
{
    public const int OpenReadOnly = 0, OpenReadWrite = 2, OpenCreate = 0x40, OpenTruncate = 0x200;

    private const int CloseOnExec = 0x80000;
    private const int OwnerOnly = 0x180; // octal 0600: records hold what users submit
    private const int SeekEnd = 2;

    private const int EPERM = 1, ENOENT = 2, EINTR = 4, EACCES = 13, ENOSPC = 28, EROFS = 30, EDQUOT = 122;

    public static SafeFileHandle Open(string path, int flags)
    {
        SafeFileHandle handle = open(path, flags | CloseOnExec, OwnerOnly);
        if (!handle.IsInvalid)
            return handle;
        JournalStorageException error = Error("open", path);
        handle.Dispose();
        throw error;
    }

    public static int Read(SafeFileHandle file, string path, long offset, Span<byte> buffer)
    {
        int done = 0;
        fixed (byte* start = buffer)
        {
            while (done < buffer.Length)
            {
                nint count = pread(file, start + done, (nuint)(buffer.Length - done), offset + done);
                if (count == 0)
                    break;
                if (count > 0)
                    done += (int)count;
                else if (Marshal.GetLastPInvokeError() != EINTR)
                    throw Error("read", path);
            }
        }
        return done;
    }

    public static void Write(SafeFileHandle file, string path, long offset, ReadOnlySpan<byte> bytes)
    {
        int done = 0;
        fixed (byte* start = bytes)
        {
            while (done < bytes.Length)
            {
                nint count = pwrite(file, start + done, (nuint)(bytes.Length - done), offset + done);
                if (count > 0)
                    done += (int)count;
                else if (count == 0 || Marshal.GetLastPInvokeError() != EINTR)
                    throw Error("write", path);
            }
        }
    }

    public static long Length(SafeFileHandle file, string path)
    {
        long length = lseek(file, 0, SeekEnd);
        return length >= 0 ? length : throw Error("measure", path);
    }

    /// <summary>Data and length, not the times. Never called again on a file where it failed, not even after EINTR.</summary>
    public static void SyncData(SafeFileHandle file, string path) => Check(fdatasync(file), "sync", path);

    public static void SyncAll(SafeFileHandle file, string path) => Check(fsync(file), "sync", path);

    public static void Rename(string from, string to) => Check(rename(from, to), "rename", from);

    public static void Delete(string path) => Check(unlink(path), "delete", path);

    /// <summary>The magic number of the file system at <paramref name="path"/>; see statfs(2).</summary>
    public static long FileSystemType(string path)
    {
        // struct statfs is 120 bytes on x64 and arm64, and its first field is f_type.
        long* status = stackalloc long[32];
        Check(statfs(path, status), "examine", path);
        return status[0];
    }

    /// <summary>Bytes that this process may still write to the file system at <paramref name="path"/>.</summary>
    public static long FreeBytes(string path)
    {
        // f_bfree and f_bavail are the fourth and fifth, in units of f_frsize, the tenth; where that is 0, of f_bsize, the second.
        long* status = stackalloc long[32];
        Check(statfs(path, status), "examine", path);
        long unit = status[9] > 0 ? status[9] : status[1];
        return (Environment.IsPrivilegedProcess ? status[3] : status[4]) * unit;
    }

    private static void Check(int result, string what, string path)
    {
        if (result != 0)
            throw Error(what, path);
    }

    private static JournalStorageException Error(string what, string path)
    {
        int errno = Marshal.GetLastPInvokeError();
        JournalStorageFault fault = errno switch
        {
            ENOSPC or EDQUOT => JournalStorageFault.DiskFull,
            EROFS => JournalStorageFault.ReadOnly,
            EACCES or EPERM => JournalStorageFault.Forbidden,
            ENOENT => JournalStorageFault.Missing,
            _ => JournalStorageFault.Failed,
        };
        return new JournalStorageException(fault, path, $"cannot {what} {path}: {Marshal.GetPInvokeErrorMessage(errno)}");
    }

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags, int mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint pread(SafeFileHandle file, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint pwrite(SafeFileHandle file, byte* buffer, nuint count, long offset);

    [LibraryImport("libc", SetLastError = true)]
    private static partial long lseek(SafeFileHandle file, long offset, int whence);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fdatasync(SafeFileHandle file);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(SafeFileHandle file);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int rename(string from, string to);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unlink(string path);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int statfs(string path, long* status);
}
