using System.Globalization;
using System.Text;

namespace Drap.Node.Sandbox;

/// <summary>
/// What we hold of one started sandbox: its init, with whose end the kernel ends all that is in it; the pipe on which bubblewrap tells of
/// it; and the gate behind which the task waits until its limits are set. Used by the slot's thread.
/// </summary>
internal sealed unsafe class SandboxInit
{
    private readonly byte[] status = new byte[1024];
    private int statusRead = -1, statusWrite = -1, gateRead = -1, gateWrite = -1, handle = -1;
    private int statusLength;

    /// <summary>The init's number; 0 where bubblewrap ended before it had one.</summary>
    public int ProcessId { get; private set; }

    /// <summary>Opens the pipes; null, with the error's number kept, where that fails.</summary>
    public static SandboxInit? TryCreate()
    {
        var init = new SandboxInit();
        int* ends = stackalloc int[4];
        new Span<int>(ends, 4).Fill(-1);
        bool ok = Libc.pipe2(ends, Libc.O_CLOEXEC) == 0 && Libc.pipe2(ends + 2, Libc.O_CLOEXEC) == 0;
        (init.statusRead, init.statusWrite, init.gateRead, init.gateWrite) = (ends[0], ends[1], ends[2], ends[3]);
        if (ok && TryLift(ref init.statusWrite) && TryLift(ref init.gateRead))
            return init;
        int errno = Libc.LastError;
        init.Close();
        System.Runtime.InteropServices.Marshal.SetLastPInvokeError(errno);
        return null;
    }

    /// <summary>Has the spawned process given what it is to find open.</summary>
    public void Prepare(SpawnRequest* request, Bubblewrap bubblewrap)
    {
        request->Filter = bubblewrap.FilterPath;
        (request->Status, request->Gate) = (statusWrite, gateRead);
    }

    /// <summary>After the spawn: learns the init, behind the closed gate; false if bubblewrap ended before it made one.</summary>
    public bool TryMeet()
    {
        Close(ref statusWrite);
        Close(ref gateRead);
        while (ProcessId == 0 && ReadMore() > 0)
            ProcessId = (int)Math.Max(Number("\"child-pid\":"u8), 0);
        if (ProcessId > 0)
            handle = (int)Libc.syscall(Libc.SYS_pidfd_open, ProcessId, 0, 0);
        return ProcessId > 0;
    }

    /// <summary>Lets the task begin.</summary>
    public void OpenGate()
    {
        byte one = 1;
        _ = Libc.write(gateWrite, &one, 1);
        Close(ref gateWrite);
    }

    /// <summary>Ends the init, and with it all that is left in the sandbox.</summary>
    public void Kill()
    {
        if (handle >= 0)
            _ = Libc.syscall(Libc.SYS_pidfd_send_signal, handle, Libc.SIGKILL, 0);
    }

    /// <summary>Signals all processes in the sandbox but its init, which would pass nothing on.</summary>
    public void Signal(int signal, SlotCgroup? cgroup, int leader)
    {
        foreach (int pid in cgroup?.Members() ?? Below(ProcessId))
            if (pid != leader && pid != ProcessId)
                _ = Libc.kill(pid, signal);
    }

    /// <summary>After bubblewrap's end: adds what its init and all below have used, if that is ours to know; then whether the command was begun.</summary>
    public bool Finish(Libc.RUsage* usage)
    {
        Kill();
        int ended;
        Libc.RUsage inner;
        // Bubblewrap leaves at the command's end and does not wait for its init, which is then our child; if it did, it has counted it.
        if (ProcessId > 0 && Libc.wait4(ProcessId, &ended, 0, &inner) == ProcessId)
        {
            usage->UserSeconds += inner.UserSeconds;
            usage->UserMicroseconds += inner.UserMicroseconds;
            usage->SystemSeconds += inner.SystemSeconds;
            usage->SystemMicroseconds += inner.SystemMicroseconds;
            usage->MaxRssKib = Math.Max(usage->MaxRssKib, inner.MaxRssKib);
        }
        while (ReadMore() > 0)
        {
        }
        bool begun = Number("\"exit-code\":"u8) >= 0;
        Close();
        return begun;
    }

    /// <summary>Gives everything back.</summary>
    public void Close()
    {
        Close(ref statusRead);
        Close(ref statusWrite);
        Close(ref gateRead);
        Close(ref gateWrite);
        Close(ref handle);
    }

    /// <summary>The bytes got; 0 at the end, or when bubblewrap has written more than it ever does.</summary>
    private nint ReadMore()
    {
        nint got;
        fixed (byte* start = status)
            got = Libc.read(statusRead, start + statusLength, (nuint)(status.Length - statusLength));
        if (got > 0)
            statusLength += (int)got;
        return got;
    }

    /// <summary>The number behind a name in what bubblewrap wrote (objects of JSON, one after the other); -1 if it is not there, whole, yet.</summary>
    private long Number(ReadOnlySpan<byte> name)
    {
        ReadOnlySpan<byte> text = status.AsSpan(0, statusLength);
        int at = text.IndexOf(name);
        if (at < 0)
            return -1;
        text = text[(at + name.Length)..].TrimStart((byte)' ');
        return System.Buffers.Text.Utf8Parser.TryParse(text, out long number, out int used) && used < text.Length ? number : -1;
    }

    /// <summary>All descendants of a process, by what the kernel lists as each thread's children.</summary>
    private static List<int> Below(int root)
    {
        List<int> found = [];
        if (root > 0)
            Look(root);
        return found;

        void Look(int pid)
        {
            string tasks = string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/task");
            try
            {
                foreach (string thread in Directory.GetDirectories(tasks))
                    foreach (string child in File.ReadAllText(thread + "/children", Encoding.ASCII).Split(' ', StringSplitOptions.RemoveEmptyEntries))
                        if (int.TryParse(child, CultureInfo.InvariantCulture, out int number) && found.Count < FoundMax)
                        {
                            found.Add(number);
                            Look(number);
                        }
            }
            catch (IOException)
            {
                // It has just ended.
            }
        }
    }

    /// <summary>As many as a task without a cgroup is signalled at once; one that has more is killed with its init.</summary>
    private const int FoundMax = 10_000;

    /// <summary>Above the numbers that bubblewrap is given, so that laying one in its place takes none of the others away.</summary>
    private static bool TryLift(ref int fd)
    {
        if (fd > Bubblewrap.GateFd)
            return true;
        int lifted = Libc.fcntl(fd, Libc.F_DUPFD_CLOEXEC, Bubblewrap.GateFd + 1);
        if (lifted < 0)
            return false;
        _ = Libc.close(fd);
        fd = lifted;
        return true;
    }

    private static void Close(ref int fd)
    {
        if (fd >= 0)
            _ = Libc.close(fd);
        fd = -1;
    }
}
