using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>What a cable does to what goes over it, each way.</summary>
/// <param name="Delay">How much later everything arrives.</param>
/// <param name="LossPercent">How many packets of a hundred do not arrive; 100 is a cut.</param>
/// <param name="MegabitsPerSecond">How fast it is; 0 is no limit.</param>
/// <param name="Jitter">How much later still, at most, by chance: packets overtake each other.</param>
internal readonly record struct CableShape(TimeSpan Delay, int LossPercent, int MegabitsPerSecond, TimeSpan Jitter = default)
{
    public static readonly CableShape Cut = new(TimeSpan.Zero, 100, 0);
}

/// <summary>A cable between two machines of a <see cref="TestNetwork"/> that is slow, lossy or cut as it is told.</summary>
internal abstract class TestCable : IDisposable
{
    /// <summary>It is like that from now on, both ways.</summary>
    public CableShape Shape
    {
        set
        {
            SetShape(0, value);
            SetShape(1, value);
        }
    }

    /// <summary>What leaves the first machine (0) or the second (1) fares so from now on.</summary>
    public abstract void SetShape(int from, CableShape shape);

    /// <summary>Two machines' ends, each with an address of a network of 24 bits.</summary>
    public static TestCable Connect(TestNetwork network, string a, string addressA, string b, string addressB)
    {
        (string endA, string endB) = network.Connect(a, addressA, b, addressB);
        if (NetemCable.IsThere(a, endA))
            return new NetemCable(a, endA, b, endB);
        TestNetwork.Ip("-n", a, "link", "del", endA);
        return new TunnelCable(a, addressA, b, addressB);
    }

    /// <summary>Its ends go with their machines, what it has beside them here.</summary>
    public abstract void Dispose();
}

/// <summary>A pair of virtual Ethernet devices, and the kernel's emulator of networks.</summary>
internal sealed class NetemCable(string a, string endA, string b, string endB) : TestCable
{
    public override void SetShape(int from, CableShape shape)
    {
        (string machine, string end) = from == 0 ? (a, endA) : (b, endB);
        TestNetwork.Run("tc", ["-n", machine, "qdisc", "replace", "dev", end, "root", "netem", .. Words(shape)]);
    }

    /// <summary>Whether the kernel has it: many small ones do not.</summary>
    public static bool IsThere(string machine, string end) => TestNetwork.Try("tc", "-n", machine, "qdisc", "add", "dev", end, "root", "netem") is null;

    public override void Dispose()
    {
    }

    private static IEnumerable<string> Words(CableShape shape)
    {
        yield return "delay";
        // Netem's own spread goes both ways.
        yield return string.Create(CultureInfo.InvariantCulture, $"{(shape.Delay + shape.Jitter / 2).TotalMilliseconds}ms");
        if (shape.Jitter > TimeSpan.Zero)
            yield return string.Create(CultureInfo.InvariantCulture, $"{shape.Jitter.TotalMilliseconds / 2}ms");
        yield return "loss";
        yield return string.Create(CultureInfo.InvariantCulture, $"{shape.LossPercent}%");
        if (shape.MegabitsPerSecond > 0)
        {
            yield return "rate";
            yield return string.Create(CultureInfo.InvariantCulture, $"{shape.MegabitsPerSecond}mbit");
        }
    }
}

/// <summary>
/// Two network tunnels whose packets a thread here carries from one to the other: where the kernel has no emulator of networks. Which packets are lost
/// follows from a seed and their number.
/// </summary>
internal sealed partial class TunnelCable : TestCable
{
    private const string Device = "/dev/net/tun";
    private const int ReadWrite = 2, NonBlocking = 0x800, CloseOnExec = 0x80000, TunWithoutHeader = 0x1001;
    private const nuint SetInterface = 0x400454ca;
    private const short Readable = 1;

    // As long a queue before a slow cable as home routers have; what comes beyond is lost, and TCP learns from that.
    private static readonly TimeSpan queueMax = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan lookEvery = TimeSpan.FromMilliseconds(20);
    private static int made;

    private readonly int[] ends;
    private readonly Prng random = new(1);
    private readonly PriorityQueue<byte[], (long Due, long Number)>[] underWay = [new(), new()];
    private long packets;
    private readonly long[] freeAt = new long[2];
    private readonly Thread thread;
    private readonly Lock gate = new();
    private readonly CableShape[] shapes = new CableShape[2];
    private volatile bool isStopped;

