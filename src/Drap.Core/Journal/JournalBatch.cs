using System.Buffers;

namespace Drap.Core.Journal;

/// <summary>
/// Records that are written, and survive or vanish, together. One thread has it at a time: its <see cref="JournalBuffer"/> fills it, hands
/// it out whole, and from then on it is the log's, which gives its memory back. Nothing in it changes after it was taken.
/// </summary>
public sealed class JournalBatch
{
    private const int FirstCapacity = 4096;

    // The frame's header goes in front of the records, so that a frame is written without copying.
    private byte[] bytes = ArrayPool<byte>.Shared.Rent(FirstCapacity);
    private int end = FrameHeader.Size;

    internal JournalBatch(long firstSequence) => FirstSequence = firstSequence;

    /// <summary>Number of its first record.</summary>
    public long FirstSequence { get; }

    /// <summary>Number of its last record.</summary>
    public long LastSequence => FirstSequence + Count - 1;

    /// <summary>How many records.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes that it takes in the file.</summary>
    public int Bytes => FrameHeader.Size + FrameHeader.Pad(end - FrameHeader.Size);

    /// <summary>The records as <see cref="RecordCodec"/> has them, until the log gives the memory back.</summary>
    internal ReadOnlyMemory<byte> Records => bytes.AsMemory(FrameHeader.Size, end - FrameHeader.Size);

    internal void Add(byte kind, byte version, ReadOnlySpan<byte> body)
    {
        Invariant.Check(body.Length <= JournalLimits.RecordBytesMax);
        Invariant.Check(Bytes + RecordCodec.OverheadMax + body.Length <= JournalLimits.BatchBytesMax);
        Reserve(RecordCodec.OverheadMax + body.Length + FrameHeader.Alignment);
        end += RecordCodec.Write(bytes.AsSpan(end), kind, version, body);
        Count++;
    }

    /// <summary>The frame as it goes to <paramref name="offset"/> of a file, everything before <paramref name="syncedTo"/> of which is safe.</summary>
    internal ReadOnlySpan<byte> Seal(ulong salt, long offset, long syncedTo)
    {
        Span<byte> frame = bytes.AsSpan(0, Bytes);
        new FrameHeader(FirstSequence, Count, end - FrameHeader.Size, syncedTo).Seal(frame, salt, offset);
        return frame;
    }

    /// <summary>Gives the memory back; the batch is not used again.</summary>
    internal void Release()
    {
        ArrayPool<byte>.Shared.Return(bytes);
        bytes = [];
    }

    private void Reserve(int more)
    {
        if (bytes.Length - end >= more)
            return;
        byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(end + more, 2 * bytes.Length));
        bytes.AsSpan(0, end).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(bytes);
        bytes = larger;
    }
}
