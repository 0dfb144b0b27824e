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

    private const uint KernelThread = 0x0020_0000;

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

    /// <summary>
    /// Whether a process carries the mark, or one that begins so. No for one that is gone, or that cleared its environment; unknown for
    /// one that is just becoming another program and has no environment yet: look again.
    /// </summary>
    public static MarkState LookForMark(int pid, ReadOnlySpan<byte> mark)
    {
        byte[] environment = new byte[64 * 1024];
        ReadOnlySpan<byte> text = Read(pid, "environ", environment);
        if (text.IsEmpty)
            return IsBecomingAnother(Read(pid, "stat", environment)) ? MarkState.Unknown : MarkState.No;
        int at = text.IndexOf(mark);
        return at == 0 || (at > 0 && text[at - 1] == 0) ? MarkState.Yes : MarkState.No;
    }

    /// <summary>The beginning of each environment that carries this mark; with an attempt's serial number, that attempt's: whole, since 12 begins as 123 does.</summary>
    public static byte[] MarkBytes(HomeMark mark, long? serial) =>
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{HomeMark.Variable}={mark}-{serial}{(serial is null ? "" : "\0")}"));

    /// <summary>Alive, no thread of the kernel's, and the end of its environment not set yet.</summary>
    private static bool IsBecomingAnother(ReadOnlySpan<byte> stat)
    {
        // number (name) state parent …: the name may hold anything, so count from its end. Flags are field 9, the end of the environment 51.
        string[] fields = Encoding.ASCII.GetString(stat[(stat.LastIndexOf((byte)')') + 1)..]).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return fields.Length > 48 && fields[0] is not ("Z" or "X") && fields[48] == "0"
            && (uint.Parse(fields[6], CultureInfo.InvariantCulture) & KernelThread) == 0;
    }

    private static ReadOnlySpan<byte> Read(int pid, string file, byte[] buffer)
    {
        int fd = Libc.openat(Libc.AT_FDCWD, string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/{file}"), Libc.O_RDONLY | Libc.O_CLOEXEC, 0);
        if (fd < 0)
            return [];
        int length = 0;
        fixed (byte* start = buffer)
        {
            nint got;
            while (length < buffer.Length && (got = Libc.read(fd, start + length, (nuint)(buffer.Length - length))) > 0)
                length += (int)got;
        }
        _ = Libc.close(fd);
        return buffer.AsSpan(0, length);
    }

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

/// <summary>Whether a process belongs to whom its mark names.</summary>
internal enum MarkState
{
    No,
    Yes,
    Unknown,
}
