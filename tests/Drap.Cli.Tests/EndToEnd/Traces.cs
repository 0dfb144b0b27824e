using Drap.Node.Sandbox;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>What the tasks of a home could leave on the machine: processes, cgroups, work folders.</summary>
internal static class Traces
{
    private const string cgroupRoot = "/sys/fs/cgroup";

    /// <summary>The home's node has ended in order: nothing is left of its tasks.</summary>
    public static void AssertNone(string home)
    {
        HomeMark mark = HomeMark.Of(home);
        Assert.Equal([], Processes(home));
        Assert.Equal([], Cgroups(mark));
        Assert.Equal([], WorkFolders(home));
    }

    /// <summary>The processes of the home's tasks, as their command lines.</summary>
    public static List<string> Processes(string home)
    {
        string mark = $"{HomeMark.Variable}={HomeMark.Of(home)}";
        var found = new List<string>();
        foreach (string folder in Directory.EnumerateDirectories("/proc").Where(f => char.IsAsciiDigit(Path.GetFileName(f)[0])))
        {
            try
            {
                if (File.ReadAllText(folder + "/environ").Split('\0').Any(v => v.StartsWith(mark, StringComparison.Ordinal)))
                    found.Add($"{Path.GetFileName(folder)} {File.ReadAllText(folder + "/cmdline").Replace('\0', ' ')}");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // It has just ended, or is another user's.
            }
        }
        return found;
    }

    /// <summary>The folders of attempts, on disk and in memory; those that are kept empty for the next attempt count too.</summary>
    public static List<string> WorkFolders(string home)
    {
        string[] roots = [Path.Combine(home, "work"), $"/dev/shm/drap-{HomeMark.Of(home)}"];
        return [.. roots.Where(Directory.Exists).SelectMany(Directory.GetDirectories)];
    }

    private static List<string> Cgroups(HomeMark mark)
    {
        // Version 1 has a tree for each controller, version 2 one for all; ours lie below the cgroup that the node was started in.
        return !Directory.Exists(cgroupRoot) ? [] : [.. Directory.EnumerateDirectories(cgroupRoot, $"drap-{mark}", new EnumerationOptions
        {
            RecurseSubdirectories = true, MaxRecursionDepth = 6, IgnoreInaccessible = true,
        })];
    }
}
