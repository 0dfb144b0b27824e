// Every wait here has an end of its own (OverlayRecorder.Patience).
#pragma warning disable xUnit1051

using System.Security.Cryptography;
using Drap.Node.Overlay;
using Drap.Node.Overlay.Kept;
using Xunit;

namespace Drap.Node.Tests.Overlay;

/// <summary>Streams that go on when their carriers break: between two desks, over carriers within the process that break as a test wants.</summary>
public sealed class KeptStreamTests : IAsyncLifetime
{
    private const string Echo = "/test/echo/1.0.0";

    private static readonly TimeSpan beat = TimeSpan.FromMilliseconds(20);

    private readonly PeerId us = Peer(1), them = Peer(2);
    private readonly CancellationTokenSource leaving = new();
    private readonly List<FaultyStream> carriers = [];
    private KeptDesk opener = null!, acceptor = null!;
    private Func<int, Fault> faultOf = _ => Fault.None;
    private Func<int, long> breaksAfter = _ => long.MaxValue;

    private static TimeSpan Patience => OverlayRecorder.Patience;

    public ValueTask InitializeAsync()
    {
        Connect(isByDaemon: false);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await leaving.CancelAsync();
        await opener.DisposeAsync();
        await acceptor.DisposeAsync();
        leaving.Dispose();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Bytes_arrive_once_and_in_order_whatever_breaks_beneath(int seed)
    {
        var random = new Prng((ulong)seed);
        faultOf = _ => random.Below(4) == 0 ? Fault.Silent : Fault.Reset;
        breaksAfter = _ => 1 + random.Below(100_000);
        acceptor.TryHandle(Echo, (_, stream, ct) => stream.CopyToAsync(stream, ct));
        await using OverlayStream stream = await opener.OpenAsync(them, Echo, null, CancellationToken.None).AsTask().WaitAsync(Patience);
        byte[] bytes = new byte[1 << 20];
        for (int i = 0; i + 8 <= bytes.Length; i += 8)
            BitConverter.TryWriteBytes(bytes.AsSpan(i), random.NextUInt64());
        Task writing = Task.Run(async () =>
        {
            for (int at = 0; at < bytes.Length;)
            {
                int piece = Math.Min(bytes.Length - at, 1 + (at % 100_000));
                await stream.WriteAsync(bytes.AsMemory(at, piece));
                at += piece;
            }
            await stream.CompleteWritesAsync();
        });
        using var back = new MemoryStream();
        await stream.CopyToAsync(back).WaitAsync(Patience);
        await writing.WaitAsync(Patience);
        Assert.Equal(SHA256.HashData(bytes), SHA256.HashData(back.ToArray()));
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}: {carriers.Count} carriers");
        Assert.InRange(carriers.Count, 5, 2000);
    }

    [Fact]
    public async Task A_carrier_that_a_daemon_brought_is_left_before_the_daemon_ends_it()
    {
        Connect(isByDaemon: true);
        acceptor.TryHandle(Echo, (_, stream, ct) => stream.CopyToAsync(stream, ct));
        await using OverlayStream stream = await opener.OpenAsync(them, Echo, null, CancellationToken.None).AsTask().WaitAsync(Patience);
        byte[] one = new byte[1];
        for (int i = 0; carriers.Count < 4; i++)
        {
            await stream.WriteAsync(new[] { (byte)i });
            await stream.ReadExactlyAsync(one).AsTask().WaitAsync(Patience);
            Assert.Equal((byte)i, one[0]);
        }
    }

    [Fact]
    public async Task Each_half_ends_for_itself_and_what_is_over_is_forgotten()
    {
        acceptor.TryHandle(Echo, async (_, stream, ct) =>
        {
            using var all = new MemoryStream();
            await stream.CopyToAsync(all, ct);
            await stream.WriteAsync(all.ToArray(), ct);
        });
        for (int i = 0; i < KeptLimits.StreamsMax + 10; i++)
        {
            await using OverlayStream stream = await opener.OpenAsync(them, Echo, null, CancellationToken.None).AsTask().WaitAsync(Patience);
            await stream.WriteAsync(new[] { (byte)i });
            await stream.CompleteWritesAsync();
            using var back = new MemoryStream();
            await stream.CopyToAsync(back).WaitAsync(Patience);
            Assert.Equal([(byte)i], back.ToArray());
        }
    }

