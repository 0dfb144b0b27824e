using Drap.Libp2p.Host.Links;
using Drap.Libp2p.Host.Memory;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Noise;

namespace Drap.Libp2p.Host.Streams;

/// <summary>
/// The one loop of a connection: waits without a buffer, reads as much as there is, opens it where it lies, and hands it on. It stands still while the peer
/// has all the memory that it can have. When it waits, its thread runs one of those whom it has woken.
/// </summary>
internal sealed class Receiver(Multiplexer mux, Link link, Sealing sealing, ChunkPool chunks)
{
    /// <summary>How long it stands still before the streams that hold most are reset.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>How often it looks whether others have given memory back, of which nobody tells.</summary>
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);

    /// <summary>
    /// So many reads in a row that fill the buffer are one batch: who reads a long stream is then woken for 256 KiB at a time, and not by each frame, which costs
    /// more than to open it. It delays others by the 0.2 ms that this takes, and only while more is there than one read brings.
    /// </summary>
    private const int ReadsOfBatchMax = 4;

    // Set by whoever gives memory back while the loop stands still; under the connection's lock.
    private TaskCompletionSource? room;

    // Owned by the loop: the stream that its thread is to run when it waits.
    private P2pStream? woken;
    private int readsOfBatch;

    /// <summary>Reads until the link ends or the peer breaks a rule.</summary>
    /// <param name="plain">What was received behind the handshake and opened.</param>
    /// <param name="sealedBytes">What was received behind that, still sealed.</param>
    public async Task RunAsync(ReadOnlyMemory<byte> plain, ReadOnlyMemory<byte> sealedBytes)
    {
        byte[]? buffer = null;
        try
        {
            int start = 0, end = sealedBytes.Length;
            bool mayHaveMore = true;
            // Until it has waited once its thread is that of who made the connection.
            bool isOnItsOwn = false;
            if (!plain.IsEmpty)
                mux.EndBatch(mux.Receive(plain.Span, mux.Clock.Now), keepsOne: false);
            if (end > 0)
            {
                buffer = chunks.Rent();
                sealedBytes.CopyTo(buffer);
                start = Open(buffer, end, keepsOne: false, goesOn: false);
            }
            while (!mux.IsClosed)
            {
                if (mux.Memory.IsOver)
                {
                    EndGrownBatch(keepsOne: false);
                    Multiplexer.Dispatch(TakeWoken());
                    await WaitForReadersAsync().ConfigureAwait(false);
                }
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
                {
                    // The read that should have brought more found nothing.
                    EndGrownBatch(keepsOne: isOnItsOwn);
                    await Meanwhile.Await(link.WaitHereAsync(), TakeWoken());
                    isOnItsOwn = true;
                }
                buffer ??= chunks.Rent();
                int wanted = buffer.Length - end;
                int received = await link.ReceiveAsync(buffer.AsMemory(end)).ConfigureAwait(false);
                mayHaveMore = received == wanted;
                if (received == 0)
                {
                    mux.Close(CloseReason.ClosedByPeer, null);
                    return;
                }
                if (received < 0)
                    continue;
                end += received;
                start = Open(buffer, end, keepsOne: isOnItsOwn && !mayHaveMore, goesOn: mayHaveMore);
            }
        }
        catch (Exception failure)
        {
            mux.Close(CloseReason.Failed, failure);
        }
        finally
        {
            if (buffer is not null)
                chunks.Return(buffer);
            Multiplexer.Dispatch(TakeWoken());
            mux.ReadingEnded();
        }
    }

    /// <summary>Somebody read, or a stream ended. Under the connection's lock.</summary>
    public void Freed()
    {
        if (room is not null && !mux.Memory.IsOver)
            room.TrySetResult();
    }

    /// <summary>The connection has closed. Under its lock.</summary>
    public void Stop() => room?.TrySetResult();

    /// <summary>Opens the whole frames in the buffer and does what they say; returns where the rest begins.</summary>
    private int Open(byte[] buffer, int end, bool keepsOne, bool goesOn)
    {
        int start = 0;
        bool isGood = true;
        Instant now = mux.Clock.Now;
        while (start < end && isGood)
        {
            NoiseFrameStatus status = sealing.Open(buffer.AsSpan(start, end - start), out int consumed, out Span<byte> plain);
            if (status == NoiseFrameStatus.Incomplete)
                break;
            start += consumed;
            isGood = status == NoiseFrameStatus.Done && mux.Receive(plain, now);
        }
        if (!isGood || !goesOn || ++readsOfBatch == ReadsOfBatchMax || mux.IsReaderFull)
            EndBatch(isGood, keepsOne);
        return start;
    }

    private void EndGrownBatch(bool keepsOne)
    {
        if (readsOfBatch > 0)
            EndBatch(isGood: true, keepsOne);
    }

    private void EndBatch(bool isGood, bool keepsOne)
    {
        readsOfBatch = 0;
        woken = mux.EndBatch(isGood, keepsOne);
    }

    private P2pStream? TakeWoken()
    {
        P2pStream? stream = woken;
        woken = null;
        return stream;
    }

    private async Task WaitForReadersAsync()
    {
        var waited = new WatchedTime(LookEvery, mux.Clock.Now);
        var look = new CallAt(() =>
        {
            lock (mux.Gate)
                room?.TrySetResult();
        });
        while (true)
        {
            Task wait;
            lock (mux.Gate)
            {
                mux.Memory.Borrow();
                if (mux.IsClosed || !mux.Memory.IsOver)
                {
                    room = null;
                    return;
                }
                waited.Look(mux.Clock.Now);
                if (waited.Seen >= Patience && mux.TryResetLargest())
                    continue;
                room = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                wait = room.Task;
            }
            mux.Settle();
            mux.Deadlines.Set(look, mux.Clock.Now + LookEvery);
            await wait.ConfigureAwait(false);
            mux.Deadlines.Clear(look);
        }
    }
}
