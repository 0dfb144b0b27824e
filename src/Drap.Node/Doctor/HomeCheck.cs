using System.Diagnostics;
using System.Globalization;
using Drap.Core.Jobs;
using Drap.Node.Home;

namespace Drap.Node.Doctor;

/// <summary>Where the node's state lies: whether that survives, can be locked and synced, and has room.</summary>
internal static class HomeCheck
{
    private const long FreeLeast = 256L << 20, FreeGood = 5L << 30;

    private const long TmpFs = 0x01021994, RamFs = 0x858458f6, OverlayFs = 0x794c7630;

    /// <summary>Beyond this a sync, for which each accepted task waits, shows.</summary>
    private static readonly TimeSpan SyncGood = TimeSpan.FromMilliseconds(50);

    public static IEnumerable<Finding> Examine(HomeFolder home)
    {
        string? at = home.Path;
        while (at is not null && !Directory.Exists(at))
            at = Path.GetDirectoryName(at);
        Finding file = FileSystem(home, at ?? "/");
        yield return file;
        if (file.Level == FindingLevel.Fail)
            yield break;
        long free;
        try
        {
            free = new DriveInfo(at ?? "/").AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            free = 0;
        }
        yield return Room(home.Path, free);
        yield return Try(home, at ?? "/");
    }

    internal static Finding Room(string path, long free)
    {
        string room = new ByteSize(free >> 20 << 20).ToWords();
        return free < FreeLeast ? Finding.Fail("disk", $"{room} are free for {path}: the journal and inputs of tasks need more", "make room, or set DRAP_HOME to another folder")
            : free < FreeGood ? Finding.Warn("disk", $"{room} are free for {path}: only small tasks will fit", "make room, or set DRAP_HOME to another folder")
            : Finding.Ok("disk", $"{room} are free for {path}");
    }

    internal static Finding OfKind(string path, long kind, string? network) => network is not null
        ? Finding.Fail("home", $"{path} lies on a network file system ({network}), where a journal is not safe", "set DRAP_HOME to a folder on a disk of this machine")
        : (uint)kind is (uint)TmpFs or (uint)RamFs
            ? Finding.Warn("home", $"{path} lies in memory (tmpfs): after a boot all its jobs and its place in the swarm are gone", "set DRAP_HOME to a folder on a disk, unless that is meant")
            : (uint)kind == (uint)OverlayFs
                ? Finding.Warn("home", $"{path} lies in a container's own layer (overlayfs): it goes with the container", "mount a volume for DRAP_HOME, unless that is meant")
                : Finding.Ok("home", $"{path} lies on a disk of this machine");

    private static Finding FileSystem(HomeFolder home, string at)
    {
        try
        {
            FileStat stat = FileStat.Of(at);
            Finding found = OfKind(home.Path, stat.Kind, stat.NetworkName);
            if (found.Level != FindingLevel.Fail && home.Exists)
                HomeIdentity.Check(home);
            return found;
        }
        catch (HomeException e)
        {
            return Finding.Fail("home", e.Message, e.Remedy);
        }
    }

    /// <summary>Takes the lock of a home that is made for this beside the real one, sees that nobody else gets it, and syncs a file.</summary>
    private static Finding Try(HomeFolder home, string at)
    {
        string folder = Path.Combine(at, string.Create(CultureInfo.InvariantCulture, $".drap-doctor-{Environment.ProcessId}"));
        try
        {
            HomeFolder tried = HomeFolder.At(folder);
            using HomeLock? first = HomeLock.TryTake(tried);
            using HomeLock? second = HomeLock.TryTake(tried);
            if (first is null || second is not null)
                return Finding.Fail("locks", $"files of {home.Path} cannot be locked: two nodes could start in one home", "set DRAP_HOME to a folder on a disk of this machine");
            TimeSpan sync = TimeSpan.MaxValue;
            using FileStream file = File.Create(Path.Combine(folder, "sync"));
            for (int i = 0; i < 5; i++)
            {
                file.Write(new byte[4096]);
                long start = Stopwatch.GetTimestamp();
                file.Flush(flushToDisk: true);
                TimeSpan took = Stopwatch.GetElapsedTime(start);
                sync = took < sync ? took : sync;
            }
            string words = string.Create(CultureInfo.InvariantCulture, $"files are locked, and synced in {sync.TotalMilliseconds:0.##} ms");
            return sync <= SyncGood ? Finding.Ok("locks", words) : Finding.Warn("locks", $"{words}: whoever gives tasks here waits for that", "set DRAP_HOME to a folder on a faster disk");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or HomeException)
        {
            return Finding.Fail("locks", $"nothing can be written for {home.Path}: {e.Message}", "set DRAP_HOME to a folder that you may write");
        }
        finally
        {
            Remove(folder);
        }
    }

    private static void Remove(string folder)
    {
        try
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What could not be written cannot be removed either, and was said.
        }
    }
}