    [Fact]
    public async Task A_writer_waits_at_the_window_while_nobody_reads()
    {
        var mayRead = new TaskCompletionSource();
        acceptor.TryHandle(Echo, async (_, stream, ct) =>
        {
            await mayRead.Task.WaitAsync(ct);
            await stream.CopyToAsync(stream, ct);
        });
        await using OverlayStream stream = await opener.OpenAsync(them, Echo, null, CancellationToken.None).AsTask().WaitAsync(Patience);
        await stream.WriteAsync(new byte[KeptLimits.WindowBytes]).AsTask().WaitAsync(Patience);
        // It is full now whatever the other side has received: nobody has read.
        Task more = stream.WriteAsync(new byte[1]).AsTask();
        byte[] ping = new byte[1];
        acceptor.TryHandle("/test/other", (_, other, ct) => other.CopyToAsync(other, ct));
        await using (OverlayStream other = await opener.OpenAsync(them, "/test/other", null, CancellationToken.None).AsTask().WaitAsync(Patience))
        {
            await other.WriteAsync(ping);
            await other.ReadExactlyAsync(ping).AsTask().WaitAsync(Patience);
        }
        Assert.False(more.IsCompleted);
        mayRead.SetResult();
        byte[] back = new byte[KeptLimits.WindowBytes + 1];
        await stream.ReadExactlyAsync(back).AsTask().WaitAsync(Patience);
        await more.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_reset_is_seen_on_the_other_side_and_so_is_a_handlers_failure()
    {
        var ended = new TaskCompletionSource<Exception?>();
        acceptor.TryHandle(Echo, async (_, stream, ct) =>
        {
            byte[] one = new byte[1];
            await stream.ReadExactlyAsync(one, ct);
            if (one[0] == 2)
                throw new InvalidOperationException("on purpose");
            await stream.WriteAsync(one, ct);
            ended.SetResult(await Record.ExceptionAsync(async () => await stream.ReadExactlyAsync(one, ct)));
        });
        OverlayStream stream = await opener.OpenAsync(them, Echo, null, CancellationToken.None).AsTask().WaitAsync(Patience);
        await stream.WriteAsync(new byte[] { 1 });
        await stream.ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience);
        stream.Reset();
        Assert.Equal(OverlayFailure.Reset, Assert.IsType<OverlayException>(await ended.Task.WaitAsync(Patience)).Failure);
        await Assert.ThrowsAsync<OverlayException>(async () => await stream.WriteAsync(new byte[1]));
        await using OverlayStream failing = await opener.OpenAsync(them, Echo, null, CancellationToken.None).AsTask().WaitAsync(Patience);
        await failing.WriteAsync(new byte[] { 2 });
        var failure = await Assert.ThrowsAsync<OverlayException>(async () => await failing.ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience));
        Assert.Equal(OverlayFailure.Reset, failure.Failure);
    }

    [Fact]
    public async Task What_is_not_served_is_refused_and_a_peer_that_has_gone_ends_its_streams()
    {
        var failure = await Assert.ThrowsAsync<OverlayException>(async () => await opener.OpenAsync(them, "/test/nobody", null, CancellationToken.None).AsTask().WaitAsync(Patience));
        Assert.Equal(OverlayFailure.NotServed, failure.Failure);
        acceptor.TryHandle(Echo, (_, stream, ct) => stream.CopyToAsync(stream, ct));
        await using OverlayStream stream = await opener.OpenAsync(them, Echo, null, CancellationToken.None).AsTask().WaitAsync(Patience);
        opener.Gone(Peer(3));
        await stream.WriteAsync(new byte[1]);
        await stream.ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience);
        opener.Gone(them);
        await Assert.ThrowsAsync<OverlayException>(async () => await stream.ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience));
    }

    [Fact]
    public async Task Who_waits_for_a_carrier_in_vain_is_told_in_the_end()
    {
        var ended = new TaskCompletionSource<Exception?>();
        acceptor.TryHandle(Echo, async (_, stream, ct) => ended.SetResult(await Record.ExceptionAsync(async () => await stream.ReadExactlyAsync(new byte[1], ct))));
        await using OverlayStream stream = await opener.OpenAsync(them, Echo, null, CancellationToken.None).AsTask().WaitAsync(Patience);
        faultOf = _ => Fault.Unreachable;
        carriers[0].Reset();
        Assert.IsType<OverlayException>(await ended.Task.WaitAsync(Patience));
        await Assert.ThrowsAsync<OverlayException>(async () => await stream.ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience));
    }

    [Fact]
    public async Task A_carrier_that_comes_late_does_not_take_the_place_of_a_later_one()
    {
        acceptor.TryHandle(Echo, (_, stream, ct) => stream.CopyToAsync(stream, ct));
        var kept = Assert.IsType<KeptStream>(await opener.OpenAsync(them, Echo, null, CancellationToken.None).AsTask().WaitAsync(Patience));
        OverlayStream late = await OpenCarrierAsync(them, CancellationToken.None);
        await late.WriteAsync(KeptWire.Greeting(isNew: true, kept.Name, 1, 0, Echo));
        // It is let go of without an answer.
        Assert.Equal(0, await late.ReadAsync(new byte[1]).AsTask().WaitAsync(Patience));
        await kept.WriteAsync(new byte[1]);
        await kept.ReadExactlyAsync(new byte[1]).AsTask().WaitAsync(Patience);
        Assert.Equal(2, carriers.Count);
        await kept.DisposeAsync();
    }

    [Theory]
    [InlineData("too many")]
    [InlineData("too long")]
    [InlineData("taken what was not sent")]
    [InlineData("after the end")]
    [InlineData("no kind")]
    public async Task Who_breaks_the_rules_loses_the_stream(string how)
    {
        var ended = new TaskCompletionSource<Exception?>();
        acceptor.TryHandle(Echo, async (_, stream, ct) =>
        {
            ended.SetResult(await Record.ExceptionAsync(async () => await stream.WriteAsync(new byte[KeptLimits.WindowBytes + 1], ct)));
        });
        OverlayStream raw = await OpenCarrierAsync(them, CancellationToken.None);
        await raw.WriteAsync(KeptWire.Greeting(isNew: true, 7, 1, 0, Echo));
        await raw.ReadExactlyAsync(new byte[KeptWire.AnswerBytes]).AsTask().WaitAsync(Patience);
        Task reading = raw.CopyToAsync(Stream.Null);
        try
        {
            switch (how)
            {
                case "too many":
                    for (int i = 0; i * KeptLimits.PieceBytes <= KeptLimits.WindowBytes; i++)
                        await SayAsync(KeptFrame.Data, KeptLimits.PieceBytes, new byte[KeptLimits.PieceBytes]);
                    break;
                case "too long":
                    await SayAsync(KeptFrame.Data, long.MaxValue, []);
                    break;
                case "taken what was not sent":
                    await SayAsync(KeptFrame.Taken, KeptLimits.WindowBytes + 1, []);
                    break;
                case "after the end":
                    await SayAsync(KeptFrame.End, 0, []);
                    await SayAsync(KeptFrame.Data, 1, [1]);
                    break;
                default:
                    await SayAsync((KeptFrame)99, 0, []);
                    break;
            }
        }
        catch (IOException)
        {
            // It was ended within.
        }
        Assert.IsType<OverlayException>(await ended.Task.WaitAsync(Patience));
        await Task.WhenAny(reading).WaitAsync(Patience);

        async Task SayAsync(KeptFrame kind, long number, byte[] data)
        {
            byte[] frame = new byte[KeptWire.HeadBytes + data.Length];
            KeptWire.WriteHead(frame, kind, number);
            data.CopyTo(frame, KeptWire.HeadBytes);
            await raw.WriteAsync(frame);
        }
    }

    private static PeerId Peer(byte number)
    {
        byte[] id = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20, .. Enumerable.Repeat(number, 32)];
        Assert.True(PeerId.TryFromBytes(id, out PeerId peer));
        return peer;
    }

    private void Connect(bool isByDaemon)
    {
        opener = new KeptDesk(OpenCarrierAsync, isByDaemon: false, beat, leaving.Token);
        acceptor = new KeptDesk((_, _) => throw new OverlayException(OverlayFailure.Unreachable, "nobody opens from here"), isByDaemon, beat, leaving.Token);
    }

    private ValueTask<OverlayStream> OpenCarrierAsync(PeerId peer, CancellationToken ct)
    {
        Fault fault = faultOf(carriers.Count);
        if (fault == Fault.Unreachable)
            throw new OverlayException(OverlayFailure.Unreachable, "on purpose");
        var pair = new MemoryStreams(us, them);
        var carrier = new FaultyStream(pair.Opened, fault, breaksAfter(carriers.Count));
        carriers.Add(carrier);
        _ = ServeAsync(pair.Served);
        return ValueTask.FromResult<OverlayStream>(carrier);
    }

    private async Task ServeAsync(OverlayStream served)
    {
        try
        {
            await acceptor.ServeAsync(us, served);
            await served.CompleteWritesAsync();
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException)
        {
            served.Reset();
        }
    }

    private enum Fault
    {
        None,
        Reset,
        Silent,
        Unreachable,
    }

    /// <summary>Breaks after so many bytes, both ways together: as one whose daemon has reset it, or who carries nothing more without a word.</summary>
    private sealed class FaultyStream(OverlayStream inner, Fault fault, long left) : OverlayStream
    {
        private readonly TaskCompletionSource reset = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private long left = left;

        public override PeerId Peer => inner.Peer;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read = await inner.ReadAsync(buffer, cancellationToken);
            if (IsBroken(read))
                await BreakAsync(cancellationToken);
            return read;
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (IsBroken(buffer.Length))
                await BreakAsync(cancellationToken);
            await inner.WriteAsync(buffer, cancellationToken);
        }

        public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default) => inner.CompleteWritesAsync(cancellationToken);

        public override void Reset()
        {
            inner.Reset();
            reset.TrySetResult();
        }

        protected override void Release() => Reset();

        private bool IsBroken(int more) => fault != Fault.None && Interlocked.Add(ref left, -more) < 0;

        private async Task BreakAsync(CancellationToken cancel)
        {
            if (fault == Fault.Reset)
                Reset();
            await reset.Task.WaitAsync(cancel);
            throw new OverlayException(OverlayFailure.Reset, "broken on purpose");
        }
    }
}