    public TunnelCable(string a, string addressA, string b, string addressB)
    {
        if (!File.Exists(Device))
            Assert.Skip($"the kernel has no netem (sch_netem), and there is no {Device} for a cable of our own");
        ends = [Open(a, addressA), Open(b, addressB)];
        thread = new Thread(Carry) { IsBackground = true, Name = "cable" };
        thread.Start();
    }

    public override void SetShape(int from, CableShape shape)
    {
        lock (gate)
            shapes[from] = shape;
    }

    public override void Dispose()
    {
        isStopped = true;
        thread.Join();
        foreach (int end in ends)
            _ = close(end);
    }

    // Opened here, and then put where it belongs.
    private static int Open(string machine, string address)
    {
        int tunnel = open(Device, ReadWrite | NonBlocking | CloseOnExec);
        string name = $"tun{Environment.ProcessId % 100_000}x{Interlocked.Increment(ref made)}";
        byte[] request = new byte[40];
        System.Text.Encoding.ASCII.GetBytes(name, request);
        BitConverter.TryWriteBytes(request.AsSpan(16), (short)TunWithoutHeader);
        if (tunnel < 0 || ioctl(tunnel, SetInterface, request) < 0)
            Assert.Skip($"the kernel has no netem (sch_netem), and no network tunnel can be made: error {Marshal.GetLastPInvokeError()}");
        TestNetwork.Ip("link", "set", name, "netns", machine);
        TestNetwork.Ip("-n", machine, "addr", "add", $"{address}/24", "dev", name);
        TestNetwork.Ip("-n", machine, "link", "set", name, "up");
        return tunnel;
    }

    private void Carry()
    {
        byte[] buffer = new byte[65536];
        Span<PollEntry> entries = stackalloc PollEntry[2];
        while (!isStopped)
        {
            for (int i = 0; i < 2; i++)
                entries[i] = new PollEntry(ends[i], Readable);
            _ = poll(ref entries[0], 2, (int)Math.Ceiling(UntilDue().TotalMilliseconds));
            for (int from = 0; from < 2; from++)
            {
                CableShape now;
                lock (gate)
                    now = shapes[from];
                while (read(ends[from], buffer, (nuint)buffer.Length) is > 0 and nint length)
                    Take(from, buffer.AsSpan(0, (int)length), now);
                while (underWay[from].TryPeek(out byte[]? packet, out (long Due, long Number) next) && next.Due <= Stopwatch.GetTimestamp())
                {
                    _ = write(ends[1 - from], packet, (nuint)packet.Length);
                    underWay[from].Dequeue();
                }
            }
        }
    }

    private void Take(int from, ReadOnlySpan<byte> packet, CableShape now)
    {
        long time = Stopwatch.GetTimestamp();
        long start = Math.Max(time, freeAt[from]);
        if (random.Below(100) < now.LossPercent || start - time > Ticks(queueMax))
            return;
        if (now.MegabitsPerSecond > 0)
            freeAt[from] = start += Ticks(TimeSpan.FromMicroseconds(packet.Length * 8.0 / now.MegabitsPerSecond));
        TimeSpan jitter = now.Jitter > TimeSpan.Zero ? new TimeSpan((long)random.Below((ulong)now.Jitter.Ticks)) : TimeSpan.Zero;
        underWay[from].Enqueue(packet.ToArray(), (start + Ticks(now.Delay + jitter), ++packets));
    }

    private TimeSpan UntilDue()
    {
        TimeSpan wait = lookEvery;
        foreach (PriorityQueue<byte[], (long Due, long Number)> queue in underWay)
        {
            if (queue.TryPeek(out _, out (long Due, long Number) next))
                wait = TimeSpan.FromTicks(Math.Clamp(Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), next.Due).Ticks, 0, wait.Ticks));
        }
        return wait;
    }

    private static long Ticks(TimeSpan time) => (long)(time.TotalSeconds * Stopwatch.Frequency);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int open(string path, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int file, nuint request, byte[] argument);

    [LibraryImport("libc")]
    private static partial int poll(ref PollEntry entries, nuint count, int milliseconds);

    [LibraryImport("libc")]
    private static partial nint read(int file, byte[] buffer, nuint length);

    [LibraryImport("libc")]
    private static partial nint write(int file, byte[] buffer, nuint length);

    [LibraryImport("libc")]
    private static partial int close(int file);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollEntry(int file, short wanted)
    {
        public int File = file;
        public short Wanted = wanted, Seen;
    }
}
