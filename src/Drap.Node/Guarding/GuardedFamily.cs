using System.Globalization;
using System.Text;
using Drap.Node.Sandbox;

namespace Drap.Node.Guarding;

/// <summary>
/// Ends the processes of an attempt from outside its node: all in its cgroup; where there is none its process group, and whoever carries
/// its mark, wherever it went.
/// </summary>
/// <param name="mark">The home's.</param>
/// <param name="node">The node's process, of which a thread sits in each cgroup of version 1.</param>
/// <param name="bases">The folders that hold the slots' cgroups.</param>
internal sealed class GuardedFamily(HomeMark mark, int node, string[] bases)
{
    /// <summary>Ends what is there; false while anything is left.</summary>
    public bool End(long serial, in GuardedProcess process, bool nodeIsThere)
    {
        if (process.Cgroup == 0)
        {
            if (process.ProcessId > 0 && IsLeader(process))
                _ = Libc.kill(-process.ProcessId, Libc.SIGKILL);
            foreach (int pid in Marked(serial))
                _ = Libc.kill(pid, Libc.SIGKILL);
            return IsGone(serial, process, nodeIsThere);
        }
        string slot = Slot(process.Cgroup);
        foreach (string at in bases)
            // So that it cannot outrun us; the kernel's own way to end all at once takes the node's thread with it in version 1, and has no file there.
            if (!Write($"{at}/{slot}/cgroup.kill", "1"))
                Write($"{at}/{slot}/pids.max", "0");
        foreach (int pid in Members(slot, nodeIsThere))
            _ = Libc.kill(pid, Libc.SIGKILL);
        return IsGone(serial, process, nodeIsThere);
    }

    /// <summary>Whether nothing is left of it.</summary>
    public bool IsGone(long serial, in GuardedProcess process, bool nodeIsThere) =>
        process.Cgroup > 0 ? Members(Slot(process.Cgroup), nodeIsThere).Count == 0 : !IsLeader(process) && Marked(serial).Count == 0;

    private static string Slot(int cgroup) => string.Create(CultureInfo.InvariantCulture, $"s{cgroup}");

    /// <summary>Each controller's folder lists the same; one may have failed to be made.</summary>
    private List<int> Members(string slot, bool nodeIsThere)
    {
        List<int> members = [];
        foreach (string at in bases)
            foreach (int pid in SlotCgroup.ReadMembers($"{at}/{slot}/cgroup.procs"))
                if (!(nodeIsThere && pid == node) && !members.Contains(pid))
                    members.Add(pid);
        return members;
    }

    private List<int> Marked(long serial)
    {
        byte[] text = Orphans.MarkBytes(mark, serial);
        List<int> marked = [];
        foreach (string folder in Directory.GetDirectories("/proc"))
            if (int.TryParse(folder.AsSpan("/proc/".Length), CultureInfo.InvariantCulture, out int pid) && Orphans.LookForMark(pid, text) == MarkState.Yes)
                marked.Add(pid);
        return marked;
    }

    /// <summary>Whether the main process lives; one that has ended, and that nobody waited for yet, does not.</summary>
    private static bool IsLeader(in GuardedProcess process) =>
        process.ProcessId > 0 && ReadStat(process.ProcessId) is var (state, startTime) && state is not ('Z' or 'X') && startTime == process.StartTime;

    /// <summary>A process's state and the time of its start; null if it is not there.</summary>
    public static (char State, ulong StartTime)? ReadStat(int pid)
    {
        try
        {
            // number (name) state parent …: the name may hold anything, so count from its end. The start is field 22.
            string stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"), Encoding.Latin1);
            string[] fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return (fields[0][0], ulong.Parse(fields[19], CultureInfo.InvariantCulture));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static bool Write(string file, string text)
    {
        int fd = Libc.openat(Libc.AT_FDCWD, file, Libc.O_WRONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0)
            return false;
        int error = Libc.WriteControl(fd, Encoding.ASCII.GetBytes(text));
        _ = Libc.close(fd);
        return error == 0;
    }
}
