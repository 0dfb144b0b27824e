using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Memory;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Yamux;

namespace Drap.Libp2p.Host.Streams;

/// <summary>
/// Performs a yamux session on a link: one loop reads (<see cref="Receiver"/>), and whoever has something to say sends (<see cref="Sender"/>). Both, and the
/// streams' readers and writers, meet here under one lock, which nobody holds while he waits, encrypts or runs what is not ours.
/// </summary>
/// <remarks>
/// Whoever waits on a stream runs on the pool, after the batch of bytes that woke him. The connection counts those that are still to run
/// (<see cref="AwakeCount"/>), since they are likely to have something to send: acknowledgements of streams wait for the last of them, and ride on the answers.
/// </remarks>
internal sealed class Multiplexer
{
    /// <summary>Streams whose opening may wait for room: as many as may be open. More fail at once.</summary>
    private const int OpeningsMax = 1000;

    internal readonly Lock Gate = new();
    internal readonly YamuxSession Session;
    internal readonly PeerMemory Memory;
    internal readonly HostClock Clock;
    internal readonly Deadlines Deadlines;
    private readonly Link link;
    private readonly Sealing sealing;
    private readonly Sender sender;
    private readonly Receiver receiver;

    // Under the lock.
    private readonly Queue<P2pStream> blocked = new();
    private readonly Queue<TaskCompletionSource<P2pStream>> openings = new();
    private P2pStream? awakeFirst;
    private bool closesWhenSent, isClosed, areKeysForgotten;
    private bool isReading = true;

    // Touched from several threads.
    private int awake;

    public Multiplexer(PeerConnection owner, Link link, Sealing sealing, bool isDialer, MultiplexerParts parts)
    {
        Owner = owner;
        this.link = link;
        this.sealing = sealing;
        Deadlines = parts.Deadlines;
        Clock = parts.Clock;
        Memory = parts.Memory;
        sender = new Sender(this, link, sealing, parts.Chunks);
        receiver = new Receiver(this, link, sealing, parts.Chunks);
        BatchTime = UsedAt = Clock.Now;
        Session = new YamuxSession(isDialer, parts.Yamux, BatchTime);
    }

    public PeerConnection Owner { get; }

    /// <summary>When the last bytes came.</summary>
    public Instant BatchTime { get; private set; }

    /// <summary>Whether there is something to send that nobody sends. Under the lock.</summary>
    public bool IsFlushDue => !sender.IsBusy && (sender.Outbox.HasBytes || Session.IsControlUrgent || (Session.HasControl && awake == 0));

    /// <summary>Whether there is anything to send, or the end to be reached. Under the lock.</summary>
    public bool HasToSend => !isClosed && (sender.Outbox.HasBytes || Session.HasControl || blocked.Count > 0 || closesWhenSent);

    /// <summary>Those that were woken and have not run yet.</summary>
    public int AwakeCount => Volatile.Read(ref awake);

    public bool IsClosed => isClosed;

    /// <summary>When a stream was opened or told something last.</summary>
    public Instant UsedAt { get; private set; }

