using System.Runtime.CompilerServices;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Hosts on loopback for tests.</summary>
internal static class Hosts
{
    /// <summary>Longer than anything takes that is not stuck, on a machine that is busy.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    public static readonly string[] Echo = ["/test/echo/1.0.0"];

    public static PrivateKey Key(int seed)
    {
        byte[] bytes = new byte[PrivateKey.SeedBytes];
        BitConverter.TryWriteBytes(bytes, seed);
        return PrivateKey.FromSeed(bytes);
    }

    public static HostOptions Options(int seed, params ConnectionSecurity[] security) => new()
    {
        Key = Key(seed),
        Listen = [Multiaddr.Parse("/ip4/127.0.0.1/tcp/0")],
        Security = security.Length > 0 ? security : [ConnectionSecurity.Noise],
        AllowInsecure = security.Contains(ConnectionSecurity.Plaintext),
    };

    public static Task<Libp2pHost> StartAsync(int seed, params ConnectionSecurity[] security) => Libp2pHost.StartAsync(Options(seed, security));

    public static Task<PeerConnection> ConnectAsync(this Libp2pHost host, Libp2pHost other) =>
        host.ConnectAsync(other.Self, other.ListenAddresses).WaitAsync(Patience);

    /// <summary>Streams of a protocol. The hosts open others themselves, such as to tell each other what they speak.</summary>
    public static int CountStreams(this PeerConnection connection, string protocol)
    {
        lock (connection.Mux.Gate)
            return connection.Mux.Session.Streams.Count(s => ((P2pStream?)s.Owner)?.Protocol == protocol);
    }

    /// <summary>Waits for what no event tells of; looks often, and fails after <see cref="Patience"/>.</summary>
    public static async Task Until(Func<bool> condition, [CallerArgumentExpression(nameof(condition))] string what = "")
    {
        long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while (!condition())
        {
            Assert.True(Environment.TickCount64 < end, $"it never came about: {what}");
            await Task.Delay(5);
        }
    }

    /// <summary>That somebody honest finds room at a host that was treated badly, sooner or later, and is served.</summary>
    public static async Task AssertServesAsync(Libp2pHost host, params ConnectionSecurity[] security)
    {
        if (!host.Protocols.Contains(Echo[0]))
            host.Handle(Echo[0], EchoAsync);
        await using Libp2pHost honest = await Libp2pHost.StartAsync(Options(2, security) with { Listen = [] });
        long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        while (honest.Connections.Count == 0)
        {
            Assert.True(Environment.TickCount64 < end, "there never was room for somebody honest");
            try
            {
                await honest.ConnectAsync(host);
            }
            catch (Libp2pException)
            {
                // The host has not seen yet that the others went.
                await Task.Delay(5);
            }
        }
        P2pStream stream = await honest.OpenStreamAsync(host.Self, Echo).WaitAsync(Patience);
        await stream.WriteAndCloseAsync(new byte[5000]);
        Assert.Equal(5000, (await stream.ReadToEndAsync()).Length);
    }

    public static async Task EchoAsync(P2pStream stream)
    {
        byte[] buffer = new byte[64 * 1024];
        for (int read; (read = await stream.ReadAsync(buffer)) > 0;)
            await stream.WriteAsync(buffer.AsMemory(0, read));
        await stream.CloseWriteAsync();
    }

    public static async Task<byte[]> ReadToEndAsync(this P2pStream stream)
    {
        using var all = new MemoryStream();
        byte[] buffer = new byte[16 * 1024];
        for (int read; (read = await stream.ReadAsync(buffer).AsTask().WaitAsync(Patience)) > 0;)
            all.Write(buffer, 0, read);
        return all.ToArray();
    }

    public static async Task ReadExactlyAsync(this P2pStream stream, Memory<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            int read = await stream.ReadAsync(buffer).AsTask().WaitAsync(Patience);
            Assert.NotEqual(0, read);
            buffer = buffer[read..];
        }
    }

    public static byte[] Bytes(int length, int seed)
    {
        var random = new Prng((ulong)seed);
        byte[] bytes = new byte[length];
        for (int i = 0; i + 8 <= length; i += 8)
            BitConverter.TryWriteBytes(bytes.AsSpan(i), random.NextUInt64());
        return bytes;
    }
}
