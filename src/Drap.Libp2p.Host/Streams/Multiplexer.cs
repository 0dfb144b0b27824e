using System.Runtime.CompilerServices;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Memory;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Noise;
using Drap.Libp2p.Yamux;

namespace Drap.Libp2p.Host.Streams;

/// <summary>
/// Performs a yamux session on a link: one loop reads, and whoever has something to say sends, also what others have to say meanwhile. No
/// thread and no task of its own but the loop's, and no buffer while nothing comes or goes.
/// </summary>
/// <remarks>
/// When is sent. A writer on a quiet connection sends at once, on its own thread. While others that this connection's last bytes have
/// woken are still to run (<see cref="awake"/>), their answers are likely to come, too: then sending is put behind them in the pool's queue, so that
/// many answers go out in one frame. Acknowledgements of streams alone wait until the last of them has run, since they ride on the answers.
/// </remarks>
internal sealed class Multiplexer : IThreadPoolWorkItem
{
    /// <summary>How long reading stands still for a peer that has all the memory it can have, before the streams that hold most of it are reset.</summary>
    private static readonly TimeSpan PatienceWithReaders = TimeSpan.FromSeconds(5);

    /// <summary>Frames that one thread sends in a row before it gives the rest to the pool: a writer is not to send for others for ever.</summary>
    private const int FramesInARow = 8;

    /// <summary>Streams whose opening may wait for room: as many as may be open. More fail at once.</summary>
    private const int OpeningsMax = 1000;

    internal readonly Lock Gate = new();
    internal readonly YamuxSession Session;
    internal readonly PeerMemory Memory;
    internal readonly HostClock Clock;
    internal readonly Deadlines Deadlines;
    private readonly Link link;
    private readonly Sealing sealing;
    private readonly ChunkPool chunks;
    private readonly Outbox outbox;
    private readonly Action sent;

    // Under the lock.
    private readonly Queue<P2pStream> blocked = new();
    private readonly Queue<TaskCompletionSource<P2pStream>> openings = new();
    private P2pStream? awakeFirst;
    private bool isFlushing, isHandedOver, isFlushQueued, closesWhenSent, isClosed;
    private bool isReading = true;
    private TaskCompletionSource? room;

    // Owned by the thread that sends.
    private byte[]? sending;
    private ConfiguredValueTaskAwaitable.ConfiguredValueTaskAwaiter sendingAwaiter;

    // Touched from several threads.
    private int awake;

    public Multiplexer(PeerConnection owner, Link link, Sealing sealing, bool isDialer, MultiplexerParts parts)
    {
        Owner = owner;
        this.link = link;
        this.sealing = sealing;
        chunks = parts.Chunks;
        Deadlines = parts.Deadlines;
        Clock = parts.Clock;
        Memory = parts.Memory;
        outbox = new Outbox(chunks, sealing);
        sent = Sent;
        BatchTime = UsedAt = Clock.Now;
        Session = new YamuxSession(isDialer, parts.Yamux, BatchTime);
    }

    public PeerConnection Owner { get; }

    /// <summary>When the last bytes came.</summary>
    public Instant BatchTime { get; private set; }

    /// <summary>Whether there is something to send that nobody sends. Under the lock.</summary>
    public bool IsFlushDue => !isFlushing && !isFlushQueued && (outbox.HasBytes || Session.IsControlUrgent || (Session.HasControl && awake == 0));

    public bool IsClosed => isClosed;

    /// <summary>When a stream was opened or told something last.</summary>
    public Instant UsedAt { get; private set; }

    /// <summary>Opens a stream; waits while the peer takes no more.</summary>
    public ValueTask<P2pStream> OpenAsync(CancellationToken ct)
    {
        TaskCompletionSource<P2pStream> opening;
        lock (Gate)
        {
            if (TryOpen() is { } stream)
                return new ValueTask<P2pStream>(stream);
            if (isClosed || Session.IsGoingAway || Session.RemoteGoAway is not null)
                return ValueTask.FromException<P2pStream>(new ConnectionClosedException("the connection is closed or about to be"));
            if (openings.Count >= OpeningsMax)
                return ValueTask.FromException<P2pStream>(new Libp2pException("too many streams wait for being opened"));
            opening = new TaskCompletionSource<P2pStream>(TaskCreationOptions.RunContinuationsAsynchronously);
            openings.Enqueue(opening);
        }
        return new ValueTask<P2pStream>(WaitForOpening(opening, ct));
    }

