using Drap.Libp2p.Ping;
using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Pings between hosts, and of those who do not keep to them.</summary>
public sealed class PingTests
{
    [Fact]
    public async Task One_stream_carries_many_pings()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        PeerConnection connection = await a.ConnectAsync(b);
        using Pinger pinger = await Pinger.OpenAsync(a, b.Self).WaitAsync(Hosts.Patience);
        for (int i = 0; i < 100; i++)
            Assert.True(await pinger.PingAsync().AsTask().WaitAsync(Hosts.Patience) > TimeSpan.Zero);
        Assert.Equal(1, connection.CountStreams(PingEcho.Protocol));
    }

    [Fact]
    public async Task The_same_bytes_come_back_however_they_are_cut()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        await a.ConnectAsync(b);
        P2pStream stream = await a.OpenStreamAsync(b.Self, [PingEcho.Protocol]);
        byte[] three = Hosts.Bytes(3 * PingEcho.Bytes, 5), back = new byte[three.Length];
        foreach (Range piece in new[] { ..1, 1..31, 31..33, 33..90, 90..96 })
            await stream.WriteAsync(three.AsMemory(piece));
        await stream.ReadExactlyAsync(back);
        Assert.Equal(three, back);
        // A ping that is cut is none; whoever closes gets the other half closed.
        await stream.WriteAndCloseAsync(new byte[PingEcho.Bytes - 1]);
        Assert.Empty(await stream.ReadToEndAsync());
    }

    [Fact]
    public async Task Who_answers_with_something_else_or_not_at_all_has_not_answered()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        b.Unhandle(PingEcho.Protocol);
        bool isLiar = false;
        b.Handle(PingEcho.Protocol, async stream =>
        {
            byte[] ping = new byte[PingEcho.Bytes];
            await stream.ReadExactlyAsync(ping);
            ping[31] ^= 1;
            if (isLiar)
                await stream.WriteAsync(ping);
            await stream.CloseWriteAsync();
        });
        await a.ConnectAsync(b);
        foreach (string complaint in new[] { "ended the stream", "something else" })
        {
            using Pinger pinger = await Pinger.OpenAsync(a, b.Self).WaitAsync(Hosts.Patience);
            Libp2pException failure = await Assert.ThrowsAsync<Libp2pException>(() => pinger.PingAsync().AsTask().WaitAsync(Hosts.Patience));
            Assert.Contains(complaint, failure.Message, StringComparison.Ordinal);
            isLiar = true;
        }
    }
}
