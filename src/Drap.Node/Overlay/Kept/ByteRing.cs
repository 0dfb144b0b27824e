namespace Drap.Node.Overlay.Kept;

/// <summary>Bytes in order, up to a bound; it takes no more memory than it once held, and none at first.</summary>
internal sealed class ByteRing(int max)
{
    private const int FirstBytes = 4 << 10;

    private byte[] ring = [];
    private int start;

    public int Length { get; private set; }

    public int Room => max - Length;

    /// <summary>Puts bytes at the end, for which there must be room.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        Invariant.Check(bytes.Length <= Room);
        if (bytes.Length > ring.Length - Length)
            Grow(Length + bytes.Length);
        int at = (start + Length) % Math.Max(1, ring.Length), first = Math.Min(bytes.Length, ring.Length - at);
        bytes[..first].CopyTo(ring.AsSpan(at));
        bytes[first..].CopyTo(ring);
        Length += bytes.Length;
    }

    /// <summary>Copies from <paramref name="offset"/> on, as much as is there or fits.</summary>
    public int CopyTo(int offset, Span<byte> to)
    {
        int count = Math.Min(Length - offset, to.Length);
        if (count == 0)
            return 0;
        int at = (start + offset) % ring.Length, first = Math.Min(count, ring.Length - at);
        ring.AsSpan(at, first).CopyTo(to);
        ring.AsSpan(0, count - first).CopyTo(to[first..]);
        return count;
    }

    /// <summary>Lets go of the first ones.</summary>
    public void Skip(int count)
    {
        Length -= count;
        start = Length == 0 ? 0 : (start + count) % ring.Length;
    }

    private void Grow(int needed)
    {
        byte[] larger = new byte[Math.Min(max, Math.Max(FirstBytes, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)needed)))];
        CopyTo(0, larger);
        (ring, start) = (larger, 0);
    }
}
