using System.Globalization;
using System.Text;

namespace Drap.Node.Sandbox;

/// <summary>
/// Processes whose parent died become children of our process (it is their subreaper), under its main thread. So those that left their
/// process group are found without looking through the whole machine, and no dead one stays unreaped where the machine's init does not
/// reap. Safe from any thread.
/// </summary>
internal static unsafe class Orphans
{
    private static readonly int OwnSession = Libc.getsid(0);

    private static readonly string ChildrenFile = $"/proc/self/task/{Environment.ProcessId}/children";

    private static long lastReap;

    /// <summary>Makes orphans ours. For the whole process and for good.</summary>
    public static void Adopt() => _ = Libc.prctl(Libc.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);

    /// <summary>Reaps those that are dead, at most ten times a second for all callers together.</summary>
    public static void ReapSometimes()
    {
        long now = Environment.TickCount64;
        long last = Interlocked.Read(ref lastReap);
        if (now - last >= 100 && Interlocked.CompareExchange(ref lastReap, now, last) == last)
            Reap();
    }

    /// <summary>
    /// Reaps those that are dead and answers those that live. What was started in our own session, by other code in this process, is
    /// left alone: each task has a session of its own.
    /// </summary>
    public static List<int> Reap()
    {
        var living = new List<int>();
        foreach (int pid in ReadPids(ChildrenFile))
        {
            int status;
            if (Libc.getsid(pid) != OwnSession && Libc.wait4(pid, &status, Libc.WNOHANG, null) == 0)
                living.Add(pid);
        }
        return living;
    }

    /// <summary>Whether a process carries the mark, or one that begins so. False for one that is gone, or that cleared its environment.</summary>
    public static bool HasMark(int pid, ReadOnlySpan<byte> mark)
    {
        int fd = Libc.openat(Libc.AT_FDCWD, string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/environ"), Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0)
            return false;
        // The mark stands first in what we give a task; a shell may have moved it, so look through the usual sizes whole.
        byte[] environment = new byte[64 * 1024];
        int length = 0;
        fixed (byte* start = environment)
        {
            nint got;
            while (length < environment.Length && (got = Libc.read(fd, start + length, (nuint)(environment.Length - length))) > 0)
                length += (int)got;
        }
        _ = Libc.close(fd);
        ReadOnlySpan<byte> text = environment.AsSpan(0, length);
        int at = text.IndexOf(mark);
        return at == 0 || (at > 0 && text[at - 1] == 0);
    }

    /// <summary>The beginning of each environment that carries this mark; with an attempt's serial number, that attempt's.</summary>
    public static byte[] MarkBytes(HomeMark mark, long? serial) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{HomeMark.Variable}={mark}-{serial}"));

    private static List<int> ReadPids(string file)
    {
        var pids = new List<int>();
        int fd = Libc.openat(Libc.AT_FDCWD, file, Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0)
            return pids;
        byte* buffer = stackalloc byte[4096];
        int pid = 0;
        nint length;
        while ((length = Libc.read(fd, buffer, 4096)) > 0)
        {
            for (nint i = 0; i < length; i++)
            {
                if (buffer[i] is >= (byte)'0' and <= (byte)'9')
                    pid = pid * 10 + (buffer[i] - '0');
                else if (pid > 0)
                {
                    pids.Add(pid);
                    pid = 0;
                }
            }
        }
        _ = Libc.close(fd);
        return pids;
    }
}