    /// <summary>Reads until the link ends or the peer breaks a rule; the loop of the connection.</summary>
    /// <param name="plain">What was received behind the handshake and opened.</param>
    /// <param name="sealedBytes">What was received behind that, still sealed.</param>
    public async Task ReadAsync(ReadOnlyMemory<byte> plain, ReadOnlyMemory<byte> sealedBytes)
    {
        byte[]? buffer = null;
        try
        {
            int start = 0, end = sealedBytes.Length;
            bool mayHaveMore = true;
            if (!plain.IsEmpty)
                TakePlain(plain.Span);
            if (end > 0)
            {
                buffer = chunks.Rent();
                sealedBytes.CopyTo(buffer);
                start = Open(buffer, 0, end);
            }
            while (!isClosed)
            {
                if (Memory.IsOver)
                    await WaitForReadersAsync().ConfigureAwait(false);
                if (start == end && !mayHaveMore && buffer is not null)
                {
                    chunks.Return(buffer);
                    buffer = null;
                }
                else if (start > 0)
                {
                    buffer.AsSpan(start, end - start).CopyTo(buffer);
                }
                end -= start;
                start = 0;
                if (!mayHaveMore)
                    await link.WaitAsync().ConfigureAwait(false);
                buffer ??= chunks.Rent();
                int wanted = buffer.Length - end;
                int received = await link.ReceiveAsync(buffer.AsMemory(end)).ConfigureAwait(false);
                mayHaveMore = received == wanted;
                if (received == 0)
                {
                    Close(CloseReason.ClosedByPeer, null);
                    return;
                }
                if (received < 0)
                    continue;
                end += received;
                start = Open(buffer, 0, end);
            }
        }
        catch (Exception failure)
        {
            Close(CloseReason.Failed, failure);
        }
        finally
        {
            if (buffer is not null)
                chunks.Return(buffer);
            lock (Gate)
            {
                isReading = false;
                ForgetKeysIfUnused();
            }
        }
    }

    /// <summary>Says that no more streams are opened, sends what waits, and closes.</summary>
    public void CloseGracefully()
    {
        lock (Gate)
        {
            Session.GoAway(YamuxGoAway.Normal);
            closesWhenSent = true;
        }
        Flush();
    }

    /// <summary>Closes at once; every stream ends with it.</summary>
    public void Close(CloseReason reason, Exception? failure)
    {
        P2pStream? woken;
        lock (Gate)
        {
            if (isClosed)
                return;
            isClosed = true;
            foreach (YamuxStream stream in Session.Streams)
                ((P2pStream?)stream.Owner)?.Over(StreamEnd.ConnectionClosed);
            Session.Abort(YamuxGoAway.InternalError);
            outbox.Clear();
            blocked.Clear();
            while (openings.TryDequeue(out TaskCompletionSource<P2pStream>? opening))
                opening.TrySetException(new ConnectionClosedException("the connection closed"));
            room?.TrySetResult();
            Memory.Close();
            ForgetKeysIfUnused();
            woken = TakeAwake();
        }
        link.Close();
        Dispatch(woken);
        Owner.Ended(reason, failure);
    }

    /// <summary>The time of a deadline has come: asks a silent peer whether it lives. Returns when to look again.</summary>
    public Instant Advance(Instant now)
    {
        bool isGone;
        Instant next;
        lock (Gate)
        {
            isGone = !Session.Advance(now);
            next = Session.NextDeadline;
        }
        if (isGone)
            Close(CloseReason.PeerSilent, null);
        else
            Flush();
        return next;
    }

    /// <summary>Asks the peer whether it lives.</summary>
    public void Probe(Instant now)
    {
        lock (Gate)
            Session.Probe(now);
        Flush();
    }

    /// <summary>After something was done under the lock: wakes whom it concerns, and sends what is due.</summary>
    public void Settle()
    {
        P2pStream? woken;
        bool flushes;
        lock (Gate)
        {
            OpenWaiting();
            woken = TakeAwake();
            flushes = IsFlushDue;
            if (room is not null && !Memory.IsOver)
                room.TrySetResult();
        }
        Dispatch(woken);
        if (flushes)
            FlushSoon();
    }

