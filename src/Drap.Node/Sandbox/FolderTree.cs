using System.Runtime.InteropServices;
using System.Text;

namespace Drap.Node.Sandbox;

/// <summary>
/// Measures and removes trees that a task made: as deep as it likes, with names and modes as it likes. Links are never followed, at
/// most two descriptors are open, and nothing recurses.
/// </summary>
internal static unsafe class FolderTree
{
    private const int EntriesBytes = 32 * 1024;

    /// <summary>The kernel's limit of a path, its end included.</summary>
    private const int PathBytesMax = 4_096;

    /// <summary>More folders than this are not measured: a second of looking, and no honest work.</summary>
    private const int FoldersMax = 1_000_000;

    private const byte DirectoryEntry = 4;

    /// <summary>Number of the getdents64 call.</summary>
    private static readonly nint GetDents = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 61 : 217;

    /// <summary>0700.</summary>
    internal const uint OwnerOnly = 0x1C0;

    internal const uint TypeMask = 0xF000, DirectoryType = 0x4000;

    /// <summary>Removes a folder with all in it. False, with the reason, if something would not go.</summary>
    public static bool Remove(string path, out string? error)
    {
        error = null;
        byte[] name = Encoding.UTF8.GetBytes(path + "\0");
        fixed (byte* start = name)
        {
            // A file, a link, or an empty folder goes at once.
            if (Libc.unlinkat(Libc.AT_FDCWD, start, 0) == 0 || Libc.LastError == Libc.ENOENT)
                return true;
            int fd = OpenForRemoval(Libc.AT_FDCWD, start);
            if (fd < 0)
            {
                error = $"{path}: {Libc.ErrorText(Libc.LastError)}";
                return false;
            }
            int failed = Empty(fd);
            _ = Libc.close(fd);
            if (failed == 0 && Libc.unlinkat(Libc.AT_FDCWD, start, Libc.AT_REMOVEDIR) == 0)
                return true;
            error = $"{path}: {Libc.ErrorText(failed != 0 ? failed : Libc.LastError)}";
            return false;
        }
    }

    /// <summary>
    /// Empties a folder; 0 or the number of the error that stopped it. Goes down into the first sub-folder that is not empty and up
    /// again by <c>..</c>, which is safe because the family that could move folders meanwhile has ended.
    /// </summary>
    public static int Empty(int root)
    {
        byte* entries = (byte*)NativeMemory.Alloc(EntriesBytes);
        int current = root, depth = 0, failed = 0;
        try
        {
            while (true)
            {
                int below = RemoveEntries(current, entries, ref failed);
                if (failed != 0)
                    return failed;
                if (below >= 0)
                {
                    if (current != root)
                        _ = Libc.close(current);
                    current = below;
                    depth++;
                    continue;
                }
                if (depth == 0)
                    return 0;
                depth--;
                int above = depth == 0 ? root : Libc.openat(current, "..", Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_CLOEXEC, 0);
                failed = above < 0 ? Libc.LastError : 0;
                _ = Libc.close(current);
                current = above < 0 ? root : above;
                if (failed != 0)
                    return failed;
            }
        }
        finally
        {
            if (current != root)
                _ = Libc.close(current);
            NativeMemory.Free(entries);
        }
    }

    /// <summary>
    /// Bytes on disk of all below, each file once per link. Stops early above <paramref name="limit"/>, and takes for over the limit what
    /// hides: more than a million folders, or paths longer than the kernel takes.
    /// </summary>
    public static long Measure(string path, long limit)
    {
        byte* entries = (byte*)NativeMemory.Alloc(EntriesBytes);
        var folders = new Stack<byte[]>();
        folders.Push([.. Encoding.UTF8.GetBytes(path), 0]);
        long total = 0;
        int seen = 0;
        while (total <= limit && folders.TryPop(out byte[]? folder))
            total = ++seen > FoldersMax || folder.Length > PathBytesMax ? long.MaxValue : total + MeasureFolder(folder, entries, folders);
        NativeMemory.Free(entries);
        return total;
    }

    /// <summary>Reads entries anew; fewer than 1: none are left.</summary>
    internal static int ReadEntries(int folder, byte* buffer, int bytes) => (int)Libc.syscall(GetDents, folder, (nint)buffer, bytes);

    /// <summary>Removes what can be removed; answers a sub-folder to go down into first, or -1 when all is gone or <paramref name="failed"/> says why not.</summary>
    private static int RemoveEntries(int folder, byte* entries, ref int failed)
    {
        while (true)
        {
            _ = Libc.lseek(folder, 0, 0);
            int bytes = ReadEntries(folder, entries, EntriesBytes);
            if (bytes < 0)
                failed = Libc.LastError;
            bool any = false;
            for (int at = 0; at < bytes; at += *(ushort*)(entries + at + 16))
            {
                byte* name = entries + at + 19;
                if (IsDots(name))
                    continue;
                any = true;
                int errno = Unlink(folder, name, entries[at + 18]);
                if (errno == Libc.EACCES && Libc.fchmod(folder, OwnerOnly) == 0)
                    errno = Unlink(folder, name, entries[at + 18]);
                if (errno == 0)
                    continue;
                if (errno is not (Libc.ENOTEMPTY or Libc.EEXIST))
                {
                    failed = errno;
                    return -1;
                }
                int below = OpenForRemoval(folder, name);
                if (below < 0)
                    failed = Libc.LastError;
                return below;
            }
            if (!any || failed != 0)
                return -1;
        }
    }

    /// <summary>0, or the error's number. Some file systems do not say in their entries what is a folder.</summary>
    private static int Unlink(int folder, byte* name, byte type)
    {
        if (type != DirectoryEntry)
        {
            if (Libc.unlinkat(folder, name, 0) == 0)
                return 0;
            if (Libc.LastError != Libc.EISDIR)
                return Libc.LastError;
        }
        return Libc.unlinkat(folder, name, Libc.AT_REMOVEDIR) == 0 ? 0 : Libc.LastError;
    }

    /// <summary>Opens a folder in order to empty it; one without rights for its owner is given them first.</summary>
    private static int OpenForRemoval(int folder, byte* name)
    {
        int flags = Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW | Libc.O_CLOEXEC;
        int fd = Libc.openat(folder, name, flags, 0);
        if (fd >= 0 || Libc.LastError != Libc.EACCES)
            return fd;
        return Libc.fchmodat(folder, name, OwnerOnly, 0) == 0 ? Libc.openat(folder, name, flags, 0) : -1;
    }

    private static long MeasureFolder(byte[] path, byte* entries, Stack<byte[]> folders)
    {
        int folder;
        fixed (byte* start = path)
            folder = Libc.openat(Libc.AT_FDCWD, start, Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW | Libc.O_CLOEXEC, 0);
        if (folder < 0)
            return 0;
        long total = 0;
        Libc.Statx stat;
        int bytes;
        while ((bytes = ReadEntries(folder, entries, EntriesBytes)) > 0)
        {
            for (int at = 0; at < bytes; at += *(ushort*)(entries + at + 16))
            {
                byte* name = entries + at + 19;
                // What has gone meanwhile counts nothing.
                if (IsDots(name) || Libc.statx(folder, name, Libc.AT_SYMLINK_NOFOLLOW, 0x7ff, &stat) != 0)
                    continue;
                total += (long)stat.Blocks * 512;
                if ((stat.Mode & TypeMask) == DirectoryType)
                    folders.Push([.. path.AsSpan(0, path.Length - 1), (byte)'/', .. MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name), 0]);
            }
        }
        _ = Libc.close(folder);
        return total;
    }

    internal static bool IsDots(byte* name) => name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}
