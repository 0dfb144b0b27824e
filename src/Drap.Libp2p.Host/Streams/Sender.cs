using System.Runtime.CompilerServices;
using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Memory;

namespace Drap.Libp2p.Host.Streams;

/// <summary>
/// Sends what a connection has to say: one at a time, on the thread of whoever has something to say when nobody sends, and what others have to say meanwhile
/// with it. No task a frame, no thread of its own.
/// </summary>
/// <remarks>
/// When is sent. A writer on a quiet connection sends at once, on its own thread. While others that this connection's last bytes have woken are still to run,
/// their answers are likely to come, too: then sending is put behind them in the pool's queue, so that many answers go out in one frame.
/// </remarks>
internal sealed class Sender : IThreadPoolWorkItem
{
    /// <summary>Frames that one thread sends in a row before it gives the rest to the pool: a writer is not to send for others for ever.</summary>
    private const int FramesInARow = 8;

    private readonly Multiplexer mux;
    private readonly Link link;
    private readonly Sealing sealing;
    private readonly ChunkPool chunks;
    private readonly Action sent;

    // Under the connection's lock.
    private bool isSending, isHandedOver, isQueued;

    // Owned by the thread that sends.
    private byte[]? sending;
    private ConfiguredValueTaskAwaitable.ConfiguredValueTaskAwaiter awaiter;

    public Sender(Multiplexer mux, Link link, Sealing sealing, ChunkPool chunks)
    {
        this.mux = mux;
        this.link = link;
        this.sealing = sealing;
        this.chunks = chunks;
        Outbox = new Outbox(chunks, sealing);
        sent = Sent;
    }

    /// <summary>What waits to be sent. Under the connection's lock.</summary>
    public Outbox Outbox { get; }

    /// <summary>Whether somebody sends, or is about to. Under the connection's lock.</summary>
    public bool IsBusy => isSending || isQueued;

    /// <summary>Whether the keys are in use. Under the connection's lock.</summary>
    public bool IsSending => isSending;

    /// <summary>Sends what waits: here and now, or behind those who are about to have more to say.</summary>
    public void FlushSoon()
    {
        if (mux.AwakeCount <= 1)
        {
            Flush();
            return;
        }
        lock (mux.Gate)
        {
            if (IsBusy)
                return;
            isQueued = true;
        }
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    /// <summary>Sends what waits, here and now, unless somebody sends.</summary>
    public void Flush()
    {
        lock (mux.Gate)
        {
            if (isSending || !mux.HasToSend)
                return;
            isSending = true;
        }
        Send();
    }

    /// <summary>The pool's turn.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        bool goesOn;
        lock (mux.Gate)
        {
            goesOn = isHandedOver;
            if (goesOn)
                isHandedOver = false;
            else
                isQueued = false;
        }
        if (goesOn)
            Send();
        else
            Flush();
    }

    // Only by whoever set isSending.
    private void Send()
    {
        for (int frames = 0; ; frames++)
        {
            byte[] frame;
            int plain, behind = 0;
            P2pStream? woken;
            lock (mux.Gate)
            {
                woken = mux.Fill();
                frame = Outbox.Take(out plain);
                isSending = frame.Length > 0;
                if (isSending)
                    behind = Outbox.TakeBehind(frame, plain + sealing.Around);
            }
            Multiplexer.Dispatch(woken);
            if (frame.Length == 0)
            {
                mux.AllSent();
                return;
            }
            sending = frame;
            // Waited for by a callback that is made once: each frame would else cost a task.
#pragma warning disable CA2012 // consumed once, in TryEnd
            awaiter = SealAndSend(frame, plain, behind).ConfigureAwait(false).GetAwaiter();
#pragma warning restore CA2012
            if (!awaiter.IsCompleted)
            {
                awaiter.UnsafeOnCompleted(sent);
                return;
            }
            if (!TryEnd())
                return;
            if (frames == FramesInARow)
            {
                lock (mux.Gate)
                    isHandedOver = true;
                ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
                return;
            }
        }
    }

    private ValueTask SealAndSend(byte[] frame, int plain, int behind)
    {
        int length = sealing.Seal(frame, plain);
        if (length > 0 && behind > 0)
        {
            int more = sealing.Seal(frame.AsSpan(length), behind);
            length = more > 0 ? length + more : 0;
        }
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
        if (TryEnd())
            Send();
    }

    private bool TryEnd()
    {
        chunks.Return(sending!);
        sending = null;
        try
        {
            awaiter.GetResult();
            return true;
        }
        catch (Exception failure)
        {
            mux.Close(CloseReason.Failed, failure);
            lock (mux.Gate)
                isSending = false;
            mux.AllSent();
            return false;
        }
    }
}
