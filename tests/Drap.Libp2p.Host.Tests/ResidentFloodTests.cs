using System.Net.Security;
using System.Net.Sockets;
using Drap.Libp2p.Host.Protocols;
using Drap.Libp2p.Yamux;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>
/// Floods at the limits that hosts have by default, over real sockets, by what the process holds of the machine's memory in the end: also what OpenSSL keeps, of
/// which the heap knows nothing (docs/protocol/overlay.md, bounds).
/// </summary>
[Collection(nameof(FloodTests))]
public sealed class ResidentFloodTests
{
    private const long KiB = 1024, MiB = 1024 * KiB;

    /// <summary>What the test's own sockets and tasks hold, code that was compiled meanwhile, and what the heap keeps of what was freed.</summary>
    private const long Allowance = 32 * MiB;

    /// <summary>As many handshakes as there may be, each stopped where the host has done its part and holds most: it waits for the peer's proof.</summary>
    [Theory]
    [InlineData(ConnectionSecurity.Noise, 32)]
    [InlineData(ConnectionSecurity.Tls, 128)]
    public async Task Handshakes_that_stop_half_way_hold_so_many_KiB_each(ConnectionSecurity security, int eachKiB)
    {
        var limits = new HostLimits { HandshakeTimeout = TimeSpan.FromMinutes(5) };
        await using Libp2pHost host = await Libp2pHost.StartAsync(Hosts.Options(1, security) with { Limits = limits });
        byte[] hello = security == ConnectionSecurity.Tls
            ? [.. ProtocolGreeting.Of("/tls/1.0.0"), .. await FirstBytesOfTlsAsync()]
            // A Noise message of 32 bytes: an ephemeral key, which may be any.
            : [.. ProtocolGreeting.Of("/noise"), 0, 32, .. Hosts.Bytes(32, 5)];
        await WarmUpAsync(host, hello, security);
        long before = ResidentMemory.Now();
        var strangers = new List<Socket>();
        for (int i = 0; i < limits.HandshakesMax; i++)
        {
            Socket stranger = await RawPeer.DialAsync(host);
            strangers.Add(stranger);
            await stranger.SendAsync(hello);
            await ReadAnswerAsync(stranger, security);
        }
        long grown = ResidentMemory.Now() - before;
        TestContext.Current.TestOutputHelper?.WriteLine($"{grown / KiB} KiB for {strangers.Count} handshakes: {grown / KiB / strangers.Count} KiB each");
        Assert.InRange(grown, long.MinValue, (strangers.Count * eachKiB * KiB) + Allowance);
        // There is no room for one more, until one of them has gone.
        using (Socket late = await RawPeer.DialAsync(host))
            Assert.Equal(0, await ReceiveAsync(late));
        strangers.ForEach(stranger => stranger.Dispose());
        await Hosts.AssertServesAsync(host, security);
    }

    /// <summary>One peer fills the windows of all the streams that it may open: it gets what one peer may have, and not a byte more is read from it.</summary>
    [Fact]
    public async Task One_peer_that_fills_every_window_is_lent_16_MiB() => await FillWindowsAsync(peers: 1, lentMax: 15 * MiB);

    /// <summary>So many peers that all they could have would be twice what there is for all.</summary>
    [Fact]
    public async Task Many_peers_that_fill_every_window_are_lent_256_MiB_together() => await FillWindowsAsync(peers: 34, lentMax: 256 * MiB);

