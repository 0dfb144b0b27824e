namespace Drap.Node.Overlay.Kept;

/// <summary>What one side writes: kept until the other has taken it, since the carrier may break with it on the way. The end counts as one byte more.</summary>
internal sealed class SendingHalf
{
    private readonly ByteRing bytes = new(KeptLimits.WindowBytes);
    private long takenBytes;
    private long next;

    /// <summary>Whether all is written.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Whether the other side has taken all of it, the end, too.</summary>
    public bool IsDone { get; private set; }

    private long EndOfBytes => takenBytes + bytes.Length;

    private long Taken => takenBytes + (IsDone ? 1 : 0);

    /// <summary>Puts in as much as there is room for.</summary>
    public int Write(ReadOnlySpan<byte> from)
    {
        int count = Math.Min(from.Length, bytes.Room);
        bytes.Append(from[..count]);
        return count;
    }

    public void Finish() => IsOver = true;

    /// <summary>The other side has taken so much; false if that cannot be.</summary>
    public bool TryTake(long upTo)
    {
        if (upTo < 0 || upTo > next)
            return false;
        if (upTo <= Taken)
            return true;
        int gone = (int)Math.Min(upTo - takenBytes, bytes.Length);
        bytes.Skip(gone);
        takenBytes += gone;
        IsDone = upTo > takenBytes;
        return true;
    }

    /// <summary>Another carrier goes on from where the other side is; false if that cannot be.</summary>
    public bool TryGoOn(long received)
    {
        if (received < Taken || received > next)
            return false;
        next = received;
        return true;
    }

    /// <summary>The next bytes for the carrier.</summary>
    public int TakeNext(Span<byte> to)
    {
        int count = next < EndOfBytes ? bytes.CopyTo((int)(next - takenBytes), to) : 0;
        next += count;
        return count;
    }

    /// <summary>Whether the end is what comes next for the carrier; then it counts as said.</summary>
    public bool TryTakeEnd()
    {
        if (!IsOver || IsDone || next != EndOfBytes)
            return false;
        next++;
        return true;
    }
}
