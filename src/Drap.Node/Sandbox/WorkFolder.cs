using System.Runtime.InteropServices;

namespace Drap.Node.Sandbox;

/// <summary>
/// The folder of one attempt: the task's current directory, with <c>in/</c>, <c>out/</c> and <c>tmp/</c> below it, empty at the start.
/// A slot uses its folder again for the next attempt when the last one left it as it was, which saves making and removing four folders.
/// </summary>
public sealed unsafe class WorkFolder
{
    private const int EntriesBytes = 4 * 1024;

    private static readonly string[] Names = ["in", "out", "tmp"];

    private readonly int[] fds = [-1, -1, -1, -1];
    private readonly ulong[] inodes = new ulong[4];

    private WorkFolder(string path, bool inMemory)
    {
        Path = path;
        In = path + "/in";
        Out = path + "/out";
        Temporary = path + "/tmp";
        InMemory = inMemory;
    }

    /// <summary>The task's current directory; absolute.</summary>
    public string Path { get; }

    /// <summary>Where inputs are put.</summary>
    public string In { get; }

    /// <summary>Where the task puts its outputs.</summary>
    public string Out { get; }

    /// <summary>The task's <c>TMPDIR</c>.</summary>
    public string Temporary { get; }

    /// <summary>Whether it lies in memory.</summary>
    public bool InMemory { get; }

    /// <summary>Makes one. Throws <see cref="IOException"/> with the reason.</summary>
    internal static WorkFolder Create(string path, bool inMemory)
    {
        var folder = new WorkFolder(path, inMemory);
        if (FolderTree.Remove(path, out string? error) && folder.Make(out error))
            return folder;
        folder.Close();
        throw new IOException($"work folder: {error}");
    }

    /// <summary>Empties it for the next attempt; false, and removed, if it cannot be had as it was.</summary>
    internal bool TryReset()
    {
        byte* entries = stackalloc byte[EntriesBytes];
        for (int i = 0; i < fds.Length; i++)
        {
            if (!IsUntouched(i, entries) && !(i > 0 && FolderTree.Empty(fds[i]) == 0 && IsUntouched(i, entries)))
            {
                // The task put something beside the three, or changed a mode: begin anew.
                Close();
                return FolderTree.Remove(Path, out _) && Make(out _);
            }
        }
        return true;
    }

    /// <summary>Removes it for good; the reason, if something would not go.</summary>
    internal string? Remove()
    {
        Close();
        return FolderTree.Remove(Path, out string? error) ? null : error;
    }

    private bool Make(out string? error)
    {
        error = null;
        Libc.Statx stat;
        for (int i = 0; i < fds.Length; i++)
        {
            string path = i == 0 ? Path : Names[i - 1];
            int above = i == 0 ? Libc.AT_FDCWD : fds[0];
            if (Libc.mkdirat(above, path, FolderTree.OwnerOnly) != 0
                || (fds[i] = Libc.openat(above, path, Libc.O_RDONLY | Libc.O_DIRECTORY | Libc.O_NOFOLLOW | Libc.O_CLOEXEC, 0)) < 0
                || Stat(fds[i], &stat) != 0)
            {
                error = $"{(i == 0 ? Path : Path + "/" + path)}: {Libc.ErrorText(Libc.LastError)}";
                return false;
            }
            inodes[i] = stat.Inode;
        }
        return true;
    }

    /// <summary>Whether folder <paramref name="index"/> has its mode, is still linked, and holds nothing but, for the first, the other three.</summary>
    private bool IsUntouched(int index, byte* entries)
    {
        Libc.Statx stat;
        if (Stat(fds[index], &stat) != 0 || (stat.Mode & 0xFFF) != FolderTree.OwnerOnly || stat.Links == 0
            || Libc.lseek(fds[index], 0, 0) != 0)
            return false;
        int found = 0;
        int bytes = FolderTree.ReadEntries(fds[index], entries, EntriesBytes);
        for (int at = 0; at < bytes; at += *(ushort*)(entries + at + 16))
        {
            byte* name = entries + at + 19;
            if (FolderTree.IsDots(name))
                continue;
            // By inode and name: a task may have put a link, or another folder, in the place of one of ours.
            ReadOnlySpan<byte> text = MemoryMarshal.CreateReadOnlySpanFromNullTerminated(name);
            int known = index != 0 ? 0 : text.SequenceEqual("in"u8) ? 1 : text.SequenceEqual("out"u8) ? 2 : text.SequenceEqual("tmp"u8) ? 3 : 0;
            if (known == 0 || *(ulong*)(entries + at) != inodes[known])
                return false;
            found++;
        }
        return bytes >= 0 && found == (index == 0 ? Names.Length : 0);
    }

    private void Close()
    {
        for (int i = 0; i < fds.Length; i++)
        {
            if (fds[i] >= 0)
                _ = Libc.close(fds[i]);
            fds[i] = -1;
        }
    }

    private static int Stat(int fd, Libc.Statx* stat)
    {
        byte nothing = 0;
        return Libc.statx(fd, &nothing, Libc.AT_EMPTY_PATH, 0x7ff, stat);
    }
}