    private static async Task FillWindowsAsync(int peers, long lentMax)
    {
        var limits = new HostLimits();
        await using Libp2pHost host = await Hosts.StartAsync(1, ConnectionSecurity.Plaintext);
        var release = new TaskCompletionSource();
        host.Handle("/deaf/1", _ => release.Task);
        RawPeer[] floods = [.. await Task.WhenAll(Enumerable.Range(10, peers).Select(seed => RawPeer.ConnectAsync(host, seed)))];
        byte[] greeting = ProtocolGreeting.Of("/deaf/1"), block = new byte[YamuxOptions.InitialWindow - greeting.Length];
        long before = ResidentMemory.Now(), sent = 0, lent = 0;
        Task[] flooding = [.. floods.Select(peer => Task.Run(async () =>
        {
            try
            {
                // 250 MiB, if the host let it.
                for (uint id = 1; id < 2 * 1000; id += 2)
                {
                    await peer.SendAsync(new YamuxHeader(YamuxType.Data, YamuxFlags.Syn, id, (uint)greeting.Length), greeting);
                    await peer.SendAsync(new YamuxHeader(YamuxType.Data, YamuxFlags.None, id, (uint)block.Length), block);
                    Interlocked.Add(ref sent, block.Length);
                }
            }
            catch (Exception failure) when (failure is SocketException or ObjectDisposedException)
            {
                // Closed at the end of the test.
            }
        }))];
        // Until as good as all is lent that there is.
        long end = Environment.TickCount64 + (long)Hosts.Patience.TotalMilliseconds, most = 0;
        while (lent < lentMax - (2 * MiB))
        {
            Assert.True(Environment.TickCount64 < end, $"{lent / KiB} KiB were lent, and no more");
            lent = Math.Max(lent, host.MemoryLent);
            Assert.InRange(host.MemoryLent, 0, lentMax);
            await Task.Delay(5);
        }
        for (int i = 0; i < 3; i++)
        {
            most = Math.Max(most, ResidentMemory.Now() - before);
            Assert.InRange(host.MemoryLent, 0, lentMax);
        }
        // Beside the bytes there are the streams themselves, at most so many, and a chunk that each connection reads into.
        long bound = lentMax + (peers * (limits.PeerMemoryGuaranteed + (64 * KiB)));
        TestContext.Current.TestOutputHelper?.WriteLine($"{most / KiB} KiB of {bound / KiB} KiB, {lent / KiB} KiB of them lent; {sent / MiB} MiB were sent");
        Assert.InRange(most, long.MinValue, bound + (bound / 8) + Allowance);
        foreach (RawPeer peer in floods)
            peer.Dispose();
        await Task.WhenAll(flooding).WaitAsync(Hosts.Patience);
        release.SetResult();
        await Hosts.AssertServesAsync(host, ConnectionSecurity.Plaintext);
    }

    // What a client of TLS says first, as the framework's own does.
    private static async Task<byte[]> FirstBytesOfTlsAsync()
    {
        using var said = new FirstWords();
        await using var tls = new SslStream(said);
        await Assert.ThrowsAnyAsync<IOException>(() => tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "", EnabledSslProtocols = System.Security.Authentication.SslProtocols.Tls13, ApplicationProtocols = [new SslApplicationProtocol("libp2p")],
        }));
        return said.ToArray();
    }

    // Compiles what is needed, and lets pools fill.
    private static async Task WarmUpAsync(Libp2pHost host, byte[] hello, ConnectionSecurity security)
    {
        for (int i = 0; i < 5; i++)
        {
            using Socket stranger = await RawPeer.DialAsync(host);
            await stranger.SendAsync(hello);
            await ReadAnswerAsync(stranger, security);
        }
    }

    // Up to the host's part of the handshake, at least in part: then its secrets are made.
    private static async Task ReadAnswerAsync(Socket stranger, ConnectionSecurity security)
    {
        int expected = ProtocolGreeting.Of(security == ConnectionSecurity.Tls ? "/tls/1.0.0" : "/noise").Length + 100;
        for (int received = 0, read; received < expected; received += read)
            Assert.NotEqual(0, read = await ReceiveAsync(stranger));
    }

    private static async Task<int> ReceiveAsync(Socket socket)
    {
        try
        {
            return await socket.ReceiveAsync(new byte[4096]).WaitAsync(Hosts.Patience);
        }
        catch (SocketException)
        {
            return 0;
        }
    }

    /// <summary>Keeps what is written, and has nothing to be read.</summary>
    private sealed class FirstWords : MemoryStream
    {
        public override int Read(byte[] buffer, int offset, int count) => 0;

        public override int Read(Span<byte> buffer) => 0;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(0);
    }
}
