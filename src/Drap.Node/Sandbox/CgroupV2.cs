using System.Globalization;
using System.Text;

namespace Drap.Node.Sandbox;

/// <summary>
/// A slot's cgroup of version 2. Threads of one process may not part there, so a task joins by itself before it becomes the command: it
/// is started through a shell that writes itself into <c>cgroup.procs</c> and then executes it. Without controllers (they are not
/// delegated to us) it limits nothing but still holds the family together.
/// </summary>
internal sealed class CgroupV2 : SlotCgroup
{
    private const long PeriodMicroseconds = 100_000;

    private readonly string folder;
    private readonly int pidsMax, memoryMax, memorySwapMax, memoryPeak, memoryEvents, cpuWeight, cpuMax, events;

    public CgroupV2(string folder)
    {
        this.folder = folder;
        Directory.CreateDirectory(folder);
        events = Open(folder + "/cgroup.events", write: false);
        pidsMax = Open(folder + "/pids.max", write: true);
        memoryMax = Open(folder + "/memory.max", write: true);
        memorySwapMax = Open(folder + "/memory.swap.max", write: true);
        memoryPeak = Open(folder + "/memory.peak", write: true);
        memoryEvents = Open(folder + "/memory.events", write: false);
        cpuWeight = Open(folder + "/cpu.weight", write: true);
        cpuMax = Open(folder + "/cpu.max", write: true);
        // One process ended for want of memory leaves a family that waits for it: the kernel then ends all of them.
        Write(Open(folder + "/memory.oom.group", write: true), 1);
        Write(memorySwapMax, 0);
    }

    public override string JoinFile => folder + "/cgroup.procs";

    public override void Seat(int threadId)
    {
    }

    public override void Unseat(int threadId)
    {
    }

    public override int CountMembers() => ReadNumber(events, "populated"u8) == 0 ? 0 : Math.Max(1, ReadMembers(folder + "/cgroup.procs").Count);

    public override IEnumerable<int> Members() => ReadMembers(folder + "/cgroup.procs");

    public override long PeakMemory() => ReadNumber(memoryPeak);

    public override void Remove()
    {
        Dispose();
        CgroupTree.RemoveFolder(folder);
    }

    protected override string? WritePids(int max) => Write(pidsMax, max);

    protected override string? WriteMemory(long bytes, bool raise) => bytes == 0 ? Write(memoryMax, "max"u8) : Write(memoryMax, bytes);

    protected override void WriteCpuWeight(long milliCpus) => Write(cpuWeight, Math.Clamp(milliCpus / 10, 1, 10_000));

    protected override void WriteCpuQuota(long milliCpus)
    {
        string quota = milliCpus == 0
            ? "max"
            : Math.Max(milliCpus * PeriodMicroseconds / 1000, 1_000).ToString(CultureInfo.InvariantCulture);
        Write(cpuMax, Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{quota} {PeriodMicroseconds}")));
    }

    // Since Linux 6.12 any write resets the reader's peak; before, it only grows and says the most of all attempts in this slot.
    protected override void ResetPeakMemory() => Write(memoryPeak, "reset"u8);

    protected override long ReadOomKills() => ReadNumber(memoryEvents, "oom_kill"u8);
}
