using System.Buffers;
using Drap.Libp2p.Multiformats;

namespace Drap.Node.Overlay.Frames;

/// <summary>
/// The frames on their way to one peer, in order, and the stream that carries them: opened for the first frame, opened once more when it breaks.
/// Whoever puts a frame in writes what waits as far as that goes without waiting; the rest is written by whom the stream wakes.
/// </summary>
internal sealed class FrameLane(FrameDesk desk, PeerId peer)
{
    private readonly Lock gate = new();
    // Who waits for room stands on this one: a Lock has no condition.
    private readonly object room = new();
    private readonly Queue<ReadOnlyMemory<byte>> waiting = new();
    private OverlayStream? stream;
    private long bytes;
    private long lent;
    private bool isWriting;
    private volatile bool isClosed;
    private int waiters;
    private long drains;
    private int refusals;
    private long refusedUntil;

    public PeerId Peer => peer;

    /// <summary>When the last frame was put in, in milliseconds of the system's uptime.</summary>
    public long UsedAt { get; private set; } = Environment.TickCount64;

    /// <summary>Puts a frame in; <see cref="Write"/> must follow. A lane in which nothing waits has room for any frame.</summary>
    public FrameFate TryAdd(ReadOnlyMemory<byte> frame, out long drainsSeen)
    {
        lock (gate)
        {
            drainsSeen = drains;
            long now = Environment.TickCount64;
            if (isClosed)
                return FrameFate.LaneClosed;
            if (now < refusedUntil)
                return FrameFate.Unreachable;
            long after = bytes + frame.Length;
            if (waiting.Count >= FrameLimits.FramesMax || after > FrameLimits.BytesMax || !TryBorrow(after))
                return FrameFate.Full;
            waiting.Enqueue(frame);
            bytes = after;
            UsedAt = now;
            return FrameFate.Taken;
        }
    }

    /// <summary>Waits until something was written since <paramref name="drainsSeen"/>, or the peer is gone.</summary>
    public void WaitForRoom(long drainsSeen)
    {
        Interlocked.Increment(ref waiters);
        lock (room)
            while (Interlocked.Read(ref drains) == drainsSeen && !isClosed)
                Monitor.Wait(room);
        Interlocked.Decrement(ref waiters);
    }

    /// <summary>Writes what waits, unless somebody does.</summary>
    public void Write()
    {
        lock (gate)
        {
            if (isWriting || waiting.Count == 0)
                return;
            isWriting = true;
        }
        _ = WriteAsync();
    }

    /// <summary>There was news of the peer: it may be tried again at once.</summary>
    public void Retry()
    {
        lock (gate)
            (refusals, refusedUntil) = (0, 0);
    }

    /// <summary>The peer is gone, or the lane fell idle: what waits is dropped, and the stream closed.</summary>
    public void Close(bool gracefully)
    {
        OverlayStream? closed;
        lock (gate)
        {
            isClosed = true;
            closed = stream;
            stream = null;
            Drop();
        }
        TellRoom();
        if (closed is null)
            return;
        desk.Carrier.Use(peer, false);
        if (gracefully)
            _ = EndAsync(closed);
        else
            closed.Dispose();
    }

    /// <summary>Whether nothing was sent for long, and nothing waits.</summary>
    public bool IsIdle(long now)
    {
        lock (gate)
            return waiting.Count == 0 && !isWriting && now - UsedAt > FrameLimits.IdleAfter.TotalMilliseconds && now >= refusedUntil;
    }

    private static async Task EndAsync(OverlayStream stream)
    {
        try
        {
            await stream.CompleteWritesAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            stream.Reset();
        }
    }

    private async Task WriteAsync()
    {
        byte[]? together = null;
        int broken = 0;
        OverlayStream? carrier = null;
        try
        {
            while (true)
            {
                try
                {
                    carrier = stream ?? await OpenAsync().ConfigureAwait(false);
                    while (TakeNext(ref together, out ReadOnlyMemory<byte> head, out ReadOnlyMemory<byte> body))
                    {
                        await carrier.WriteAsync(head).ConfigureAwait(false);
                        if (!body.IsEmpty)
                            await carrier.WriteAsync(body).ConfigureAwait(false);
                        broken = 0;
                    }
                    return;
                }
                catch (IOException) when (carrier is not null && broken++ == 0)
                {
                    // The stream broke; frames in it are lost, those behind it go over another if the peer is still there.
                    Forget(carrier);
                    carrier = null;
                }
            }
        }
        catch (Exception failure) when (failure is IOException or OperationCanceledException or ObjectDisposedException)
        {
            Refuse();
        }
        finally
        {
            if (together is not null)
                ArrayPool<byte>.Shared.Return(together);
        }
    }