    /// <summary>Sends what waits: here and now, or behind those who are about to have more to say.</summary>
    public void FlushSoon()
    {
        if (Volatile.Read(ref awake) <= 1)
        {
            Flush();
            return;
        }
        lock (Gate)
        {
            if (isFlushing || isFlushQueued)
                return;
            isFlushQueued = true;
        }
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>One of those that were woken has run.</summary>
    public void Slept()
    {
        if (Interlocked.Decrement(ref awake) == 0)
            Flush();
    }

    /// <summary>The pool's turn to send.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        bool goesOn;
        lock (Gate)
        {
            goesOn = isHandedOver;
            if (goesOn)
                isHandedOver = false;
            else
                isFlushQueued = false;
        }
        if (goesOn)
            Send();
        else
            Flush();
    }

    // The rest, up to the next such line, is under the lock.

    /// <summary>Puts what it can of a stream's bytes into what goes out; returns how many.</summary>
    public int Append(P2pStream stream, ReadOnlySpan<byte> bytes)
    {
        if (!stream.Prelude.IsEmpty)
        {
            stream.Prelude = stream.Prelude[Frame(stream, stream.Prelude.Span)..];
            if (!stream.Prelude.IsEmpty)
                return 0;
        }
        return bytes.IsEmpty ? 0 : Frame(stream, bytes);
    }

    /// <summary>Says our word in the negotiation, if it was not said with data.</summary>
    public void SendPrelude(P2pStream stream)
    {
        if (stream.Prelude.IsEmpty || stream.Yamux.IsLocalClosed)
            return;
        Append(stream, default);
        if (!stream.Prelude.IsEmpty)
            Block(stream);
    }

    /// <summary>The stream has more to write than there is room or credit for.</summary>
    public void Block(P2pStream stream)
    {
        if (stream.IsBlocked || stream.Yamux.SendWindow == 0)
            return;
        stream.IsBlocked = true;
        blocked.Enqueue(stream);
    }

    /// <summary>Whoever waits on the stream is to run.</summary>
    public void Wake(P2pStream stream)
    {
        if (stream.IsAwake)
            return;
        stream.IsAwake = true;
        stream.NextAwake = awakeFirst;
        awakeFirst = stream;
    }

    private int Frame(P2pStream stream, ReadOnlySpan<byte> bytes)
    {
        int done = 0;
        while (done < bytes.Length && stream.Yamux is { SendWindow: > 0, IsReset: false })
        {
            int wanted = (int)Math.Min(bytes.Length - done, stream.Yamux.SendWindow);
            // A frame's rest that is too small for a header and some payload stays empty.
            Span<byte> free = outbox.Room(YamuxHeader.Bytes + Math.Min(wanted, 512));
            if (free.IsEmpty)
                break;
            int length = Math.Min(wanted, free.Length - YamuxHeader.Bytes);
            Session.BeginData(stream.Yamux, length, free);
            bytes.Slice(done, length).CopyTo(free[YamuxHeader.Bytes..]);
            outbox.Commit(YamuxHeader.Bytes + length);
            done += length;
        }
        return done;
    }

    private void Refill()
    {
        if (Session.HasEnded)
            return;
        for (int turns = blocked.Count; turns > 0; turns--)
        {
            P2pStream stream = blocked.Dequeue();
            stream.IsBlocked = false;
            if (stream.End != StreamEnd.None)
                continue;
            PendingWrite? write = stream.Writer is { IsWaiting: true, IsCancelled: false } waiting ? waiting : null;
            int taken = Append(stream, write is null ? default : write.Rest.Span);
            if (write is not null)
            {
                write.Rest = write.Rest[taken..];
                if (write.Rest.IsEmpty && stream.Prelude.IsEmpty)
                {
                    if (write.ClosesAfter)
                        Session.CloseWrite(stream.Yamux);
                    write.ClosesAfter = false;
                    Wake(stream);
                    continue;
                }
            }
            if (!stream.Prelude.IsEmpty || write is not null)
            {
                // In turn: the next time the others come first.
                Block(stream);
                if (stream.IsBlocked)
                    return;
            }
        }
    }

