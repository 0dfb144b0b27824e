using System.Globalization;
using System.Text;

namespace Drap.Node.Sandbox;

/// <summary>
/// The cgroup of one slot, kept from attempt to attempt: making one per task would cost more than the task, so only limits that differ
/// from the last attempt's are written. Used by the slot's thread.
/// </summary>
internal abstract unsafe class SlotCgroup : IDisposable
{
    private readonly List<int> files = [];
    private long memory = -1, cpuWeight = -1;
    private int pids = -1;
    private bool cpuLimited;
    private long oomKillsBefore;

    /// <summary>What a plain child must be started through to be born here; null when the spawning thread sits here already.</summary>
    public abstract string? JoinFile { get; }

    /// <summary>Makes the thread's children members from birth, where the version can.</summary>
    public abstract void Seat(int threadId);

    /// <summary>Takes the thread out again.</summary>
    public abstract void Unseat(int threadId);

    /// <summary>Sets the limits that a task meets from its first instruction; null, or what could not be set.</summary>
    public string? Apply(in LaunchLimits limits, int pidsDefault)
    {
        int wantedPids = limits.Pids > 0 ? limits.Pids : pidsDefault;
        if (wantedPids != pids)
        {
            if (WritePids(wantedPids) is { } error)
                return $"pids: {error}";
            pids = wantedPids;
        }
        if (limits.MemoryBytes != memory)
        {
            if (WriteMemory(limits.MemoryBytes, raise: memory > 0 && (limits.MemoryBytes == 0 || limits.MemoryBytes > memory)) is { } error)
                return $"memory: {error}";
            memory = limits.MemoryBytes;
        }
        long weight = limits.MilliCpus > 0 ? limits.MilliCpus : 1000;
        if (weight != cpuWeight)
        {
            WriteCpuWeight(weight);
            cpuWeight = weight;
        }
        ResetPeakMemory();
        if (memory > 0)
            oomKillsBefore = ReadOomKills();
        return null;
    }

    /// <summary>Sets the processor quota, once an attempt has lived long enough for it to mean something.</summary>
    public void LimitCpu(long milliCpus)
    {
        if (milliCpus <= 0)
            return;
        cpuLimited = true;
        WriteCpuQuota(milliCpus);
    }

    /// <summary>Takes the quota off and stops new processes; before the family is ended, which it then cannot outrun.</summary>
    public void Seal()
    {
        ReleaseCpu();
        pids = WritePids(0) is null ? 0 : -1;
    }

    /// <summary>Takes the quota off: whoever comes next into this cgroup does not wait for what the last one used up.</summary>
    public void ReleaseCpu()
    {
        if (!cpuLimited)
            return;
        cpuLimited = false;
        WriteCpuQuota(0);
    }

    /// <summary>Whether the kernel has ended a process here for want of memory since <see cref="Apply"/>.</summary>
    public bool HasOomKilled => memory > 0 && ReadOomKills() > oomKillsBefore;

    /// <summary>Processes (dead ones that nobody has waited for included, where the kernel counts them), ours left out.</summary>
    public abstract int CountMembers();

    /// <summary>Members that are alive, ours left out.</summary>
    public abstract IEnumerable<int> Members();

    /// <summary>The most memory since <see cref="Apply"/>; 0 where the machine does not say.</summary>
    public abstract long PeakMemory();

    /// <summary>Removes the cgroup; only when it is empty.</summary>
    public abstract void Remove();

    public virtual void Dispose()
    {
        foreach (int file in files)
            if (file >= 0)
                _ = Libc.close(file);
        files.Clear();
    }

    protected abstract string? WritePids(int max);

    protected abstract string? WriteMemory(long bytes, bool raise);

    protected abstract void WriteCpuWeight(long milliCpus);

    protected abstract void WriteCpuQuota(long milliCpus);

    protected abstract void ResetPeakMemory();

    protected abstract long ReadOomKills();

    /// <summary>Opens a control file, to be kept open; -1 if it is not there.</summary>
    protected int Open(string path, bool write)
    {
        int fd = Libc.openat(Libc.AT_FDCWD, path, (write ? Libc.O_RDWR : Libc.O_RDONLY) | Libc.O_CLOEXEC, 0);
        files.Add(fd);
        return fd;
    }

    /// <summary>Null, or why not. A file that is not there takes everything: that the limit is not kept is said at start, by <see cref="Enforcement"/>.</summary>
    protected static string? Write(int fd, long value)
    {
        if (fd < 0)
            return null;
        Span<byte> text = stackalloc byte[24];
        value.TryFormat(text, out int length, provider: CultureInfo.InvariantCulture);
        int error = Libc.WriteControl(fd, text[..length]);
        return error == 0 ? null : Libc.ErrorText(error);
    }

    protected static string? Write(int fd, ReadOnlySpan<byte> text)
    {
        int error = fd < 0 ? 0 : Libc.WriteControl(fd, text);
        return error == 0 ? null : Libc.ErrorText(error);
    }

    /// <summary>The number in a file of one number, or behind <paramref name="key"/>; 0 if there is none.</summary>
    protected static long ReadNumber(int fd, ReadOnlySpan<byte> key = default)
    {
        if (fd < 0)
            return 0;
        byte* buffer = stackalloc byte[512];
        nint length = Libc.pread(fd, buffer, 512, 0);
        var text = new ReadOnlySpan<byte>(buffer, (int)Math.Max(length, 0));
        if (!key.IsEmpty)
        {
            // Keys stand at the start of a line: oom_kill is a part of oom_kill_disable.
            while (!text.StartsWith(key) || text.Length <= key.Length || text[key.Length] != ' ')
            {
                int line = text.IndexOf((byte)'\n');
                if (line < 0)
                    return 0;
                text = text[(line + 1)..];
            }
            text = text[(key.Length + 1)..];
        }
        return System.Buffers.Text.Utf8Parser.TryParse(text, out long value, out _) ? value : 0;
    }

    /// <summary>The processes listed in a file, ours left out. Opened anew each time: v1 answers an open file from a stale copy.</summary>
    internal static List<int> ReadMembers(string path)
    {
        var members = new List<int>();
        int self = Environment.ProcessId;
        try
        {
            foreach (string line in File.ReadLines(path, Encoding.ASCII))
                if (int.TryParse(line, CultureInfo.InvariantCulture, out int pid) && pid != self && pid > 0)
                    members.Add(pid);
        }
        catch (IOException)
        {
            // The cgroup is gone, and its members with it.
        }
        return members;
    }
}
