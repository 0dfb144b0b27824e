using System.Globalization;

namespace Drap.Node.Sandbox;

/// <summary>
/// Where this machine lets us make cgroups: below the one that our process is in, so that whoever limited us limits our tasks too. Slots
/// lie under <c>drap-MARK/</c>; our own process is never moved into one of them.
/// </summary>
internal sealed class CgroupTree
{
    private static readonly string[] Controllers = ["cpu", "memory", "pids"];

    private readonly Dictionary<string, string> bases = [];
    private readonly string? unified;

    private CgroupTree(Dictionary<string, string> bases, string? unified, IReadOnlyDictionary<string, string> missing)
    {
        this.bases = bases;
        this.unified = unified;
        Missing = missing;
    }

    /// <summary>Controllers that are not to be had, and why.</summary>
    public IReadOnlyDictionary<string, string> Missing { get; }

    /// <summary>1 or 2.</summary>
    public int Version => unified is null ? 1 : 2;

    /// <summary>All folders under which slots lie, to be written down for whoever comes after us.</summary>
    public IEnumerable<string> Bases => unified is null ? bases.Values.Distinct() : [unified];

    /// <summary>Finds and makes the base folders; null where no cgroup is writable, with the reason in <paramref name="why"/>.</summary>
    public static CgroupTree? TryCreate(HomeMark mark, out string why) =>
        TryCreate(mark, File.ReadAllLines("/proc/self/mountinfo"), File.ReadAllLines("/proc/self/cgroup"), out why);

    internal static CgroupTree? TryCreate(HomeMark mark, string[] mounts, string[] memberships, out string why)
    {
        var missing = new Dictionary<string, string>();
        var bases = new Dictionary<string, string>();
        foreach (string controller in Controllers)
        {
            if (OwnFolder(mounts, memberships, controller) is not { } own)
                missing[controller] = "no such cgroup controller is mounted";
            else if (TryMake($"{own}/drap-{mark}", out string error))
                bases[controller] = $"{own}/drap-{mark}";
            else
                missing[controller] = error;
        }
        if (bases.Count > 0)
        {
            why = "";
            return new CgroupTree(bases, null, missing);
        }
        return TryCreateUnified(mark, OwnFolder(mounts, memberships, ""), out why);
    }

    /// <summary>As above for version 2 alone, below <paramref name="own"/>.</summary>
    internal static CgroupTree? TryCreateUnified(HomeMark mark, string? own, out string why)
    {
        if (own is null)
        {
            why = "no cgroup file system is mounted";
            return null;
        }
        string root = $"{own}/drap-{mark}";
        if (!TryMake(root, out why))
            return null;
        Delegate(own, root);
        var missing = new Dictionary<string, string>();
        string delegated = ReadText(root + "/cgroup.subtree_control");
        foreach (string controller in Controllers)
            if (!delegated.Split(' ', StringSplitOptions.TrimEntries).Contains(controller))
                missing[controller] = $"the cgroup controller is not delegated to {own}; 'systemd-run --user --scope -p Delegate=yes drap up' has it";
        return new CgroupTree([], root, missing);
    }

    /// <summary>Makes, or takes again, the cgroup of a slot. Throws <see cref="IOException"/>.</summary>
    public SlotCgroup CreateSlot(string name)
    {
        if (unified is not null)
            return new CgroupV2($"{unified}/{name}");
        return new CgroupV1(Folder("cpu"), Folder("memory"), Folder("pids"));

        string? Folder(string controller) => bases.TryGetValue(controller, out string? at) ? $"{at}/{name}" : null;
    }

    /// <summary>Removes the base folders; they must be empty.</summary>
    public void Remove()
    {
        foreach (string at in Bases)
            RemoveFolder(at);
    }

    /// <summary>Removes a cgroup. The kernel may still count a process that has just been waited for: it is asked a few times.</summary>
    public static bool RemoveFolder(string folder)
    {
        for (int i = 0; i < 100; i++)
        {
            try
            {
                Directory.Delete(folder);
                return true;
            }
            catch (DirectoryNotFoundException)
            {
                return true;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Thread.Sleep(1 + i / 10);
            }
        }
        return false;
    }

    /// <summary>
    /// Hands the controllers down from our own cgroup to the slots. Version 2 refuses that while a process sits in our own cgroup (the
    /// root excepted): if it is ours alone we go into a leaf beside the slots, with no limit on it; if others sit there we leave it.
    /// </summary>
    private static void Delegate(string own, string root)
    {
        string available = ReadText(own + "/cgroup.controllers");
        string wanted = string.Join(' ', Controllers.Where(c => available.Split(' ', StringSplitOptions.TrimEntries).Contains(c)).Select(c => "+" + c));
        if (wanted.Length == 0)
            return;
        if (!TryWrite(own + "/cgroup.subtree_control", wanted) && SlotCgroup.ReadMembers(own + "/cgroup.procs").Count == 0
            && TryMake(own + "/drap-node", out _)
            && TryWrite(own + "/drap-node/cgroup.procs", Environment.ProcessId.ToString(CultureInfo.InvariantCulture)))
            TryWrite(own + "/cgroup.subtree_control", wanted);
        TryWrite(root + "/cgroup.subtree_control", wanted);
    }

    /// <summary>The folder of our own cgroup under a version 1 controller, or of version 2 for an empty name; null if it is not mounted.</summary>
    private static string? OwnFolder(string[] mounts, string[] memberships, string controller)
    {
        // hierarchy-number:controller,controller:/path
        string? path = memberships.Select(line => line.Split(':', 3))
            .FirstOrDefault(f => f.Length == 3 && (controller.Length == 0 ? f[0] == "0" && f[1].Length == 0 : f[1].Split(',').Contains(controller)))?[2];
        if (path is null)
            return null;
        foreach (string line in mounts)
        {
            // number parent device root mount-point options … - type source super-options
            string[] fields = line.Split(' ');
            int dash = Array.IndexOf(fields, "-");
            if (dash < 5 || dash + 3 >= fields.Length)
                continue;
            bool matches = controller.Length == 0
                ? fields[dash + 1] == "cgroup2"
                : fields[dash + 1] == "cgroup" && fields[dash + 3].Split(',').Contains(controller);
            if (!matches)
                continue;
            // In a container the mount may show only a part of the tree.
            string root = fields[3] == "/" ? "" : fields[3];
            string below = path.StartsWith(root, StringComparison.Ordinal) ? path[root.Length..] : "";
            string folder = (fields[4] + below).TrimEnd('/');
            return Directory.Exists(folder) ? folder : fields[4];
        }
        return null;
    }

    private static bool TryMake(string folder, out string error)
    {
        error = "";
        try
        {
            Directory.CreateDirectory(folder);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            error = $"{folder}: {e.Message}";
            return false;
        }
    }

    private static bool TryWrite(string file, string text)
    {
        try
        {
            using var stream = new FileStream(file, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            stream.Write(System.Text.Encoding.ASCII.GetBytes(text));
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    private static string ReadText(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