    private void WriteControl()
    {
        Instant now = Session.HasControl ? Clock.Now : default;
        while (Session.HasControl)
        {
            Span<byte> free = outbox.Room(YamuxHeader.Bytes);
            if (free.IsEmpty)
                return;
            outbox.Commit(Session.WriteControl(free, now));
        }
    }

    private void OpenWaiting()
    {
        while (openings.Count > 0 && Session.CanOpen)
        {
            TaskCompletionSource<P2pStream> opening = openings.Dequeue();
            if (opening.Task.IsCompleted)
                continue;
            P2pStream stream = TryOpen()!;
            if (!opening.TrySetResult(stream))
                Session.Reset(stream.Yamux);
        }
    }

    private P2pStream? TryOpen()
    {
        if (isClosed || Session.TryOpen() is not { } stream)
            return null;
        UsedAt = BatchTime;
        return new P2pStream(this, stream);
    }

    private P2pStream? TakeAwake()
    {
        P2pStream? woken = awakeFirst;
        awakeFirst = null;
        for (P2pStream? stream = woken; stream is not null; stream = stream.NextAwake)
            Interlocked.Increment(ref awake);
        return woken;
    }

    // What follows takes the lock itself.

    private static void Dispatch(P2pStream? woken)
    {
        while (woken is not null)
        {
            P2pStream stream = woken;
            woken = stream.NextAwake;
            stream.NextAwake = null;
            ThreadPool.UnsafeQueueUserWorkItem(stream, preferLocal: true);
        }
    }

    /// <summary>Opens the whole frames in the buffer and does what they say; returns where the rest begins.</summary>
    private int Open(byte[] buffer, int start, int end)
    {
        bool isBroken = false;
        Instant now = Clock.Now;
        while (start < end && !isBroken)
        {
            NoiseFrameStatus status = sealing.Open(buffer.AsSpan(start, end - start), out int consumed, out Span<byte> plain);
            if (status == NoiseFrameStatus.Incomplete)
                break;
            isBroken = status == NoiseFrameStatus.Broken;
            start += consumed;
            if (!isBroken)
            {
                lock (Gate)
                {
                    BatchTime = now;
                    isBroken = !Receive(plain, now);
                }
            }
        }
        EndBatch(isBroken);
        return start;
    }

    private void TakePlain(ReadOnlySpan<byte> bytes)
    {
        bool isBroken;
        lock (Gate)
            isBroken = !Receive(bytes, BatchTime);
        EndBatch(isBroken);
    }

    private void EndBatch(bool isBroken)
    {
        P2pStream? woken;
        bool flushes;
        lock (Gate)
        {
            OpenWaiting();
            woken = TakeAwake();
            flushes = IsFlushDue || (blocked.Count > 0 && !isFlushing && !isFlushQueued);
        }
        Dispatch(woken);
        if (isBroken)
            EndByViolation();
        else if (flushes)
            FlushSoon();
    }

    private bool Receive(ReadOnlySpan<byte> bytes, Instant now)
    {
        while (Session.Receive(ref bytes, now, out YamuxEvent happened))
        {
            UsedAt = now;
            var stream = (P2pStream?)happened.Stream?.Owner;
            switch (happened.Kind)
            {
                case YamuxEventKind.Opened:
                    stream = new P2pStream(this, happened.Stream!) { IsServed = true };
                    Wake(stream);
                    break;
                case YamuxEventKind.Data:
                    stream!.Deliver(happened.Data);
                    break;
                case YamuxEventKind.RemoteClosed:
                    stream!.RemoteClosed();
                    break;
                case YamuxEventKind.Reset:
                    stream!.Over(StreamEnd.ResetByPeer);
                    break;
                case YamuxEventKind.Writable:
                    if (!stream!.Prelude.IsEmpty || stream.Writer is { IsWaiting: true })
                        Block(stream);
                    break;
                case YamuxEventKind.GoAway:
                    Owner.PeerGoesAway();
                    break;
                case YamuxEventKind.Ended:
                    return false;
                default:
                    break;
            }
        }
        return true;
    }

    private void EndByViolation()
    {
        YamuxViolation violation = Session.Violation;
        var failure = new Libp2pException(
            violation == YamuxViolation.None ? "what came was not what the peer encrypted" : $"the peer broke a rule of yamux: {violation}");
        Owner.Broke(failure);
        // The last word, if it can be said at once.
        if (violation != YamuxViolation.None)
            Flush();
        Close(CloseReason.Violation, failure);
    }

