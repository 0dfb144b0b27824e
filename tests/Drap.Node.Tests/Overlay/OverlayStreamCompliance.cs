// Every wait here has an end of its own (OverlayRecorder.Patience).
#pragma warning disable xUnit1051

using System.Security.Cryptography;
using Drap.Node.Overlay;
using Xunit;

namespace Drap.Node.Tests.Overlay;

/// <summary>What the streams of every overlay must do.</summary>
public abstract class OverlayStreamCompliance : OverlayNodes
{
    protected const string Echo = "/test/echo/1.0.0";

    [Fact]
    public async Task A_stream_carries_bytes_both_ways_and_each_half_closes_for_itself()
    {
        (_, IOverlay overA) = await JoinAsync("a");
        (_, IOverlay overB) = await JoinAsync("b", overA);
        PeerId? opener = null;
        overB.Handle(Echo, async (from, stream, ct) =>
        {
            opener = from;
            // Answers only when the other has closed its half.
            using var all = new MemoryStream();
            await stream.CopyToAsync(all, ct);
            await stream.WriteAsync(all.ToArray(), ct);
        });
        Assert.Throws<InvalidOperationException>(() => overB.Handle(Echo, (_, _, _) => Task.CompletedTask));
        byte[] bytes = RandomBytes(3 << 20, 2);
        await using OverlayStream stream = await OpenAsync(overA, overB);
        await stream.WriteAsync(bytes).AsTask().WaitAsync(Patience);
        await stream.CompleteWritesAsync();
        using var back = new MemoryStream();
        await stream.CopyToAsync(back).WaitAsync(Patience);
        Assert.Equal(SHA256.HashData(bytes), SHA256.HashData(back.ToArray()));
        Assert.Equal(overA.Self, opener);
        Assert.Equal(overB.Self, stream.Peer);
    }

    [Fact]
    public async Task A_stream_that_is_not_read_holds_its_writer_back()
    {
        (_, IOverlay overA) = await JoinAsync("a");
        (_, IOverlay overB) = await JoinAsync("b", overA);
        var mayRead = new TaskCompletionSource();
        var done = new TaskCompletionSource();
        long read = 0;
        overB.Handle(Echo, async (_, stream, ct) =>
        {
            await mayRead.Task.WaitAsync(ct);
            byte[] buffer = new byte[64 << 10];
            for (int n; (n = await stream.ReadAsync(buffer, ct)) > 0;)
                read += n;
            done.SetResult();
        });
        await using OverlayStream stream = await OpenAsync(overA, overB);
        byte[] piece = new byte[64 << 10];
        long written = 0;
        Task write = stream.WriteAsync(piece).AsTask();
        // Held back at some point: windows and sockets hold a few megabytes, never all of this.
        while (written < 64 << 20 && await Task.WhenAny(write, Task.Delay(TimeSpan.FromMilliseconds(500))) == write)
        {
            await write;
            written += piece.Length;
            write = stream.WriteAsync(piece).AsTask();
        }
        Assert.InRange(written, 0, (32 << 20) - 1);
        mayRead.SetResult();
        await write.WaitAsync(Patience);
        written += piece.Length;
        await stream.CompleteWritesAsync();
        await done.Task.WaitAsync(Patience);
        Assert.Equal(written, read);
    }

