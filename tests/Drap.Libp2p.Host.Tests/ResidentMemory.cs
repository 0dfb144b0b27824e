using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>What the process holds of the machine's memory: the heap, and what libraries such as OpenSSL keep beside it.</summary>
internal static partial class ResidentMemory
{
    /// <summary>
    /// Bytes held now, after what is free was given back, as far as it can be: both the heap and the C library keep some of it. Where the system does not say, the
    /// test is skipped.
    /// </summary>
    public static long Now()
    {
        if (!OperatingSystem.IsLinux())
            Assert.Skip("only Linux says what a process holds (/proc/self/status)");
        for (int i = 0; i < 2; i++)
        {
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
            GC.WaitForPendingFinalizers();
        }
        try
        {
            _ = malloc_trim(0);
        }
        catch (EntryPointNotFoundException)
        {
            // Another C library than glibc.
        }
        string line = File.ReadLines("/proc/self/status").First(line => line.StartsWith("RssAnon:", StringComparison.Ordinal));
        return long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
    }

    [LibraryImport("libc")]
    private static partial int malloc_trim(nuint keep);
}