    private void Flush()
    {
        lock (Gate)
        {
            if (isFlushing || isClosed || !(outbox.HasBytes || Session.HasControl || blocked.Count > 0 || closesWhenSent))
                return;
            isFlushing = true;
        }
        Send();
    }

    // Only by whoever set isFlushing.
    private void Send()
    {
        for (int frames = 0; ; frames++)
        {
            byte[] frame;
            int plain;
            bool closes;
            P2pStream? woken;
            lock (Gate)
            {
                Refill();
                WriteControl();
                frame = outbox.Take(out plain);
                isFlushing = frame.Length > 0;
                closes = !isFlushing && closesWhenSent && !isClosed;
                woken = TakeAwake();
                if (!isFlushing)
                    ForgetKeysIfUnused();
            }
            Dispatch(woken);
            if (frame.Length == 0)
            {
                if (closes)
                    Close(CloseReason.ClosedHere, null);
                return;
            }
            sending = frame;
            // Waited for by a callback that is made once: each frame would else cost a task.
#pragma warning disable CA2012 // consumed once, in TryEndSend
            sendingAwaiter = SealAndSend(frame, plain).ConfigureAwait(false).GetAwaiter();
#pragma warning restore CA2012
            if (!sendingAwaiter.IsCompleted)
            {
                sendingAwaiter.UnsafeOnCompleted(sent);
                return;
            }
            if (!TryEndSend())
                return;
            if (frames == FramesInARow)
            {
                lock (Gate)
                    isHandedOver = true;
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                return;
            }
        }
    }

    private ValueTask SealAndSend(byte[] frame, int plain)
    {
        int length = sealing.Seal(frame, plain);
        if (length == 0)
            return ValueTask.FromException(new Libp2pException("the connection's keys are used up"));
        try
        {
            return link.SendAsync(frame.AsMemory(0, length));
        }
        catch (Exception failure)
        {
            return ValueTask.FromException(failure);
        }
    }

    private void Sent()
    {
        if (TryEndSend())
            Send();
    }

    private bool TryEndSend()
    {
        chunks.Return(sending!);
        sending = null;
        try
        {
            sendingAwaiter.GetResult();
            return true;
        }
        catch (Exception failure)
        {
            Close(CloseReason.Failed, failure);
            lock (Gate)
            {
                isFlushing = false;
                ForgetKeysIfUnused();
            }
            return false;
        }
    }

    // The keys are in use while the loop reads and while somebody sends.
    private void ForgetKeysIfUnused()
    {
        if (isClosed && !isReading && !isFlushing)
            sealing.Dispose();
    }

    private static async Task<P2pStream> WaitForOpening(TaskCompletionSource<P2pStream> opening, CancellationToken ct)
    {
        await using (ct.UnsafeRegister(static (source, token) => ((TaskCompletionSource<P2pStream>)source!).TrySetCanceled(token), opening).ConfigureAwait(false))
            return await opening.Task.ConfigureAwait(false);
    }

    private async Task WaitForReadersAsync()
    {
        Instant until = Clock.Now + PatienceWithReaders;
        var look = new CallAt(() => room?.TrySetResult());
        while (true)
        {
            Task wait;
            lock (Gate)
            {
                Memory.Borrow();
                if (isClosed || !Memory.IsOver)
                {
                    room = null;
                    return;
                }
                if (Clock.Now >= until && Largest() is { } largest)
                {
                    Session.Reset(largest.Yamux);
                    largest.Over(StreamEnd.ResetHere);
                    continue;
                }
                room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                wait = room.Task;
            }
            Settle();
            // Others may give memory back, of which nobody tells.
            Deadlines.Set(look, Clock.Now + TimeSpan.FromMilliseconds(250));
            await wait.ConfigureAwait(false);
            Deadlines.Clear(look);
        }
    }

    private P2pStream? Largest() =>
        Session.Streams.Select(s => (P2pStream?)s.Owner).Where(s => s is { UnreadBytes: > 0 }).MaxBy(s => s!.UnreadBytes);
}

/// <summary>What a host shares with each of its multiplexers.</summary>
internal sealed record MultiplexerParts(HostClock Clock, Deadlines Deadlines, ChunkPool Chunks, PeerMemory Memory, YamuxOptions Yamux);
