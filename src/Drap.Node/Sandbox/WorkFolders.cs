using System.Globalization;

namespace Drap.Node.Sandbox;

/// <summary>
/// Gives each slot its folder: in memory when the attempt says that it needs little disk, else under the home. What it says is booked
/// against a budget, so that work folders never eat the machine's memory; with the budget spent, or no tmpfs, the home serves.
/// Safe from any thread.
/// </summary>
internal sealed class WorkFolders : IDisposable
{
    /// <summary>The most that a folder in memory may hold; more is work for a disk.</summary>
    public const long InMemoryMax = 64L << 20;

    private readonly Lock gate = new();
    private readonly Dictionary<(int Slot, bool InMemory), WorkFolder> kept = [];
    private readonly string diskRoot;
    private readonly string? memoryRoot;
    private long budget;

    public WorkFolders(string home, HomeMark mark)
    {
        diskRoot = DiskRoot(home);
        if (Libc.mkdirat(Libc.AT_FDCWD, diskRoot, FolderTree.OwnerOnly) != 0 && Libc.LastError != Libc.EEXIST)
            throw new IOException($"{diskRoot}: {Libc.ErrorText(Libc.LastError)}");
        memoryRoot = CreateMemoryRoot(mark, out budget);
    }

    /// <summary>Where folders in memory lie; null where there is no tmpfs to be had.</summary>
    public string? MemoryRoot => memoryRoot;

    public static string DiskRoot(string home) => Path.GetFullPath(Path.Combine(home, "work"));

    /// <summary>Places where a node with this mark may have put folders in memory.</summary>
    public static IEnumerable<string> MemoryRoots(HomeMark mark)
    {
        yield return $"/dev/shm/drap-{mark}";
        if (Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } runtime)
            yield return $"{runtime}/drap-{mark}";
    }

    /// <summary>
    /// An empty folder for the slot's next attempt. <paramref name="diskBytes"/> is what it asked for, 0 for nothing: it then may write
    /// as much as the default lets it, so it goes to disk. Throws <see cref="IOException"/>.
    /// </summary>
    public WorkFolder Rent(int slot, long diskBytes, long inputBytes)
    {
        if (diskBytes is > 0 and <= InMemoryMax && inputBytes <= diskBytes && TryBook(diskBytes))
        {
            try
            {
                return Take(slot, inMemory: true);
            }
            catch (IOException)
            {
                Unbook(diskBytes); // the tmpfs is full or went away
            }
        }
        return Take(slot, inMemory: false);
    }

    /// <summary>Takes a folder back, empties it and keeps it for the slot. The reason, if something in it would not go.</summary>
    public string? Return(WorkFolder folder, int slot, long diskBytes)
    {
        string? error = null;
        bool keep = folder.TryReset();
        if (!keep)
            error = folder.Remove();
        lock (gate)
        {
            if (folder.InMemory)
                budget += diskBytes;
            if (keep)
                kept[(slot, folder.InMemory)] = folder;
        }
        return error;
    }

    public void Dispose()
    {
        foreach (WorkFolder folder in kept.Values)
            folder.Remove();
        kept.Clear();
        if (memoryRoot is not null)
            FolderTree.Remove(memoryRoot, out _);
        FolderTree.Remove(diskRoot, out _);
    }

    private WorkFolder Take(int slot, bool inMemory)
    {
        lock (gate)
            if (kept.Remove((slot, inMemory), out WorkFolder? folder))
                return folder;
        string root = inMemory ? memoryRoot! : diskRoot;
        return WorkFolder.Create(string.Create(CultureInfo.InvariantCulture, $"{root}/{slot}"), inMemory);
    }

    private bool TryBook(long bytes)
    {
        lock (gate)
        {
            if (memoryRoot is null || bytes > budget)
                return false;
            budget -= bytes;
            return true;
        }
    }

    private void Unbook(long bytes)
    {
        lock (gate)
            budget += bytes;
    }

    /// <summary>A quarter of the free tmpfs, and no more than a twentieth of the memory.</summary>
    private static string? CreateMemoryRoot(HomeMark mark, out long budget)
    {
        budget = 0;
        foreach (string root in MemoryRoots(mark))
        {
            try
            {
                var drive = new DriveInfo(Path.GetDirectoryName(root)!);
                if (!drive.DriveFormat.Equals("tmpfs", StringComparison.OrdinalIgnoreCase))
                    continue;
                // /dev/shm is open to all: the folder must be ours, made now.
                FolderTree.Remove(root, out _);
                if (Libc.mkdirat(Libc.AT_FDCWD, root, FolderTree.OwnerOnly) != 0)
                    continue;
                budget = Math.Min(drive.AvailableFreeSpace / 4, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes / 20);
                return root;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                // No tmpfs there, or none that we may use.
            }
        }
        return null;
    }
}
