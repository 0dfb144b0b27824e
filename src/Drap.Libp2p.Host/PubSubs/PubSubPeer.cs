using System.Buffers;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host.Streams;
using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>
/// One peer that speaks gossipsub: the stream on which it is written to, and the one from which it is read. Writing is done by whoever has put something into the
/// queue, as far as it goes without waiting; then by whom the stream wakes.
/// </summary>
internal sealed class PubSubPeer(RouterHost owner, PubSubOptions options, PeerId id)
{
    private readonly PeerQueue queue = new(options);
    private readonly TaskCompletionSource<bool> opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile P2pStream? outbound;
    private int isWriting;
    // Changed under the router's lock.
    private volatile TaskCompletionSource? resumed;
    private P2pStream? inbound;

    public PeerId Id => id;

    /// <summary>Ends when it can be written to, or when it is known that it cannot. Once it was, it may be gone by now all the same.</summary>
    public Task<bool> Opened => opened.Task;

    // What follows up to the next such line is under the router's lock.

    /// <summary>Whether the router has it.</summary>
    public bool IsKnown => outbound is not null || IsBetweenStreams;

    /// <summary>Where it is written to; null while there is no such stream.</summary>
    public P2pStream? Outbound => outbound;

    /// <summary>
    /// The stream to it was lost while the one from it goes on, and will be opened anew: the router still has it, and what is sent to it waits.
    /// </summary>
    public bool IsBetweenStreams { get; private set; }

    public Instant OpenedAt { get; private set; }

    /// <summary>How often a stream to it was opened again since the last time that one held for a while.</summary>
    public int Reopenings { get; set; }

    /// <summary>The peer counts as not keeping up.</summary>
    public bool IsBusy { get; set; }

    /// <summary>It is among those to whom there is something to write.</summary>
    public bool IsTouched { get; set; }

    /// <summary>So much waits that a write of its own costs little beside it.</summary>
    public bool IsWorthWriting => queue.Bytes >= PeerQueue.TogetherBytesMax / 2;

    public bool IsOverBusy => queue.Bytes >= options.BusyBytes;

    public void Open(P2pStream stream, Instant now)
    {
        outbound = stream;
        IsBetweenStreams = false;
        OpenedAt = now;
        opened.TrySetResult(true);
    }

    /// <summary>Whether it is read from over another connection than the one that is lost.</summary>
    public bool IsReadBeside(PeerConnection? lost) => inbound is { } stream && !ReferenceEquals(stream.Connection, lost);

    /// <summary>It is not written to until a new stream is opened; gives the stream, to be reset.</summary>
    public P2pStream Await()
    {
        P2pStream stream = outbound!;
        outbound = null;
        IsBetweenStreams = true;
        return stream;
    }

    /// <summary>
    /// Whether a stream from it is to be read. A newer one takes the place of an older one, which is to be reset: the peer has begun anew.
    /// </summary>
    public bool TryReadFrom(P2pStream stream, out P2pStream? older)
    {
        older = null;
        // Which of two is served first says nothing about which was opened first.
        if (inbound is { } other && ReferenceEquals(other.Connection, stream.Connection) && other.Id > stream.Id)
            return false;
        older = inbound;
        inbound = stream;
        return true;
    }

    /// <summary>A stream from it has ended; false if another had taken its place.</summary>
    public bool TryStopReading(P2pStream stream)
    {
        if (!ReferenceEquals(inbound, stream))
            return false;
        inbound = null;
        return true;
    }

    /// <summary>It is gone for good; gives the streams, to be reset.</summary>
    public void Forget(out P2pStream? to, out P2pStream? from)
    {
        (to, from) = (outbound, inbound);
        outbound = null;
        inbound = null;
        IsBetweenStreams = false;
        IsBusy = false;
        queue.Clear();
        Resume();
        opened.TrySetResult(false);
    }

    /// <summary>What waits to be written is not.</summary>
    public void DropQueue() => queue.Clear();

    /// <summary>Puts a frame into its queue; false if what may not be lost does not fit.</summary>
    public bool TryQueue(ReadOnlyMemory<byte> frame, FrameKind kind) => queue.Add(frame, kind) != Queued.Overflowed;

