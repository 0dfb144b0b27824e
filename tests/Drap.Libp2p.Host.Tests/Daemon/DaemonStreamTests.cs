using System.Text;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Host.Daemon;
using Xunit;

namespace Drap.Libp2p.Host.Tests.Daemon;

/// <summary>Streams through two daemons: from a program over a socket, a node, a connection, a node and a socket to another program.</summary>
public sealed class DaemonStreamTests
{
    private const string Protocol = "/test/1.0.0";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_half_close_arrives_while_the_other_half_goes_on(bool unix)
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix);
        byte[] data = Hosts.Bytes(3_000_000, 7);
        await pair.ClientB.HandleAsync(Protocol, async stream =>
        {
            // Nothing comes back before the end of what the other writes: without the half-close both would wait for ever.
            byte[] all = await ReadToEndAsync(stream);
            await stream.WriteAsync(all);
            await stream.WriteAsync("done"u8.ToArray());
        }, Cancel);
        using DaemonStream stream = await pair.ClientA.OpenStreamAsync(pair.HostB.Self, [Protocol], Cancel);
        Assert.Equal((pair.HostB.Self, Protocol), (stream.Remote, stream.Protocol));
        await stream.WriteAsync(data, Cancel);
        stream.CloseWrite();
        byte[] back = await ReadToEndAsync(stream);
        Assert.Equal(data, back[..^4]);
        Assert.Equal("done"u8, back[^4..]);
    }

    [Fact]
    public async Task The_listening_side_may_end_first()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: true);
        var heard = new TaskCompletionSource<string>();
        await pair.ClientB.HandleAsync(Protocol, async stream =>
        {
            await stream.WriteAsync("hello"u8.ToArray());
            stream.CloseWrite();
            heard.SetResult(await ReadTextAsync(stream));
        }, Cancel);
        using DaemonStream stream = await pair.ClientA.OpenStreamAsync(pair.HostB.Self, [Protocol], Cancel);
        Assert.Equal("hello", await ReadTextAsync(stream));
        await stream.WriteAsync("still here"u8.ToArray(), Cancel);
        stream.CloseWrite();
        Assert.Equal("still here", await heard.Task.WaitAsync(Hosts.Patience, Cancel));
    }

    [Fact]
    public async Task A_reset_socket_resets_the_stream_and_a_reset_stream_the_socket()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: false);
        var ends = new TaskCompletionSource<string>();
        await pair.ClientB.HandleAsync(Protocol, async stream =>
        {
            byte[] buffer = new byte[16];
            await stream.ReadAsync(buffer);
            if (buffer[0] == 'r')
            {
                stream.Reset();
                return;
            }
            await stream.WriteAsync("k"u8.ToArray());
            ends.SetResult((await Assert.ThrowsAsync<DaemonException>(() => stream.ReadAsync(buffer).AsTask())).Message);
        }, Cancel);

        DaemonStream ours = await pair.ClientA.OpenStreamAsync(pair.HostB.Self, [Protocol], Cancel);
        await ours.WriteAsync("w"u8.ToArray(), Cancel);
        Assert.Equal(1, await ours.ReadAsync(new byte[1], Cancel));
        ours.Reset();
        Assert.Equal("the peer or the daemon has reset the stream", await ends.Task.WaitAsync(Hosts.Patience, Cancel));

        using DaemonStream theirs = await pair.ClientA.OpenStreamAsync(pair.HostB.Self, [Protocol], Cancel);
        await theirs.WriteAsync("r"u8.ToArray(), Cancel);
        var reset = await Assert.ThrowsAsync<DaemonException>(() => theirs.ReadAsync(new byte[16], Cancel).AsTask());
        Assert.Equal("the peer or the daemon has reset the stream", reset.Message);
    }

    [Fact]
    public async Task Hundreds_of_streams_of_one_protocol_run_at_once()
    {
        const int Streams = 500;
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: true);
        int open = 0;
        var all = new TaskCompletionSource();
        await pair.ClientB.HandleAsync(Protocol, async stream =>
        {
            if (Interlocked.Increment(ref open) == Streams)
                all.SetResult();
            await all.Task;
            await stream.WriteAsync(await ReadToEndAsync(stream));
        }, Cancel);
        await Task.WhenAll(Enumerable.Range(0, Streams).Select(async i =>
        {
            using DaemonStream stream = await pair.ClientA.OpenStreamAsync(pair.HostB.Self, [Protocol], Cancel);
            byte[] data = Hosts.Bytes(1000 + i, i);
            await stream.WriteAsync(data, Cancel);
            stream.CloseWrite();
            Assert.Equal(data, await ReadToEndAsync(stream));
        })).WaitAsync(Hosts.Patience, Cancel);
        Assert.Equal(Streams, open);
    }

    [Fact]
    public async Task What_follows_a_request_in_the_same_piece_belongs_to_the_stream()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: true);
        pair.HostB.Handle(Protocol, Hosts.EchoAsync);
        using var client = new RawDaemonClient(pair.A);
        byte[] request = RawDaemonClient.Frame(new DaemonRequest.OpenStream(pair.HostB.Self, [Protocol], TimeSpan.FromSeconds(10)));
        await client.SendAsync((byte[])[.. request, .. "early"u8]);
        Assert.Equal(Protocol, (await client.ReadAsync()).Stream!.Protocol);
        client.CloseWrite();
        Assert.Equal("early", Encoding.UTF8.GetString(await client.ReadToEndAsync()));
    }

    [Fact]
    public async Task The_last_to_ask_gets_the_streams_and_a_program_that_has_gone_resets_them()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: true);
        await pair.ClientB.HandleAsync(Protocol, stream => stream.WriteAsync("first"u8.ToArray()).AsTask(), Cancel);
        var second = new DaemonClient(pair.B.Address);
        await second.HandleAsync(Protocol, stream => stream.WriteAsync("second"u8.ToArray()).AsTask(), Cancel);
        using (DaemonStream stream = await pair.ClientA.OpenStreamAsync(pair.HostB.Self, [Protocol], Cancel))
            Assert.Equal("second", await ReadTextAsync(stream));
        await second.DisposeAsync();
        using P2pStream lost = await pair.HostA.OpenStreamAsync(pair.HostB.Self, [Protocol], Cancel);
        await lost.WriteAsync("x"u8.ToArray(), Cancel);
        await Assert.ThrowsAsync<StreamResetException>(() => lost.ReadAsync(new byte[1], Cancel).AsTask().WaitAsync(Hosts.Patience, Cancel));
    }

    [Fact]
    public async Task A_daemon_that_stops_ends_what_it_carries()
    {
        await using DaemonPair pair = await DaemonPair.StartAsync(unix: false);
        pair.HostB.Handle(Protocol, Hosts.EchoAsync);
        using DaemonStream stream = await pair.ClientA.OpenStreamAsync(pair.HostB.Self, [Protocol], Cancel);
        await stream.WriteAsync("x"u8.ToArray(), Cancel);
        Assert.Equal(1, await stream.ReadAsync(new byte[1], Cancel));
        await pair.A.DisposeAsync().AsTask().WaitAsync(Hosts.Patience, Cancel);
        await Assert.ThrowsAsync<DaemonException>(() => stream.ReadAsync(new byte[1], Cancel).AsTask().WaitAsync(Hosts.Patience, Cancel));
        // The host is not the daemon's.
        Assert.True(Assert.Single(pair.HostB.Connections).IsOpen);
    }

    private static async Task<string> ReadTextAsync(DaemonStream stream) => Encoding.UTF8.GetString(await ReadToEndAsync(stream));

    private static async Task<byte[]> ReadToEndAsync(DaemonStream stream)
    {
        using var all = new MemoryStream();
        byte[] buffer = new byte[16 * 1024];
        for (int read; (read = await stream.ReadAsync(buffer).AsTask().WaitAsync(Hosts.Patience)) > 0;)
            all.Write(buffer, 0, read);
        return all.ToArray();
    }
}
