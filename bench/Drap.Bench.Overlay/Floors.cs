using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Drap.Libp2p.Keys;

namespace Drap.Bench.Overlay;

/// <summary>What nothing on this machine goes below, measured in the same run: a bare loopback socket, one core's ChaCha20-Poly1305 and one core's signatures.</summary>
internal static class Floors
{
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
            ["barePingMsP50"] = await PingAsync(port, time),
            ["chaChaMiBPerSecond"] = Encrypt(time),
            ["signMicroseconds"] = Microseconds(time, () => key.Sign(message, signature)),
            ["verifyMicroseconds"] = Microseconds(time, () => key.PublicKey.Verify(message, signature)),
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

    private static async Task<double> PingAsync(int port, TimeSpan time)
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
}
