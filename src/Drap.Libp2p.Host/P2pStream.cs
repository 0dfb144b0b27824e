using Drap.Libp2p.Host.Memory;
using Drap.Libp2p.Host.Streams;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Yamux;

namespace Drap.Libp2p.Host;

/// <summary>
/// A stream to a peer: bytes both ways, each half closed for itself. One read and one write may be under way at a time; reads and writes
/// may be on different threads. A stream that was opened must be ended: read to its end and <see cref="CloseWriteAsync"/>, or
/// <see cref="Reset"/>, or <see cref="Dispose"/>; a handler's stream is ended when the handler's task ends.
/// </summary>
public sealed class P2pStream : IDisposable, IThreadPoolWorkItem
{
    private readonly Multiplexer mux;
    private readonly YamuxStream yamux;
    private PendingRead? reader;
    private PendingWrite? writer;
    private CallAt? linger;
    private Inbox inbox;
    private byte[]? expected;
    private int expectedAt;
    private bool isRemoteClosed, isDiscarding;

    internal P2pStream(Multiplexer mux, YamuxStream yamux)
    {
        this.mux = mux;
        this.yamux = yamux;
        yamux.Owner = this;
    }

    /// <summary>Who is at the other end: the peer whose key the connection proved.</summary>
    public PeerId Remote => mux.Owner.Remote;

    /// <summary>The connection that carries it.</summary>
    public PeerConnection Connection => mux.Owner;

    /// <summary>The protocol that both sides agreed on. Where it was taken for granted, the first read says whether the peer does speak it.</summary>
    public string Protocol { get; internal set; } = "";

    /// <summary>Whether the peer opened it.</summary>
    public bool IsInbound => yamux.IsInbound;

    /// <summary>Its number in its connection.</summary>
    public uint Id => yamux.Id;

    /// <summary>
    /// Reads what has come, at least one byte; 0 at the end of what the peer writes. With an empty buffer it waits until there is something to
    /// read or the end. A cancelled read has taken nothing.
    /// </summary>
    /// <exception cref="StreamResetException">The stream or its connection has ended.</exception>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken ct = default)
    {
        if (ct.IsCancellationRequested)
            return ValueTask.FromCanceled<int>(ct);
        ValueTask<int> read;
        bool waits = false, flushes;
        lock (mux.Gate)
        {
            if (reader is { IsWaiting: true })
                throw new InvalidOperationException("a read of this stream is under way");
            if (inbox.Length > 0)
            {
                read = new ValueTask<int>(Take(buffer.Span));
            }
            else if (isRemoteClosed && End is StreamEnd.None or StreamEnd.ConnectionClosed)
            {
                return new ValueTask<int>(0);
            }
            else if (End != StreamEnd.None)
            {
                return ValueTask.FromException<int>(new StreamResetException(End, Connection));
            }
            else
            {
                // Whoever waits for an answer has said what he has to say, the protocol's name included.
                mux.SendPrelude(this);
                if (!IsInbound)
                    mux.Session.Announce(yamux);
                reader ??= new PendingRead(this);
                read = reader.Begin(buffer, ct);
                waits = true;
            }
            flushes = mux.IsFlushDue;
        }
        if (flushes)
            mux.FlushSoon();
        if (waits)
            reader!.CancelByToken();
        return read;
    }

