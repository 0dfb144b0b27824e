using Xunit;

namespace Drap.Libp2p.Host.Tests;

/// <summary>Streams between two hosts over loopback sockets, under each protection.</summary>
public sealed class StreamTests
{
    [Theory]
    [InlineData(ConnectionSecurity.Noise)]
    [InlineData(ConnectionSecurity.Tls)]
    [InlineData(ConnectionSecurity.Plaintext)]
    public async Task Each_half_closes_for_itself(ConnectionSecurity security)
    {
        await using Libp2pHost a = await Hosts.StartAsync(1, security), b = await Hosts.StartAsync(2, security);
        var inbound = new TaskCompletionSource<P2pStream>();
        var release = new TaskCompletionSource();
        b.Handle("/half/1", stream =>
        {
            inbound.SetResult(stream);
            return release.Task;
        });
        await a.ConnectAsync(b);
        P2pStream mine = await a.OpenStreamAsync(b.Self, ["/half/1"]);
        await mine.WriteAndCloseAsync("question"u8.ToArray());
        P2pStream theirs = await inbound.Task.WaitAsync(Hosts.Patience);
        Assert.Equal("question"u8.ToArray(), await theirs.ReadToEndAsync());
        // The other half is still open, and carries as much as it likes.
        for (int i = 0; i < 20; i++)
            await theirs.WriteAsync(new byte[1000]);
        byte[] part = new byte[20_000];
        await mine.ReadExactlyAsync(part);
        await theirs.CloseWriteAsync();
        Assert.Equal(0, await mine.ReadAsync(part).AsTask().WaitAsync(Hosts.Patience));
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await mine.WriteAsync(part));
        release.SetResult();
    }

    [Fact]
    public async Task A_reset_ends_both_ways_at_both_ends()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var came = new TaskCompletionSource();
        var ended = new TaskCompletionSource<StreamEnd>();
        b.Handle("/reset/1", async stream =>
        {
            try
            {
                while (await stream.ReadAsync(new byte[100]) > 0)
                    came.TrySetResult();
            }
            catch (StreamResetException failure)
            {
                ended.SetResult(failure.End);
                throw;
            }
        });
        await a.ConnectAsync(b);
        P2pStream stream = await a.OpenStreamAsync(b.Self, ["/reset/1"]);
        await stream.WriteAsync(new byte[5]);
        Task<int> reading = stream.ReadAsync(new byte[5]).AsTask();
        // A stream that ends before its handler has begun has none.
        await came.Task.WaitAsync(Hosts.Patience);
        stream.Reset();
        Assert.Equal(StreamEnd.ResetHere, (await Assert.ThrowsAsync<StreamResetException>(() => reading.WaitAsync(Hosts.Patience))).End);
        Assert.Equal(StreamEnd.ResetByPeer, await ended.Task.WaitAsync(Hosts.Patience));
        await Assert.ThrowsAsync<StreamResetException>(async () => await stream.WriteAsync(new byte[5]));
    }

    [Theory]
    [InlineData(ConnectionSecurity.Noise)]
    [InlineData(ConnectionSecurity.Tls)]
    [InlineData(ConnectionSecurity.Plaintext)]
    public async Task Hundreds_of_streams_at_once(ConnectionSecurity security)
    {
        await using Libp2pHost a = await Hosts.StartAsync(1, security), b = await Hosts.StartAsync(2, security);
        b.Handle(Hosts.Echo[0], Hosts.EchoAsync);
        await a.ConnectAsync(b);
        await Task.WhenAll(Enumerable.Range(0, 800).Select(async i =>
        {
            P2pStream stream = await a.OpenStreamAsync(b.Self, Hosts.Echo);
            byte[] said = Hosts.Bytes(8 * (i + 1), i);
            for (int at = 0; at < said.Length; at += 777)
                await stream.WriteAsync(said.AsMemory(at, Math.Min(777, said.Length - at)));
            await stream.CloseWriteAsync();
            Assert.Equal(said, await stream.ReadToEndAsync());
        })).WaitAsync(Hosts.Patience);
        Assert.Equal(0, a.Connections.Single().CountStreams(Hosts.Echo[0]));
    }

    [Theory]
    [InlineData(ConnectionSecurity.Noise)]
    [InlineData(ConnectionSecurity.Tls)]
    [InlineData(ConnectionSecurity.Plaintext)]
    public async Task A_hundred_megabytes_each_way_arrive_whole(ConnectionSecurity security)
    {
        const int Megabytes = 100;
        await using Libp2pHost a = await Hosts.StartAsync(1, security), b = await Hosts.StartAsync(2, security);
        byte[] block = Hosts.Bytes(1024 * 1024, 3);
        var atB = new TaskCompletionSource<long>();
        b.Handle("/bulk/1", async stream =>
        {
            Task<long> received = CountAsync(stream, block);
            for (int i = 0; i < Megabytes; i++)
                await stream.WriteAsync(block);
            await stream.CloseWriteAsync();
            atB.SetResult(await received);
        });
        await a.ConnectAsync(b);
        P2pStream mine = await a.OpenStreamAsync(b.Self, ["/bulk/1"]);
        Task<long> atA = CountAsync(mine, block);
        for (int i = 0; i < Megabytes; i++)
            await mine.WriteAsync(block).AsTask().WaitAsync(Hosts.Patience);
        await mine.CloseWriteAsync();
        Assert.Equal(Megabytes * 1024L * 1024, await atA.WaitAsync(Hosts.Patience));
        Assert.Equal(Megabytes * 1024L * 1024, await atB.Task.WaitAsync(Hosts.Patience));
    }

    [Fact]
    public async Task A_slow_reader_holds_its_writer_back_and_nobody_else()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        var stuck = new TaskCompletionSource<P2pStream>();
        var release = new TaskCompletionSource();
        b.Handle(Hosts.Echo[0], Hosts.EchoAsync);
        b.Handle("/slow/1", stream =>
        {
            stuck.SetResult(stream);
            return release.Task;
        });
        await a.ConnectAsync(b);
        P2pStream slow = await a.OpenStreamAsync(b.Self, ["/slow/1"]);
        long written = 0;
        using var enough = new CancellationTokenSource();
        Task writing = Task.Run(async () =>
        {
            byte[] block = new byte[16 * 1024];
            while (true)
            {
                await slow.WriteAsync(block, enough.Token);
                Interlocked.Add(ref written, block.Length);
            }
        });
        await stuck.Task.WaitAsync(Hosts.Patience);
        // Others go on over the same connection meanwhile.
        for (int i = 0; i < 50; i++)
        {
            P2pStream quick = await a.OpenStreamAsync(b.Self, Hosts.Echo);
            await quick.WriteAndCloseAsync(new byte[3000]);
            Assert.Equal(3000, (await quick.ReadToEndAsync()).Length);
        }
        // The window, in whole blocks: what was written is what the reader's side was ready to hold.
        while (Interlocked.Read(ref written) < 256 * 1024 - 16 * 1024)
            await Task.Yield();
        Assert.False(writing.IsCompleted);
        Assert.InRange(Interlocked.Read(ref written), 240 * 1024, 256 * 1024);
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => writing.WaitAsync(Hosts.Patience));
        release.SetResult();
    }

    [Theory]
    [InlineData(ConnectionSecurity.Noise)]
    [InlineData(ConnectionSecurity.Tls)]
    public async Task A_handler_that_blocks_its_thread_holds_up_nobody_else(ConnectionSecurity security)
    {
        await using Libp2pHost a = await Hosts.StartAsync(1, security), b = await Hosts.StartAsync(2, security);
        using var freed = new ManualResetEventSlim();
        var blocked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        b.Handle("/test/blocks/1", async stream =>
        {
            await stream.ReadExactlyAsync(new byte[1]);
            blocked.SetResult();
            // On the thread that read the connection a moment ago.
            bool isFree = freed.Wait(Hosts.Patience);
            await stream.WriteAndCloseAsync(new byte[] { isFree ? (byte)1 : (byte)0 });
        });
        b.Handle("/test/frees/1", async stream =>
        {
            freed.Set();
            await Hosts.EchoAsync(stream);
        });
        PeerConnection connection = await a.ConnectAsync(b);
        await connection.Identified.WaitAsync(Hosts.Patience);
        P2pStream blocks = await a.OpenStreamAsync(b.Self, ["/test/blocks/1"]);
        await blocks.WriteAsync(new byte[1]);
        await blocked.Task.WaitAsync(Hosts.Patience);
        P2pStream frees = await a.OpenStreamAsync(b.Self, ["/test/frees/1"]);
        await frees.WriteAndCloseAsync("said"u8.ToArray());
        Assert.Equal("said"u8.ToArray(), await frees.ReadToEndAsync());
        Assert.Equal([1], await blocks.ReadToEndAsync());
    }

    [Fact]
    public async Task A_cancelled_read_takes_nothing()
    {
        await using Libp2pHost a = await Hosts.StartAsync(1), b = await Hosts.StartAsync(2);
        b.Handle(Hosts.Echo[0], Hosts.EchoAsync);
        await a.ConnectAsync(b);
        P2pStream stream = await a.OpenStreamAsync(b.Self, Hosts.Echo);
        byte[] buffer = new byte[100];
        for (int i = 0; i < 200; i++)
        {
            using var stop = new CancellationTokenSource();
            Task<int> reading = stream.ReadAsync(buffer, stop.Token).AsTask();
            await stream.WriteAsync(new byte[] { (byte)i });
            Task cancelling = Task.Run(stop.Cancel);
            try
            {
                Assert.Equal(1, await reading.WaitAsync(Hosts.Patience));
            }
            catch (OperationCanceledException)
            {
                Assert.Equal(1, await stream.ReadAsync(buffer).AsTask().WaitAsync(Hosts.Patience));
            }
            Assert.Equal(i, buffer[0]);
            await cancelling;
        }
    }

    private static async Task<long> CountAsync(P2pStream stream, byte[] pattern)
    {
        byte[] buffer = new byte[64 * 1024];
        long total = 0;
        for (int read; (read = await stream.ReadAsync(buffer)) > 0;)
        {
            for (int done = 0; done < read;)
            {
                int at = (int)((total + done) % pattern.Length);
                int length = Math.Min(read - done, pattern.Length - at);
                if (!buffer.AsSpan(done, length).SequenceEqual(pattern.AsSpan(at, length)))
                    throw new InvalidDataException($"wrong at {total + done}");
                done += length;
            }
            total += read;
        }
        return total;
    }
}
