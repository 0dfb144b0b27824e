using System.Buffers;
using Drap.Libp2p.Host.Memory;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>
/// What came of a stream of frames and is not used yet. It holds nothing while it is empty, and grows with what has come of a frame, not with what the frame
/// says it will be.
/// </summary>
internal sealed class FrameBuffer(MemoryBudget budget, int frameBytesMax) : IDisposable
{
    /// <summary>The first buffer's size: some dozens of small messages.</summary>
    private const int FirstBytes = 16 << 10;

    /// <summary>Up to this size it is every stream's own affair; what goes beyond is borrowed.</summary>
    private const int FreeBytes = 64 << 10;

    private byte[]? data;
    private int start;
    private int end;
    private int borrowed;

    public bool IsEmpty => start == end;

    /// <summary>Where to put what comes next. Never much at a time, unless a large frame is to be completed: what has come is handled in one turn.</summary>
    public Memory<byte> Room => data.AsMemory(end, Math.Min(data!.Length - end, FreeBytes));

    /// <summary>Makes <see cref="Room"/>; false if all streams together have no more to lend.</summary>
    public bool TryMakeRoom()
    {
        if (data is null)
        {
            data = ArrayPool<byte>.Shared.Rent(FirstBytes);
            return true;
        }
        if (start > 0)
        {
            data.AsSpan(start, end - start).CopyTo(data);
            end -= start;
            start = 0;
        }
        if (end < data.Length)
            return true;
        int size = (int)Math.Min(2L * data.Length, frameBytesMax + (long)UnsignedVarint.BytesMax);
        int more = size - FreeBytes - borrowed;
        if (more > 0)
        {
            if (!budget.TryBorrow(more))
                return false;
            borrowed += more;
        }
        byte[] larger = ArrayPool<byte>.Shared.Rent(size);
        data.AsSpan(0, end).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(data);
        data = larger;
        return true;
    }

    public void Filled(int bytes) => end += bytes;

    /// <summary>Takes the next frame; it lies here until <see cref="Shrink"/> or <see cref="TryMakeRoom"/>.</summary>
    public VarintStatus TryTake(out ReadOnlySpan<byte> frame)
    {
        VarintStatus status = Delimited.TryRead(data.AsSpan(start, end - start), frameBytesMax, out frame, out int consumed);
        start += consumed;
        return status;
    }

    /// <summary>Gives back what is not needed now.</summary>
    public void Shrink()
    {
        if (data is null || (!IsEmpty && data.Length <= FreeBytes))
            return;
        // Of a large buffer whose frame is done a small rest may remain.
        if (!IsEmpty && end - start > FirstBytes)
            return;
        byte[]? smaller = null;
        if (!IsEmpty)
        {
            smaller = ArrayPool<byte>.Shared.Rent(FirstBytes);
            data.AsSpan(start, end - start).CopyTo(smaller);
        }
        ArrayPool<byte>.Shared.Return(data);
        budget.Return(borrowed);
        borrowed = 0;
        data = smaller;
        end -= start;
        start = 0;
    }

    public void Dispose()
    {
        start = end;
        Shrink();
    }
}
