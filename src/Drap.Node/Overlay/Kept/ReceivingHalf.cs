namespace Drap.Node.Overlay.Kept;

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
