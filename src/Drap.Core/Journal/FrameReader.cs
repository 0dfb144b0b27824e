namespace Drap.Core.Journal;

/// <summary>What stands at a <see cref="FrameReader"/>'s position.</summary>
internal enum FrameStatus
{
    /// <summary>A whole, right frame.</summary>
    Frame,

    /// <summary>The end of the file, or zeros.</summary>
    End,

    /// <summary>Something else; <see cref="FrameReader.Reason"/> says what.</summary>
    Bad,
}

/// <summary>Reads the frames of one file in order, checking each. It never allocates more than the file has bytes.</summary>
internal sealed class FrameReader(IJournalFile file, ulong salt, long start = FileHeader.Size)
{
    private const int WindowBytes = 1 << 20;

    private readonly long fileLength = file.Length;
    private byte[] window = new byte[(int)Math.Min(WindowBytes, file.Length)];
    private long windowStart = start;
    private int windowLength;

    /// <summary>Offset of the next frame.</summary>
    public long Position { get; private set; } = start;

    /// <summary>Why the last status was not <see cref="FrameStatus.Frame"/>, if records should have been there.</summary>
    public string Reason { get; private set; } = "";

    /// <summary>Reads the frame at <see cref="Position"/> and goes behind it. The body is valid until the next call.</summary>
    public FrameStatus TryRead(out Frame frame)
    {
        frame = default;
        ReadOnlySpan<byte> first = Window(FrameHeader.Size).Span;
        if (!FrameHeader.TryRead(first, salt, Position, out FrameHeader header))
        {
            if (!first.ContainsAnyExcept((byte)0))
            {
                Reason = "zeros stand where records were";
                return FrameStatus.End;
            }
            return Bad(first.Length < FrameHeader.Size ? "a frame's header is cut off" : "this is no frame, or the checksum of its header is wrong");
        }
        ReadOnlyMemory<byte> whole = Window(FrameHeader.Size + header.PaddedLength);
        if (whole.Length < FrameHeader.Size + header.PaddedLength)
            return Bad($"a frame of {header.Length} bytes is cut off");
        if (!FrameHeader.IsBody(whole.Span, whole.Span[FrameHeader.Size..], salt, Position))
            return Bad($"the checksum of the records {header.FirstSequence} to {header.FirstSequence + header.Count - 1} is wrong");
        frame = new Frame(header, whole.Slice(FrameHeader.Size, header.Length));
        Position += whole.Length;
        return FrameStatus.Frame;
    }

    private FrameStatus Bad(string reason)
    {
        Reason = reason;
        return FrameStatus.Bad;
    }

    /// <summary>Up to <paramref name="count"/> bytes at the position; fewer at the end of the file.</summary>
    private ReadOnlyMemory<byte> Window(int count)
    {
        count = (int)Math.Min(count, fileLength - Position);
        int skip = (int)(Position - windowStart);
        if (skip + count > windowLength)
        {
            byte[] target = count > window.Length ? new byte[count] : window;
            int kept = windowLength - skip;
            window.AsSpan(skip, kept).CopyTo(target);
            window = target;
            windowStart = Position;
            windowLength = kept + file.Read(Position + kept, window.AsSpan(kept));
            skip = 0;
            if (windowLength < count)
                throw new JournalCorruptException(file.Path, Position + windowLength, "the file became shorter while it was read");
        }
        return window.AsMemory(skip, count);
    }
}