    /// <summary>The next bytes to write: many small frames in one piece, or a long one beside its length. Ends the writer's turn when there are none.</summary>
    private bool TakeNext(ref byte[]? together, out ReadOnlyMemory<byte> head, out ReadOnlyMemory<byte> body)
    {
        head = body = default;
        lock (gate)
        {
            if (isClosed || waiting.Count == 0)
            {
                isWriting = false;
                return false;
            }
            together ??= ArrayPool<byte>.Shared.Rent(FrameLimits.TogetherBytes);
            int length = 0;
            while (waiting.TryPeek(out ReadOnlyMemory<byte> frame))
            {
                int needed = UnsignedVarint.BytesMax + frame.Length;
                if (needed > FrameLimits.TogetherBytes - length && length > 0)
                    break;
                waiting.Dequeue();
                bytes -= frame.Length;
                length += UnsignedVarint.Write(together.AsSpan(length), (ulong)frame.Length);
                if (needed > FrameLimits.TogetherBytes)
                {
                    body = frame;
                    break;
                }
                frame.Span.CopyTo(together.AsSpan(length));
                length += frame.Length;
            }
            head = together.AsMemory(0, length);
            GiveBack();
            Interlocked.Increment(ref drains);
        }
        TellRoom();
        return true;
    }

    private async ValueTask<OverlayStream> OpenAsync()
    {
        using var late = new CancellationTokenSource(FrameLimits.OpenTimeout);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, desk.Left);
        OverlayStream opened = await desk.Carrier.OpenStreamAsync(peer, FrameDesk.Protocol, either.Token).ConfigureAwait(false);
        lock (gate)
        {
            if (!isClosed)
            {
                stream = opened;
                (refusals, refusedUntil) = (0, 0);
                desk.Carrier.Use(peer, true);
                _ = WatchAsync(opened);
                return opened;
            }
        }
        opened.Dispose();
        throw new OverlayException(OverlayFailure.Unreachable, $"{peer} is gone");
    }

    /// <summary>Nothing comes back on a lane's stream but its end: then the next frame begins another one.</summary>
    private async Task WatchAsync(OverlayStream opened)
    {
        byte[] nothing = new byte[1];
        try
        {
            while (await opened.ReadAsync(nothing).ConfigureAwait(false) > 0)
            {
            }
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException)
        {
            // That is an end, too.
        }
        Forget(opened);
        // A lane that was closed has forgotten it before.
        opened.Dispose();
    }

    private void Forget(OverlayStream? gone)
    {
        lock (gate)
        {
            if (gone is null || !ReferenceEquals(stream, gone))
                return;
            stream = null;
        }
        desk.Carrier.Use(peer, false);
        gone.Dispose();
    }

    /// <summary>The peer cannot be reached: what waits is dropped, and more is refused for a while.</summary>
    private void Refuse()
    {
        lock (gate)
        {
            isWriting = false;
            if (stream is not null)
                desk.Carrier.Use(peer, false);
            stream?.Dispose();
            stream = null;
            Drop();
            refusedUntil = Environment.TickCount64 + ((long)FrameLimits.RefusalMin.TotalMilliseconds << refusals);
            refusals = Math.Min(refusals + 1, FrameLimits.RefusalDoublingsMax);
        }
        TellRoom();
    }

    // The next three are under the lock.

    private void Drop()
    {
        Interlocked.Increment(ref drains);
        waiting.Clear();
        bytes = 0;
        GiveBack();
    }

    private bool TryBorrow(long wanted)
    {
        long more = wanted - FrameLimits.BytesGuaranteed - lent;
        if (more <= 0)
            return true;
        if (!desk.TryLend(more))
            return false;
        lent += more;
        return true;
    }

    private void GiveBack()
    {
        long back = lent - Math.Max(0, bytes - FrameLimits.BytesGuaranteed);
        if (back <= 0)
            return;
        lent -= back;
        desk.TakeBack(back);
    }

    private void TellRoom()
    {
        if (Volatile.Read(ref waiters) == 0)
            return;
        lock (room)
            Monitor.PulseAll(room);
    }
}

/// <summary>What became of a frame.</summary>
internal enum FrameFate : byte
{
    /// <summary>It waits for being written.</summary>
    Taken,

    /// <summary>There is no room now.</summary>
    Full,

    /// <summary>The peer could not be reached a moment ago.</summary>
    Unreachable,

    /// <summary>The lane was closed meanwhile; there may be another one.</summary>
    LaneClosed,
}
