using System.Buffers;

namespace Drap.Node.Overlay.Kept;

/// <summary>A stream while it carries a kept one: a loop that writes, and one that reads.</summary>
internal sealed class KeptCarrier(KeptStream kept, OverlayStream stream)
{
    private readonly TaskCompletionSource ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>There may be something to write.</summary>
    public Signal Work { get; } = new();

    /// <summary>Ends when nothing is written or read any more.</summary>
    public Task Ended => ended.Task;

    // The next four are the kept stream's, under its lock.

    /// <summary>Seconds since it began.</summary>
    public int Beats { get; set; }

    /// <summary>Seconds since something was read.</summary>
    public int Silence { get; set; }

    public bool IsBeatDue { get; set; }

    public bool IsMoveDue { get; set; }

    public void Start() => _ = RunAsync();

    /// <summary>Ends it at once; what is under way is lost.</summary>
    public void Abort()
    {
        stream.Reset();
        Work.Set();
    }

    private async Task RunAsync()
    {
        Task writing = WriteAsync();
        try
        {
            await ReadAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // It has broken.
        }
        kept.Lost(this);
        // What is not written yet nobody waits for any more.
        if (!writing.IsCompleted)
            Abort();
        await writing.ConfigureAwait(false);
        await stream.DisposeAsync().ConfigureAwait(false);
        ended.TrySetResult();
    }

    private async Task WriteAsync()
    {
        byte[] piece = ArrayPool<byte>.Shared.Rent(KeptLimits.PieceBytes);
        try
        {
            while (true)
            {
                int length = kept.TakeNext(this, piece.AsSpan(0, KeptLimits.PieceBytes), out bool isLast);
                if (length > 0)
                    await stream.WriteAsync(piece.AsMemory(0, length)).ConfigureAwait(false);
                if (isLast)
                    break;
                if (length == 0)
                    await Work.WaitAsync().ConfigureAwait(false);
            }
            await stream.CompleteWritesAsync().ConfigureAwait(false);
        }
        catch (Exception failure) when (failure is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // The reading loop comes to its end by this.
            stream.Reset();
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    private async Task ReadAsync()
    {
        byte[] piece = ArrayPool<byte>.Shared.Rent(KeptLimits.PieceBytes + KeptWire.HeadBytes);
        try
        {
            int start = 0, end = 0;
            while (true)
            {
                while (end - start >= KeptWire.HeadBytes)
                {
                    (KeptFrame kind, long number) = KeptWire.ReadHead(piece.AsSpan(start, end - start));
                    int data = kind == KeptFrame.Data && number is > 0 and <= KeptLimits.PieceBytes ? (int)number : 0;
                    if (end - start < KeptWire.HeadBytes + data)
                        break;
                    bool isGood = (kind != KeptFrame.Data || data > 0) && kept.TryTake(this, kind, number, piece.AsSpan(start + KeptWire.HeadBytes, data));
                    if (!isGood || kind == KeptFrame.Reset)
                        kept.Break();
                    if (!isGood || kind is KeptFrame.Reset or KeptFrame.Move)
                        return;
                    start += KeptWire.HeadBytes + data;
                }
                piece.AsSpan(start, end - start).CopyTo(piece);
                (start, end) = (0, end - start);
                int read = await stream.ReadAsync(piece.AsMemory(end, KeptLimits.PieceBytes + KeptWire.HeadBytes - end)).ConfigureAwait(false);
                if (read == 0)
                    return;
                end += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }
}