    /// <summary>Opens a stream; waits while the peer takes no more.</summary>
    public ValueTask<P2pStream> OpenAsync(CancellationToken ct)
    {
        TaskCompletionSource<P2pStream> opening;
        lock (Gate)
        {
            if (openings.Count == 0 && TryOpen() is { } stream)
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

    /// <summary>Reads until the connection ends; see <see cref="Receiver.RunAsync"/>.</summary>
    public Task ReadAsync(ReadOnlyMemory<byte> plain, ReadOnlyMemory<byte> sealedBytes) => receiver.RunAsync(plain, sealedBytes);

    /// <summary>Says that no more streams are opened, sends what waits, and closes.</summary>
    public void CloseGracefully()
    {
        lock (Gate)
        {
            Session.GoAway(YamuxGoAway.Normal);
            closesWhenSent = true;
        }
        sender.Flush();
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
            sender.Outbox.Clear();
            blocked.Clear();
            while (openings.TryDequeue(out TaskCompletionSource<P2pStream>? opening))
                opening.TrySetException(new ConnectionClosedException("the connection closed"));
            receiver.Stop();
            Memory.Close();
            ForgetKeys();
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
            sender.Flush();
        return next;
    }

    /// <summary>Asks the peer whether it lives, with less time to answer if that is doubted. Returns when to look again.</summary>
    public Instant Probe(Instant now, bool isDoubted = false)
    {
        Instant next;
        lock (Gate)
        {
            Session.Probe(now, isDoubted);
            next = Session.NextDeadline;
        }
        sender.Flush();
        return next;
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
            receiver.Freed();
        }
        Dispatch(woken);
        if (flushes)
            sender.FlushSoon();
    }

    /// <summary>Sends what waits; see <see cref="Sender.FlushSoon"/>.</summary>
    public void FlushSoon() => sender.FlushSoon();

    /// <summary>One of those that were woken has run.</summary>
    public void Slept()
    {
        if (Interlocked.Decrement(ref awake) == 0)
            sender.Flush();
    }

    /// <summary>Runs those that were woken, on the pool.</summary>
    public static void Dispatch(P2pStream? woken)
    {
        while (woken is not null)
        {
            P2pStream stream = woken;
            woken = stream.NextAwake;
            stream.NextAwake = null;
            ThreadPool.UnsafeQueueUserWorkItem(stream, preferLocal: true);
        }
    }

    /// <summary>Opened bytes of the peer; false if they broke a rule. Whom they concern runs after <see cref="EndBatch"/>.</summary>
    public bool Receive(ReadOnlySpan<byte> bytes, Instant now)
    {
        lock (Gate)
        {
            BatchTime = now;
            return Do(bytes, now);
        }
    }

    /// <summary>
    /// All that has come is done: wakes whom it concerns, and sends what is due. With <paramref name="keepsOne"/> one of those woken is returned, for the
    /// caller to run.
    /// </summary>
    public P2pStream? EndBatch(bool isGood, bool keepsOne)
    {
        P2pStream? kept = null;
        P2pStream? woken;
        bool flushes;
        lock (Gate)
        {
            IsReaderFull = false;
            OpenWaiting();
            woken = TakeAwake();
            flushes = IsFlushDue || (blocked.Count > 0 && !sender.IsBusy);
        }
        if (keepsOne && woken is not null)
        {
            kept = woken;
            woken = kept.NextAwake;
            kept.NextAwake = null;
        }
        Dispatch(woken);
        if (!isGood)
            EndByViolation();
        else if (flushes)
            sender.FlushSoon();
        return kept;
    }

    /// <summary>The sender has nothing more to send.</summary>
    public void AllSent()
    {
        bool closes;
        lock (Gate)
        {
            closes = closesWhenSent && !isClosed && !sender.IsSending;
            ForgetKeys();
        }
        if (closes)
            Close(CloseReason.ClosedHere, null);
    }

    /// <summary>The loop that reads is through.</summary>
    public void ReadingEnded()
    {
        lock (Gate)
        {
            isReading = false;
            ForgetKeys();
        }
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

    /// <summary>Puts what waits into what goes out: what writers have left, then frames without payload; returns whom that woke.</summary>
    public P2pStream? Fill()
    {
        Refill();
        WriteControl();
        return TakeAwake();
    }

    /// <summary>Bytes were read or dropped: the loop may read on.</summary>
    public void Freed() => receiver.Freed();

    /// <summary>Resets the stream of which most was not read; false if there is none.</summary>
    public bool TryResetLargest()
    {
        P2pStream? largest = Session.Streams.Select(s => (P2pStream?)s.Owner).Where(s => s is { UnreadBytes: > 0 }).MaxBy(s => s!.UnreadBytes);
        if (largest is null)
            return false;
        Session.Reset(largest.Yamux);
        largest.Over(StreamEnd.ResetHere);
        return true;
    }

    /// <summary>The stream has more to write than there is room or credit for.</summary>
    public void Block(P2pStream stream)
    {
        if (stream.IsBlocked || stream.Yamux.SendWindow == 0)
            return;
        stream.IsBlocked = true;
        blocked.Enqueue(stream);
    }

    /// <summary>Whether more bytes for those who were woken help nobody: one of them has all that it asked for. Until the next <see cref="EndBatch"/>.</summary>
    public bool IsReaderFull { get; set; }

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
            Span<byte> free = sender.Outbox.Room(YamuxHeader.Bytes + Math.Min(wanted, 512));
            if (free.IsEmpty)
                break;
            int length = Math.Min(wanted, free.Length - YamuxHeader.Bytes);
            Session.BeginData(stream.Yamux, length, free);
            bytes.Slice(done, length).CopyTo(free[YamuxHeader.Bytes..]);
            sender.Outbox.Commit(YamuxHeader.Bytes + length);
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
            Span<byte> free = sender.Outbox.Room(YamuxHeader.Bytes);
            if (free.IsEmpty)
                return;
            sender.Outbox.Commit(Session.WriteControl(free, now));
        }
    }

    private void OpenWaiting()
    {
        if (Session.RemoteGoAway is not null || Session.IsGoingAway)
        {
            while (openings.TryDequeue(out TaskCompletionSource<P2pStream>? refused))
                refused.TrySetException(new ConnectionClosedException("the connection is about to be closed"));
        }
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

    private bool Do(ReadOnlySpan<byte> bytes, Instant now)
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

    // The keys are in use while the loop reads and while somebody sends.
    private void ForgetKeys()
    {
        if (!isClosed || isReading || sender.IsSending || areKeysForgotten)
            return;
        areKeysForgotten = true;
        sealing.Dispose();
    }

    // What follows takes the lock itself.

    private void EndByViolation()
    {
        YamuxViolation violation = Session.Violation;
        var failure = new Libp2pException(
            violation == YamuxViolation.None ? "what came was not what the peer encrypted" : $"the peer broke a rule of yamux: {violation}");
        Owner.Broke(failure);
        // The last word, if it can be said at once.
        if (violation != YamuxViolation.None)
            sender.Flush();
        Close(CloseReason.Violation, failure);
    }

    private static async Task<P2pStream> WaitForOpening(TaskCompletionSource<P2pStream> opening, CancellationToken ct)
    {
        await using (ct.UnsafeRegister(static (source, token) => ((TaskCompletionSource<P2pStream>)source!).TrySetCanceled(token), opening).ConfigureAwait(false))
            return await opening.Task.ConfigureAwait(false);
    }
}

/// <summary>What a host shares with each of its multiplexers.</summary>
internal sealed record MultiplexerParts(HostClock Clock, Deadlines Deadlines, ChunkPool Chunks, PeerMemory Memory, YamuxOptions Yamux);
