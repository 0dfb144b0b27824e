using System.Globalization;
using System.Text;

namespace Drap.Node.Sandbox;

/// <summary>
/// A slot's cgroups of version 1: one per controller that is there. The slot's spawning thread sits in them, which a version 1
/// controller lets a single thread do, so that each task is born inside. What that means for us: memory is charged to whoever owns the
/// address space, so ours stays charged where our main thread is; <c>pids</c> counts the thread, so limits are one higher; listings name
/// our process, which is left out; and the quota stands only while the thread sleeps.
/// </summary>
internal sealed class CgroupV1 : SlotCgroup
{
    /// <summary>The quota is counted over this; the kernel's default.</summary>
    private const long PeriodMicroseconds = 100_000;

    private readonly string[] folders;
    private readonly string listing;
    private readonly int pidsMax, pidsCurrent, memoryLimit, memorySwapLimit, memoryPeak, memoryOom, memoryForceEmpty, cpuShares, cpuQuota;

    /// <param name="cpu">The slot's folder under the controller; null where there is none. At least one of the three is there.</param>
    public CgroupV1(string? cpu, string? memory, string? pids)
    {
        folders = [.. new[] { cpu, memory, pids }.OfType<string>().Distinct()];
        foreach (string folder in folders)
            Directory.CreateDirectory(folder);
        listing = (pids ?? memory ?? cpu) + "/cgroup.procs";
        pidsMax = pids is null ? -1 : Open(pids + "/pids.max", write: true);
        pidsCurrent = pids is null ? -1 : Open(pids + "/pids.current", write: false);
        memoryLimit = memory is null ? -1 : Open(memory + "/memory.limit_in_bytes", write: true);
        memorySwapLimit = memory is null ? -1 : Open(memory + "/memory.memsw.limit_in_bytes", write: true);
        memoryPeak = memory is null ? -1 : Open(memory + "/memory.max_usage_in_bytes", write: true);
        memoryOom = memory is null ? -1 : Open(memory + "/memory.oom_control", write: false);
        memoryForceEmpty = memory is null ? -1 : Libc.openat(Libc.AT_FDCWD, memory + "/memory.force_empty", Libc.O_WRONLY | Libc.O_CLOEXEC, 0);
        cpuShares = cpu is null ? -1 : Open(cpu + "/cpu.shares", write: true);
        cpuQuota = cpu is null ? -1 : Open(cpu + "/cpu.cfs_quota_us", write: true);
        if (cpu is not null)
            Write(Open(cpu + "/cpu.cfs_period_us", write: true), PeriodMicroseconds);
    }

    public override string? JoinFile => null;

    public override void Seat(int threadId)
    {
        foreach (string folder in folders)
            Move(folder, threadId);
    }

    /// <summary>To the parent of the base, which is where our process was.</summary>
    public override void Unseat(int threadId)
    {
        foreach (string folder in folders)
            Move(Path.GetDirectoryName(Path.GetDirectoryName(folder))!, threadId);
    }

    public override int CountMembers() =>
        pidsCurrent >= 0 ? (int)ReadNumber(pidsCurrent) - 1 : ReadMembers(listing).Count;

    public override IEnumerable<int> Members() => ReadMembers(listing);

    public override long PeakMemory() => ReadNumber(memoryPeak);

    public override void Remove()
    {
        Dispose();
        foreach (string folder in folders)
            CgroupTree.RemoveFolder(folder);
    }

    public override void Dispose()
    {
        base.Dispose();
        if (memoryForceEmpty >= 0)
            _ = Libc.close(memoryForceEmpty);
    }

    // The spawning thread counts for one.
    protected override string? WritePids(int max) => Write(pidsMax, max + 1L);

    protected override string? WriteMemory(long bytes, bool raise)
    {
        long value = bytes == 0 ? -1 : bytes;
        // Memory with swap may never be less than memory, so the order of the two depends on the direction.
        raise |= bytes == 0;
        if (raise)
            Write(memorySwapLimit, value);
        string? error = Write(memoryLimit, value);
        if (error is not null && memoryForceEmpty >= 0)
        {
            // Pages that earlier attempts read from files are still charged here: have them dropped, then it fits.
            Write(memoryForceEmpty, 0);
            error = Write(memoryLimit, value);
        }
        if (!raise && error is null)
            Write(memorySwapLimit, value);
        return error;
    }

    protected override void WriteCpuWeight(long milliCpus) => Write(cpuShares, Math.Clamp(milliCpus * 1024 / 1000, 2, 262_144));

    // The kernel's least quota is 1 ms a period.
    protected override void WriteCpuQuota(long milliCpus) =>
        Write(cpuQuota, milliCpus == 0 ? -1 : Math.Max(milliCpus * PeriodMicroseconds / 1000, 1_000));

    protected override void ResetPeakMemory() => Write(memoryPeak, 0);

    protected override long ReadOomKills() => ReadNumber(memoryOom, "oom_kill"u8);

    private static void Move(string folder, int threadId)
    {
        int fd = Libc.openat(Libc.AT_FDCWD, folder + "/tasks", Libc.O_WRONLY | Libc.O_CLOEXEC, 0);
        string? error = fd < 0
            ? Libc.ErrorText(Libc.LastError)
            : Write(fd, Encoding.ASCII.GetBytes(threadId.ToString(CultureInfo.InvariantCulture)));
        if (fd >= 0)
            _ = Libc.close(fd);
        if (error is not null)
            throw new IOException($"{folder}/tasks: {error}");
    }
}
