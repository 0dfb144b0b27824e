using System.Globalization;
using System.Runtime.InteropServices;
using Drap.Node.Sandbox;
using Drap.Node.Time;

namespace Drap.Node.Doctor;

/// <summary>
/// The clocks: leases go by the one that counts on while the machine is suspended, certificates and what people read by the time of day.
/// </summary>
internal static partial class ClockCheck
{
    /// <summary>Time before this program was made.</summary>
    private static readonly UtcTime Earliest = new(1_760_000_000_000);

    /// <summary>Beyond this certificates of nodes that just joined are not valid yet for others, or tickets end early.</summary>
    private static readonly TimeSpan ErrorGood = TimeSpan.FromSeconds(2);

    private const int TimeError = 5, StatusNano = 0x2000, ClockMonotonic = 1;

    public static IEnumerable<Finding> Examine()
    {
        yield return TimeOfDay(BootClock.UtcNow, ReadKernel());
        TimeSpan slept = BootClock.Now - Monotonic();
        yield return Finding.Ok("clock", slept < TimeSpan.FromSeconds(1) ? "the boot clock runs; the machine was not suspended since it was started"
            : $"the boot clock runs; the machine was suspended for {Core.Jobs.Duration.Format(TimeSpan.FromSeconds((long)slept.TotalSeconds))} since it was started, which leases count");
    }

    /// <summary>How the time of day stands.</summary>
    /// <param name="now">What it is.</param>
    /// <param name="kernel">What the kernel knows of its error; null where it does not tell.</param>
    internal static Finding TimeOfDay(UtcTime now, (bool IsSynchronised, TimeSpan Offset, TimeSpan ErrorMax)? kernel)
    {
        const string remedy = "run a time service (systemd-timesyncd, chrony) on the machine itself";
        if (now.CompareTo(Earliest) < 0)
            return Finding.Fail("time", $"the time of day is {now}, before drap was written: no certificate is valid then", "set the clock; " + remedy);
        if (kernel is not { } known)
            return Finding.Ok("time", "whether the time of day is right is not known here");
        if (!known.IsSynchronised)
            return Finding.Warn("time", "the time of day is kept in step by nobody: tickets and certificates end by it, leases do not", remedy);
        string words = string.Create(CultureInfo.InvariantCulture, $"the time of day is kept in step: {Math.Abs(known.Offset.TotalMilliseconds):0.##} ms off, at most {known.ErrorMax.TotalMilliseconds:0} ms");
        return known.ErrorMax <= ErrorGood ? Finding.Ok("time", words) : Finding.Warn("time", words, remedy);
    }

    private static unsafe (bool, TimeSpan, TimeSpan)? ReadKernel()
    {
        // struct timex of 64-bit machines: modes, offset, frequency, largest error, estimated error, status. Nothing is set where modes is 0.
        long* timex = stackalloc long[64];
        new Span<long>(timex, 64).Clear();
        int state = AdjTimeX(timex);
        if (state < 0)
            return null;
        bool isNano = ((int)timex[5] & StatusNano) != 0;
        return (state != TimeError, TimeSpan.FromTicks(isNano ? timex[1] / 100 : timex[1] * 10), TimeSpan.FromTicks(timex[3] * 10));
    }

    private static unsafe Instant Monotonic()
    {
        Libc.TimeSpec value;
        return Libc.clock_gettime(ClockMonotonic, &value) == 0 ? new Instant(value.Seconds * 1_000_000_000 + value.Nanoseconds) : BootClock.Now;
    }

    [LibraryImport("libc", EntryPoint = "adjtimex")]
    private static unsafe partial int AdjTimeX(long* timex);
}
