namespace Drap.Node.Overlay.Kept;

/// <summary>What one side writes: kept until the other has taken it, since the carrier may break with it on the way. The end counts as one byte more.</summary>
internal sealed class SendingHalf
{
    private readonly ByteRing bytes = new(KeptLimits.WindowBytes);
    private long takenBytes;
    private long next;
    private bool isEndTaken;

    /// <summary>Whether all is written.</summary>
    public bool IsOver { get; private set; }

    /// <summary>Whether the other side has taken all of it, the end, too.</summary>
    public bool IsDone => isEndTaken;

    private long EndOfBytes => takenBytes + bytes.Length;

    private long Taken => takenBytes + (isEndTaken ? 1 : 0);

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
        isEndTaken = upTo > takenBytes;
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
        if (!IsOver || isEndTaken || next != EndOfBytes)
            return false;
        next++;
        return true;
    }
}

/// <summary>What one side reads.</summary>
internal sealed class ReceivingHalf
{
    private readonly ByteRing bytes = new(KeptLimits.WindowBytes);
    private long taken;
    private bool isDropping;

    /// <summary>Whether the other side has written all.</summary>
    public bool IsOver { get; private set; }

    public bool IsEmpty => bytes.Length == 0;

    /// <summary>How much has come.</summary>
    public long Received => taken + bytes.Length + (IsOver ? 1 : 0);

    /// <summary>How much was read.</summary>
    public long Taken => taken + (IsOver && IsEmpty ? 1 : 0);

    /// <summary>What was said of <see cref="Taken"/> last.</summary>
    public long Told { get; set; }

    /// <summary>Whether it should be said again before the next beat: the other side waits for room or for its end.</summary>
    public bool IsTellingDue => Taken - Told >= KeptLimits.WindowBytes / 4 || (IsOver && Taken > Told);

    /// <summary>Takes bytes in; false when the other side does not keep to the window, or goes on after its end.</summary>
    public bool TryReceive(ReadOnlySpan<byte> from)
    {
        if (IsOver || from.Length > bytes.Room)
            return false;
        if (isDropping)
            taken += from.Length;
        else
            bytes.Append(from);
        return true;
    }

    public bool TryFinish()
    {
        if (IsOver)
            return false;
        IsOver = true;
        return true;
    }

    public int Read(Span<byte> to)
    {
        int count = bytes.CopyTo(0, to);
        bytes.Skip(count);
        taken += count;
        return count;
    }

    /// <summary>Nobody reads any more: what comes counts as read.</summary>
    public void Drop()
    {
        isDropping = true;
        taken += bytes.Length;
        bytes.Skip(bytes.Length);
    }
}
