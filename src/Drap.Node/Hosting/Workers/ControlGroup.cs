using System.Globalization;

namespace Drap.Node.Hosting.Workers;

/// <summary>The limits that the control groups of this process put on it: the tightest of its own and of those around it.</summary>
/// <param name="MilliCpusMax">Processor time, in thousandths of a core; null without a limit.</param>
/// <param name="MemoryBytesMax">Memory; null without a limit.</param>
internal readonly record struct ControlGroup(long? MilliCpusMax, long? MemoryBytesMax)
{
    /// <summary>What version 1 writes for no limit is a number near this.</summary>
    private const long NoLimit = 1L << 60;

    public static ControlGroup OfThisProcess() => Of("/proc/self/cgroup", "/sys/fs/cgroup");

    /// <summary>By the lines of a <c>/proc/PID/cgroup</c>: <c>0::/path</c> for version 2, <c>7:cpu,cpuacct:/path</c> for version 1.</summary>
    public static ControlGroup Of(string groupsFile, string root)
    {
        long? cpus = null, memory = null;
        foreach (string line in Lines(groupsFile))
        {
            if (line.Split(':', 3) is not [_, string controllers, string path])
                continue;
            string[] names = controllers.Split(',');
            // In a container the path is the host's, and the group itself is mounted at the root: parents that are not there have no files.
            for (string at = path; ; at = Path.GetDirectoryName(at)!)
            {
                string relative = at.TrimStart('/');
                if (controllers.Length == 0)
                {
                    cpus = Least(cpus, QuotaOf(Lines(Path.Combine(root, relative, "cpu.max")).FirstOrDefault()?.Split(' ')));
                    memory = Least(memory, Number(Path.Combine(root, relative, "memory.max")));
                }
                if (names.Contains("cpu"))
                    cpus = Least(cpus, QuotaOf([
                        Lines(Path.Combine(root, "cpu", relative, "cpu.cfs_quota_us")).FirstOrDefault() ?? "",
                        Lines(Path.Combine(root, "cpu", relative, "cpu.cfs_period_us")).FirstOrDefault() ?? ""]));
                if (names.Contains("memory"))
                    memory = Least(memory, Number(Path.Combine(root, "memory", relative, "memory.limit_in_bytes")));
                if (relative.Length == 0)
                    break;
            }
        }
        return new ControlGroup(cpus, memory);
    }

    private static long? QuotaOf(string[]? words) =>
        words is [string quota, string period, ..] && TryNumber(quota, out long time) && TryNumber(period, out long of) && time > 0 && of > 0
            ? (long)((Int128)time * 1000 / of)
            : null;

    private static long? Number(string file) => TryNumber(Lines(file).FirstOrDefault(), out long value) && value < NoLimit ? value : null;

    private static bool TryNumber(string? text, out long value) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static long? Least(long? a, long? b) => a is null ? b : b is null ? a : Math.Min(a.Value, b.Value);

    private static string[] Lines(string file) => ProcFiles.Lines(file);
}
