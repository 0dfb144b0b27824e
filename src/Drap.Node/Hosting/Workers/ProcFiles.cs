using System.Globalization;

namespace Drap.Node.Hosting.Workers;

/// <summary>What the kernel says of the machine.</summary>
internal static class ProcFiles
{
    public static string[] Lines(string file)
    {
        try
        {
            return File.ReadAllLines(file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    public static long? MemoryTotal() =>
        Field("/proc/meminfo", "MemTotal") is { } text && text.Split(' ') is [string kib, "kB"]
            && long.TryParse(kib, NumberStyles.None, CultureInfo.InvariantCulture, out long value)
            ? value * 1024
            : null;

    public static string CpuModel() => Field("/proc/cpuinfo", "model name") ?? "";

    /// <summary>Memory banks with processors of their own, at least one.</summary>
    public static int NumaNodes()
    {
        try
        {
            return Math.Max(1, Directory.GetDirectories("/sys/devices/system/node", "node*").Count(d => Path.GetFileName(d).AsSpan(4).IndexOfAnyExceptInRange('0', '9') < 0));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 1;
        }
    }

    private static string? Field(string file, string name)
    {
        foreach (string line in Lines(file))
            if (line.StartsWith(name, StringComparison.Ordinal) && line.Split(':', 2) is [string key, string value] && key.TrimEnd() == name)
                return value.Trim();
        return null;
    }
}
