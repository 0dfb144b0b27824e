using System.Globalization;
using System.Text;
using Drap.Node.Storage;

namespace Drap.Node.Sandbox;

/// <summary>What an earlier, killed node of the same home left, and its end. Run at start, while this process alone holds the home.</summary>
/// <param name="Processes">Processes that were ended.</param>
/// <param name="Folders">Folders for work that were removed.</param>
/// <param name="Problems">What would not go, in words.</param>
public sealed record Leftovers(int Processes, int Folders, IReadOnlyList<string> Problems)
{
    /// <summary>Where a node writes down the folders of its cgroups, since the next one may be started in another.</summary>
    private const string CgroupsFile = "cgroups";

    /// <summary>How often we look again for what was born while we looked.</summary>
    private const int PassesMax = 1_000;

    /// <summary>On a busy machine some process is always just becoming another; the one that we saw so has become it long before this.</summary>
    private const int UnsurePassesMax = 20;

    /// <summary>Ends processes by their cgroup and by their mark, then removes cgroups and folders. Touches nothing of another home.</summary>
    public static Leftovers Reap(string home)
    {
        HomeMark mark = HomeMark.Of(home);
        byte[] text = Orphans.MarkBytes(mark, null), guards = [.. text, .. Encoding.ASCII.GetBytes(HomeMark.Guard)];
        var ended = new HashSet<int>();
        var problems = new List<string>();
        string[] bases = ReadBases(home, mark);
        for (int pass = 0; ; pass++)
        {
            // Its guard first: it would take what we start for what it guards.
            foreach (int guard in Marked(guards, out _))
                _ = Libc.kill(guard, Libc.SIGKILL);
            List<int> found = [.. bases.SelectMany(MembersBelow), .. Marked(text, out bool unsure)];
            if (found.Count == 0 && (!unsure || pass >= UnsurePassesMax))
                break;
            if (pass == PassesMax)
            {
                problems.Add($"processes that an earlier node left do not end: {string.Join(' ', found.Distinct())}");
                break;
            }
            foreach (int pid in found)
            {
                _ = Libc.kill(pid, Libc.SIGKILL);
                ended.Add(pid);
            }
            Orphans.Reap();
            Thread.Sleep(Math.Min(pass, 10));
        }
        foreach (string at in bases)
            RemoveBase(at, problems);
        int folders = 0;
        foreach (string root in WorkFolders.MemoryRoots(mark).Append(WorkFolders.DiskRoot(home)).Where(Directory.Exists))
        {
            folders += Directory.GetDirectories(root).Length;
            if (!FolderTree.Remove(root, out string? error))
                problems.Add(error!);
        }
        return new Leftovers(ended.Count, folders, problems);
    }

    /// <summary>Writes the folders down, before the first task goes into one. Where they stand already nothing is written, for which a full disk has room too.</summary>
    internal static void RememberBases(string home, IEnumerable<string> bases)
    {
        string file = Path.Combine(home, CgroupsFile), text = string.Concat(bases.Select(at => at + "\n"));
        if (!File.Exists(file) || File.ReadAllText(file) != text)
            DurableFile.Write(file, Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Only folders with our mark in their name: the file lies open to whoever owns the home, and we end what is named in it.</summary>
    private static string[] ReadBases(string home, HomeMark mark)
    {
        string file = Path.Combine(home, CgroupsFile);
        return File.Exists(file) ? [.. File.ReadLines(file).Where(l => l.EndsWith($"/drap-{mark}", StringComparison.Ordinal) && Directory.Exists(l))] : [];
    }

    private static IEnumerable<int> MembersBelow(string at) =>
        Directory.Exists(at) ? Directory.GetDirectories(at).SelectMany(slot => SlotCgroup.ReadMembers(slot + "/cgroup.procs")) : [];

    private static List<int> Marked(byte[] text, out bool unsure)
    {
        var marked = new List<int>();
        unsure = false;
        foreach (string folder in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), CultureInfo.InvariantCulture, out int pid) || pid == Environment.ProcessId)
                continue;
            MarkState state = Orphans.LookForMark(pid, text);
            unsure |= state == MarkState.Unknown;
            if (state == MarkState.Yes)
                marked.Add(pid);
        }
        return marked;
    }

    private static void RemoveBase(string at, List<string> problems)
    {
        foreach (string slot in Directory.Exists(at) ? Directory.GetDirectories(at) : [])
            if (!CgroupTree.RemoveFolder(slot))
                problems.Add($"{slot}: the cgroup is still in use");
        if (!CgroupTree.RemoveFolder(at))
            problems.Add($"{at}: the cgroup is still in use");
    }
}