    [Fact]
    public async Task A_reset_ends_a_stream_on_both_sides_and_so_does_a_handler_that_fails()
    {
        (_, IOverlay overA) = await JoinAsync("a");
        (_, IOverlay overB) = await JoinAsync("b", overA);
        var ended = new TaskCompletionSource<Exception?>(TaskCreationOptions.RunContinuationsAsynchronously);
        overB.Handle(Echo, async (_, stream, ct) =>
        {
            byte[] one = new byte[1];
            await stream.ReadExactlyAsync(one, ct);
            if (one[0] == 2)
                throw new InvalidOperationException("the handler fails");
            await stream.WriteAsync(one, ct);
            try
            {
                int read = await stream.ReadAsync(one, ct);
                ended.SetResult(read == 0 ? null : new InvalidOperationException("bytes came"));
            }
            catch (Exception failure)
            {
                ended.SetResult(failure);
                throw;
            }
        });
        byte[] buffer = [1];
        await using (OverlayStream stream = await OpenAsync(overA, overB))
        {
            await stream.WriteAsync(buffer);
            await stream.ReadExactlyAsync(buffer).AsTask().WaitAsync(Patience);
            stream.Reset();
            await Assert.ThrowsAnyAsync<IOException>(async () => await stream.ReadExactlyAsync(buffer));
            await Assert.ThrowsAnyAsync<IOException>(async () => await stream.WriteAsync(buffer));
        }
        AssertReset(await ended.Task.WaitAsync(Patience));
        await using OverlayStream failing = await OpenAsync(overA, overB);
        buffer[0] = 2;
        await failing.WriteAsync(buffer);
        AssertReset(await Record.ExceptionAsync(async () => Assert.Equal(0, await failing.ReadAsync(buffer).AsTask().WaitAsync(Patience))));
    }

    [Fact]
    public async Task A_protocol_that_nobody_serves_is_refused()
    {
        (_, IOverlay overA) = await JoinAsync("a");
        (_, IOverlay overB) = await JoinAsync("b", overA);
        var failure = await Assert.ThrowsAsync<OverlayException>(async () =>
        {
            await using OverlayStream stream = await OpenAsync(overA, overB, "/test/nobody/1.0.0");
            await stream.ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience);
        });
        Assert.Equal(OverlayFailure.NotServed, failure.Failure);
    }

    [Fact]
    public async Task Hundreds_of_streams_run_at_once()
    {
        (_, IOverlay overA) = await JoinAsync("a");
        (_, IOverlay overB) = await JoinAsync("b", overA);
        overB.Handle(Echo, (_, stream, ct) => stream.CopyToAsync(stream, ct));
        var streams = new List<OverlayStream>();
        for (int i = 0; i < StreamsAtOnce; i++)
        {
            OverlayStream stream = await OpenAsync(overA, overB);
            streams.Add(stream);
            await stream.WriteAsync(Frame(i));
        }
        // All of them are open now.
        for (int i = 0; i < streams.Count; i++)
        {
            byte[] back = new byte[Frame(i).Length];
            int read = await streams[i].ReadAtLeastAsync(back, back.Length, throwOnEndOfStream: false).AsTask().WaitAsync(Patience);
            Assert.True(read == back.Length, $"stream {i} of {streams.Count} ended after {read} bytes of {back.Length}");
            Assert.Equal(Frame(i), back);
            await streams[i].CompleteWritesAsync();
            Assert.Equal(0, await streams[i].ReadAsync(back).AsTask().WaitAsync(Patience));
            await streams[i].DisposeAsync();
        }
    }

    [Fact]
    public async Task Streams_end_when_their_peer_leaves()
    {
        (_, IOverlay overA) = await JoinAsync("a");
        (_, IOverlay overB) = await JoinAsync("b", overA);
        var begun = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        overB.Handle(Echo, async (_, stream, ct) =>
        {
            begun.SetResult();
            await stream.ReadExactlyAsync(new byte[2], ct);
        });
        await using OverlayStream stream = await OpenAsync(overA, overB);
        await stream.WriteAsync(new byte[1]);
        await begun.Task.WaitAsync(Patience);
        await LeaveAsync(overB);
        AssertReset(await Record.ExceptionAsync(async () => Assert.Equal(0, await stream.ReadAsync(new byte[1]).AsTask().WaitAsync(Patience))));
    }

    /// <summary>How many streams of one protocol may stand between two nodes in the test: hundreds.</summary>
    protected virtual int StreamsAtOnce => 300;

    private static void AssertReset(Exception? ended)
    {
        Assert.IsType<OverlayException>(ended, exactMatch: true);
        Assert.Equal(OverlayFailure.Reset, ((OverlayException)ended).Failure);
    }

    private static async Task<OverlayStream> OpenAsync(IOverlay from, IOverlay to, string protocol = Echo) =>
        await from.OpenStreamAsync(to.Self, protocol, TestContext.Current.CancellationToken).AsTask().WaitAsync(Patience);
}