    /// <summary>
    /// Writes all of it; done when the last byte has its place in what goes out, so that the buffer may be used again. Waits while the peer or the
    /// connection takes no more. A cancelled write may have written a part: reset the stream then.
    /// </summary>
    /// <exception cref="StreamResetException">The stream or its connection has ended.</exception>
    public ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default) => WriteAsync(bytes, closes: false, ct);

    /// <summary>As <see cref="WriteAsync(ReadOnlyMemory{byte}, CancellationToken)"/>, and then closes the write half, in the same frame as a rule.</summary>
    public ValueTask WriteAndCloseAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default) => WriteAsync(bytes, closes: true, ct);

    /// <summary>Says that this side writes no more; the peer reads to the end of what was written. Done when it has its place in what goes out.</summary>
    /// <exception cref="StreamResetException">The stream or its connection has ended.</exception>
    public ValueTask CloseWriteAsync() => yamux.IsLocalClosed ? ValueTask.CompletedTask : WriteAsync(default, closes: true, default);

    /// <summary>Ends the stream both ways, at once; what is under way is lost, and the peer is told. Nothing happens if it has ended.</summary>
    public void Reset()
    {
        lock (mux.Gate)
        {
            if (End != StreamEnd.None || (isRemoteClosed && yamux.IsLocalClosed))
                return;
            // Who opened it learns that the protocol is spoken here: the reset is the handler's word, not that of the negotiation.
            if (IsInbound)
                mux.SendPrelude(this);
            mux.Session.Reset(yamux);
            Over(StreamEnd.ResetHere);
        }
        mux.Settle();
    }

    /// <summary>Resets the stream unless both sides have closed it, and gives back what was not read.</summary>
    public void Dispose()
    {
        Reset();
        lock (mux.Gate)
            inbox.Clear(mux.Memory);
    }

    /// <summary>The peer and the protocol.</summary>
    public override string ToString() => $"{Protocol} {(IsInbound ? "from" : "to")} {Remote.Short}";

    // What follows belongs to the connection's lock, but for what says otherwise.

    /// <summary>Why it ended before both sides had closed it.</summary>
    internal StreamEnd End { get; private set; }

    internal YamuxStream Yamux => yamux;

    internal PendingWrite? Writer => writer;

    /// <summary>What goes out before the first bytes of the user: our word in the negotiation of the protocol.</summary>
    internal ReadOnlyMemory<byte> Prelude;

    // The multiplexer's lists.
    internal P2pStream? NextAwake;
    internal bool IsAwake, IsBlocked, IsServed;

    /// <summary>The peer's answer in a negotiation that was taken for granted: it is taken off the front of what comes.</summary>
    internal void Expect(byte[] answer) => expected = answer;

    /// <summary>Bytes came.</summary>
    internal void Deliver(ReadOnlySpan<byte> bytes)
    {
        int came = bytes.Length;
        if (expected is not null && !TryTakeExpected(ref bytes))
            return;
        if (isDiscarding)
            bytes = default;
        if (!bytes.IsEmpty && reader is { IsWaiting: true } waiting && inbox.Length == 0)
        {
            // Straight to whom it is for; more frames of the same batch may add to it.
            int taken = Math.Min(bytes.Length, waiting.Buffer.Length - waiting.Filled);
            bytes[..taken].CopyTo(waiting.Buffer.Span[waiting.Filled..]);
            waiting.Filled += taken;
            bytes = bytes[taken..];
            mux.IsReaderFull |= taken > 0 && waiting.Filled == waiting.Buffer.Length;
            mux.Wake(this);
        }
        if (came > bytes.Length)
            mux.Session.Consumed(yamux, came - bytes.Length, mux.BatchTime);
        if (!bytes.IsEmpty)
            inbox.Add(bytes, mux.Memory);
    }

    /// <summary>The peer writes no more.</summary>
    internal void RemoteClosed()
    {
        isRemoteClosed = true;
        EndLinger();
        if (expected is not null)
        {
            expected = null;
            End = StreamEnd.ProtocolRefused;
            mux.Session.Reset(yamux);
        }
        if (reader is { IsWaiting: true })
            mux.Wake(this);
    }

    /// <summary>It has ended at once.</summary>
    internal void Over(StreamEnd end)
    {
        if (End == StreamEnd.None)
            End = expected is not null && end == StreamEnd.ResetByPeer ? StreamEnd.ProtocolRefused : end;
        Prelude = default;
        EndLinger();
        // What the peer had finished saying when the connection closed is whole, and may still be read.
        if (!isRemoteClosed || end != StreamEnd.ConnectionClosed)
            inbox.Clear(mux.Memory);
        if (reader is { IsWaiting: true } || writer is { IsWaiting: true })
            mux.Wake(this);
    }

    /// <summary>How much was not read.</summary>
    internal int UnreadBytes => inbox.Length;

    /// <summary>Looks at the first bytes that were not read, and takes as many as <paramref name="look"/> says; takes the lock itself.</summary>
    internal void Peek<T>(T state, Look<T> look)
    {
        lock (mux.Gate)
        {
            while (inbox.Length > 0)
            {
                int held = inbox.Front.Length;
                int taken = look(state, inbox.Front);
                inbox.Skip(taken, mux.Memory);
                if (taken > 0)
                    mux.Session.Consumed(yamux, taken, mux.BatchTime);
                if (taken < held)
                    return;
            }
        }
    }

    /// <summary>Looks at bytes and says how many of them it takes.</summary>
    internal delegate int Look<in T>(T state, ReadOnlySpan<byte> bytes);

    /// <summary>Whether the peer has closed or ended it; takes the lock itself.</summary>
    internal bool IsAtEnd
    {
        get
        {
            lock (mux.Gate)
                return inbox.Length == 0 && (isRemoteClosed || End != StreamEnd.None);
        }
    }

    /// <summary>Says our word in the negotiation, unless it was said with data. Takes the lock itself.</summary>
    internal void SendAnswer()
    {
        bool flushes;
        lock (mux.Gate)
        {
            if (Prelude.IsEmpty || End != StreamEnd.None)
                return;
            mux.SendPrelude(this);
            flushes = mux.IsFlushDue;
        }
        if (flushes)
            mux.FlushSoon();
    }

    /// <summary>Nobody will read or write it any more: closes it, and resets it at <paramref name="patience"/> if the peer has not ended its half. Takes the lock itself.</summary>
    internal void Abandon(Instant patience)
    {
        lock (mux.Gate)
        {
            if (End != StreamEnd.None)
                return;
            mux.SendPrelude(this);
            mux.Session.CloseWrite(yamux);
            isDiscarding = true;
            int dropped = inbox.Clear(mux.Memory);
            if (dropped > 0)
                mux.Session.Consumed(yamux, dropped, mux.BatchTime);
            if (!isRemoteClosed)
                mux.Deadlines.Set(linger = new CallAt(Reset), patience);
        }
        mux.Settle();
    }

    internal void CancelRead()
    {
        lock (mux.Gate)
        {
            // What came before the cancellation is not lost: the read then succeeds.
            if (reader is not { IsWaiting: true })
                return;
            reader.IsCancelled = true;
            mux.Wake(this);
        }
        mux.Settle();
    }

    internal void CancelWrite()
    {
        lock (mux.Gate)
        {
            if (writer is not { IsWaiting: true })
                return;
            writer.IsCancelled = true;
            mux.Wake(this);
        }
        mux.Settle();
    }

    /// <summary>Runs whoever waited, on the pool, and sends what they had to say meanwhile.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        bool reads, writes, serves;
        Exception? readFailure = null, writeFailure = null;
        lock (mux.Gate)
        {
            IsAwake = false;
            serves = IsServed;
            IsServed = false;
            reads = reader is { IsWaiting: true } && IsReadOver(reader, out readFailure);
            if (reads)
                reader!.IsWaiting = false;
            writes = writer is { IsWaiting: true } && IsWriteOver(writer, out writeFailure);
            if (writes)
                writer!.IsWaiting = false;
        }
        if (serves)
            mux.Owner.Serve(this);
        if (reads)
            reader!.Finish(readFailure);
        if (writes)
            writer!.Finish(writeFailure);
        mux.Slept();
    }

    private bool IsReadOver(PendingRead read, out Exception? failure)
    {
        failure = null;
        if (read.Filled > 0)
            return true;
        if (End != StreamEnd.None && !(isRemoteClosed && End == StreamEnd.ConnectionClosed))
            failure = new StreamResetException(End, Connection);
        else if (read.IsCancelled)
            failure = new OperationCanceledException(read.Token);
        else
            return isRemoteClosed || (read.Buffer.IsEmpty && inbox.Length > 0);
        return true;
    }

    private bool IsWriteOver(PendingWrite write, out Exception? failure)
    {
        failure = null;
        if (write.Rest.IsEmpty && !write.ClosesAfter)
            return true;
        if (End != StreamEnd.None)
            failure = new StreamResetException(End, Connection);
        else if (write.IsCancelled)
            failure = new OperationCanceledException(write.Token);
        return failure is not null;
    }

    private void EndLinger()
    {
        if (linger is null)
            return;
        mux.Deadlines.Clear(linger);
        linger = null;
    }

    private int Take(Span<byte> destination)
    {
        int read = inbox.Read(destination, mux.Memory);
        if (read > 0)
            mux.Session.Consumed(yamux, read, mux.Clock.Now);
        mux.Freed();
        return read;
    }

    private ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, bool closes, CancellationToken ct)
    {
        if (ct.IsCancellationRequested)
            return ValueTask.FromCanceled(ct);
        ValueTask written = ValueTask.CompletedTask;
        bool waits = false, flushes;
        lock (mux.Gate)
        {
            if (writer is { IsWaiting: true })
                throw new InvalidOperationException("a write to this stream is under way");
            if (End != StreamEnd.None)
                return ValueTask.FromException(new StreamResetException(End, Connection));
            if (yamux.IsLocalClosed)
                throw new InvalidOperationException("this side has closed the stream for writing");
            int taken = mux.Append(this, bytes.Span);
            if (taken == bytes.Length && Prelude.IsEmpty && !yamux.IsReset)
            {
                if (closes)
                    mux.Session.CloseWrite(yamux);
            }
            else
            {
                writer ??= new PendingWrite(this);
                written = writer.Begin(bytes[taken..], closes, ct);
                mux.Block(this);
                waits = true;
            }
            flushes = mux.IsFlushDue;
        }
        if (flushes)
            mux.FlushSoon();
        if (waits)
            writer!.CancelByToken();
        return written;
    }

    private bool TryTakeExpected(ref ReadOnlySpan<byte> bytes)
    {
        int compared = Math.Min(bytes.Length, expected!.Length - expectedAt);
        if (!bytes[..compared].SequenceEqual(expected.AsSpan(expectedAt, compared)))
        {
            expected = null;
            mux.Session.Reset(yamux);
            Over(StreamEnd.ProtocolRefused);
            return false;
        }
        bytes = bytes[compared..];
        expectedAt += compared;
        if (expectedAt == expected.Length)
            expected = null;
        return true;
    }
}