    public void Pause() => resumed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Resume()
    {
        resumed?.TrySetResult();
        resumed = null;
    }

    // The rest is not.

    /// <summary>Writes what waits, unless somebody does.</summary>
    public void Write()
    {
        if (outbound is not { } stream || Interlocked.CompareExchange(ref isWriting, 1, 0) != 0)
            return;
        owner.Running.Begin();
        Task writing = WriteAsync(stream);
        Invariant.Check(!writing.IsFaulted);
    }

    private async Task WriteAsync(P2pStream stream)
    {
        byte[]? together = null;
        try
        {
            while (true)
            {
                if (!ReferenceEquals(outbound, stream))
                {
                    // Another stream has taken its place meanwhile: what waits is for that one.
                    Volatile.Write(ref isWriting, 0);
                    if (queue.Bytes > 0)
                        Write();
                    return;
                }
                ReadOnlyMemory<byte> next = queue.Take(ref together, static () => ArrayPool<byte>.Shared.Rent(PeerQueue.TogetherBytesMax));
                if (!next.IsEmpty)
                {
                    await stream.WriteAsync(next).ConfigureAwait(false);
                    // So much less than what makes it busy that it seldom comes and goes: publishers are put to sleep and woken each time. What is left, and what is
                    // under way, still lasts its reader for milliseconds.
                    if (IsBusy && queue.Bytes <= options.BusyBytes / 8)
                        owner.Streams.KeepsUp(this);
                    continue;
                }
                Volatile.Write(ref isWriting, 0);
                // Who has put something in after the last look may have found this one still writing.
                if (queue.Bytes == 0 || Interlocked.CompareExchange(ref isWriting, 1, 0) != 0)
                    return;
            }
        }
        catch (Libp2pException)
        {
            owner.Streams.Lost(this, stream);
            Volatile.Write(ref isWriting, 0);
        }
        finally
        {
            if (together is not null)
                ArrayPool<byte>.Shared.Return(together);
            owner.Running.End();
        }
    }

    /// <summary>Reads RPCs to the stream's end.</summary>
    public async Task ReadAsync(P2pStream stream)
    {
        using var buffer = new FrameBuffer(owner.PartialFrames, options.Gossip.Limits.FrameBytesMax);
        IThreadPoolWorkItem? check = null;
        try
        {
            while (true)
            {
                if (resumed is { } pause)
                {
                    RunLater(ref check);
                    await pause.Task.ConfigureAwait(false);
                }
                // While nothing comes and nothing is begun no buffer is held. What came is checked here while this waits for more.
                if (buffer.IsEmpty)
                    await Meanwhile.Await(stream.ReadAsync(Memory<byte>.Empty), Take(ref check));
                if (!buffer.TryMakeRoom())
                    return;
                int read = await Meanwhile.Await(stream.ReadAsync(buffer.Room), Take(ref check));
                if (read == 0)
                    return;
                buffer.Filled(read);
                if (!TryUse(buffer, out check))
                    return;
            }
        }
        finally
        {
            RunLater(ref check);
            owner.Streams.Silent(this, stream);
        }
    }

    private static IThreadPoolWorkItem? Take(ref IThreadPoolWorkItem? check)
    {
        IThreadPoolWorkItem? taken = check;
        check = null;
        return taken;
    }

    private static void RunLater(ref IThreadPoolWorkItem? check)
    {
        if (Take(ref check) is { } later)
            ThreadPool.UnsafeQueueUserWorkItem(later, preferLocal: false);
    }

    /// <summary>Gives the router what is whole, and says who is to check it; false if what comes is no frame.</summary>
    private bool TryUse(FrameBuffer buffer, out IThreadPoolWorkItem? check)
    {
        check = null;
        VarintStatus status = buffer.TryTake(out ReadOnlySpan<byte> rpc);
        if (status == VarintStatus.Done)
        {
            RouterStep step = owner.Begin();
            try
            {
                for (; status == VarintStatus.Done; status = buffer.TryTake(out rpc))
                    step.Router.Receive(Id, rpc, step.Now, step.Effects);
            }
            finally
            {
                check = owner.End(keepsCheck: true);
            }
        }
        buffer.Shrink();
        return status != VarintStatus.Malformed;
    }
}
