namespace Drap.Node.Drivers;

/// <summary>
/// Keeps one stream of one attempt: its first half up to the bound, and behind that a ring with its end. Buffers grow with what is
/// written and stay with the slot, so a slot of quiet tasks holds a page and a slot of loud ones the bound.
/// </summary>
/// <param name="bytesMax">The bound, head and tail together; at least 2.</param>
internal sealed class LogCapture(int bytesMax)
{
    private const int FirstBytes = 4 * 1024;

    /// <summary>Larger buffers are not kept for the next attempt.</summary>
    private const int KeepMax = 256 * 1024;

    private readonly int headMax = bytesMax / 2, tailMax = bytesMax - bytesMax / 2;
    private byte[] head = [], tail = [];
    private int headLength, tailStart, tailLength;

    /// <summary>Bytes that came.</summary>
    public long Total { get; private set; }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        Total += bytes.Length;
        int toHead = Math.Min(bytes.Length, headMax - headLength);
        if (toHead > 0)
        {
            Grow(ref head, headLength + toHead, headMax);
            bytes[..toHead].CopyTo(head.AsSpan(headLength));
            headLength += toHead;
            bytes = bytes[toHead..];
        }
        if (bytes.IsEmpty)
            return;
        if (bytes.Length > tailMax)
            bytes = bytes[^tailMax..];
        if (tailLength + bytes.Length > tail.Length && tail.Length < tailMax)
            Grow(ref tail, Math.Min(tailLength + bytes.Length, tailMax), tailMax); // it has not wrapped: it starts at 0
        // Overwrite the oldest.
        int excess = Math.Max(0, tailLength + bytes.Length - tail.Length);
        tailStart = (tailStart + excess) % tail.Length;
        tailLength -= excess;
        int end = (tailStart + tailLength) % tail.Length;
        int first = Math.Min(bytes.Length, tail.Length - end);
        bytes[..first].CopyTo(tail.AsSpan(end));
        bytes[first..].CopyTo(tail);
        tailLength += bytes.Length;
    }

    /// <summary>What was kept, until <see cref="Clear"/>.</summary>
    public CapturedLog Snapshot()
    {
        if (tailStart != 0)
        {
            var straight = new byte[tailLength];
            int first = Math.Min(tailLength, tail.Length - tailStart);
            tail.AsSpan(tailStart, first).CopyTo(straight);
            tail.AsSpan(0, tailLength - first).CopyTo(straight.AsSpan(first));
            tail = straight;
            tailStart = 0;
        }
        return new CapturedLog(head.AsMemory(0, headLength), tail.AsMemory(0, tailLength), Total - headLength - tailLength);
    }

    public void Clear()
    {
        headLength = tailStart = tailLength = 0;
        Total = 0;
        if (head.Length > KeepMax)
            head = [];
        if (tail.Length > 0)
            tail = [];
    }

    private static void Grow(ref byte[] buffer, int need, int max)
    {
        if (need > buffer.Length)
            Array.Resize(ref buffer, Math.Min(Math.Max(need, Math.Max(FirstBytes, buffer.Length * 2)), max));
    }
}
