using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Drap.Libp2p.Keys;

namespace Drap.Bench.Overlay;

/// <summary>What nothing on this machine goes below, measured in the same run: a bare loopback socket, one core's ChaCha20-Poly1305 and one core's signatures.</summary>
internal static class Floors
{
    /// <summary>The time between two messages where their delay is measured.</summary>
    public static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(5);

    // What is signed of a message with 512 bytes of data: prefix, sender, data, number and topic.
    private const int SignedBytes = 607;

    public static async Task<Dictionary<string, double>> MeasureAsync(int port, bool quick)
    {
        TimeSpan time = TimeSpan.FromSeconds(quick ? 0.5 : 2);
        using PrivateKey key = PrivateKey.FromSeed(RandomNumberGenerator.GetBytes(PrivateKey.SeedBytes));
        byte[] message = new byte[SignedBytes], signature = new byte[64];
        key.Sign(message, signature);
        return new Dictionary<string, double>
        {
            ["bareStreamMiBPerSecond"] = await StreamAsync(port, quick ? 256 : 2048),
            ["barePingMsP50"] = await PingAsync(port, time, TimeSpan.Zero),
            // As far apart as the messages of which gossip's delay is measured: processors that slept wake late and have forgotten much.
            ["barePacedPingMsP50"] = await PingAsync(port, time, Pace),
            ["signPacedMicroseconds"] = await PacedMicrosecondsAsync(time, () => key.Sign(message, signature)),
            ["verifyPacedMicroseconds"] = await PacedMicrosecondsAsync(time, () => key.PublicKey.Verify(message, signature)),
            ["chaChaMiBPerSecond"] = Encrypt(time),
            ["signMicroseconds"] = Microseconds(time, () => key.Sign(message, signature)),
            ["verifyMicroseconds"] = Microseconds(time, () => key.PublicKey.Verify(message, signature)),
            // Cores that are busy at once may be slower than one alone: they share clock, caches, or are two threads of one.
            ["signAndVerifyPerSecondAllCores"] = SignAndVerify(time, key, message),
        };
    }

    private static async Task<double> StreamAsync(int port, int megabytes)
    {
        var rates = new List<double>();
        for (int round = 0; round < 3; round++)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, port);
            byte[] block = new byte[64 * 1024];
            long start = Stopwatch.GetTimestamp();
            for (int i = 0; i < megabytes * 16; i++)
                await socket.SendAsync(block.AsMemory());
            socket.Shutdown(SocketShutdown.Send);
            await socket.ReceiveAsync(block.AsMemory());
            rates.Add(megabytes / Stopwatch.GetElapsedTime(start).TotalSeconds);
        }
        return Math.Round(rates.Max(), 1);
    }

    private static async Task<double> PingAsync(int port, TimeSpan time, TimeSpan pause)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        byte[] ping = new byte[32];
        var took = new List<double>();
        for (long begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < time;)
        {
            long start = Stopwatch.GetTimestamp();
            await socket.SendAsync(ping.AsMemory());
            await socket.ReceiveAsync(ping.AsMemory());
            took.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            if (pause > TimeSpan.Zero)
                await Task.Delay(pause);
        }
        return Measure.Percentile([.. took], 50);
    }

    private static double Encrypt(TimeSpan time)
    {
        using var cipher = new ChaCha20Poly1305(new byte[32]);
        byte[] frame = new byte[65519], nonce = new byte[12], tag = new byte[16];
        long bytes = 0;
        long begun = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(begun) < time)
        {
            cipher.Encrypt(nonce, frame, frame, tag, ReadOnlySpan<byte>.Empty);
            bytes += frame.Length;
        }
        return Math.Round(bytes / 1024.0 / 1024 / Stopwatch.GetElapsedTime(begun).TotalSeconds, 1);
    }

    private static double Microseconds(TimeSpan time, Action once)
    {
        int done = 0;
        long begun = Stopwatch.GetTimestamp();
        for (; Stopwatch.GetElapsedTime(begun) < time; done++)
            once();
        return Math.Round(Stopwatch.GetElapsedTime(begun).TotalMicroseconds / done, 2);
    }

    private static async Task<double> PacedMicrosecondsAsync(TimeSpan time, Action once)
    {
        var took = new List<double>();
        for (long begun = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begun) < time;)
        {
            await Task.Delay(Pace);
            long start = Stopwatch.GetTimestamp();
            once();
            took.Add(Stopwatch.GetElapsedTime(start).TotalMicroseconds);
        }
        return Math.Round(took.Order().ElementAt(took.Count / 2), 2);
    }

    private static double SignAndVerify(TimeSpan time, PrivateKey key, byte[] message)
    {
        long done = 0, begun = Stopwatch.GetTimestamp();
        Thread[] threads = [.. Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(() =>
        {
            byte[] signature = new byte[64];
            for (; Stopwatch.GetElapsedTime(begun) < time; Interlocked.Increment(ref done))
            {
                key.Sign(message, signature);
                key.PublicKey.Verify(message, signature);
            }
        }))];
        foreach (Thread thread in threads)
            thread.Start();
        foreach (Thread thread in threads)
            thread.Join();
        return Math.Round(done / Stopwatch.GetElapsedTime(begun).TotalSeconds);
    }
}
