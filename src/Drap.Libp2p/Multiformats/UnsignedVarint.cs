namespace Drap.Libp2p.Multiformats;

/// <summary>
/// Unsigned varints as multiformats have them (multiformats/unsigned-varint): seven bits a byte, least significant first, at most nine
/// bytes, and minimal: a value has one encoding.
/// </summary>
public static class UnsignedVarint
{
    /// <summary>The most bytes that one takes: 63 bits of value.</summary>
    public const int BytesMax = 9;

    /// <summary>The bytes that <paramref name="value"/> takes.</summary>
    public static int Length(ulong value)
    {
        Invariant.Check(value <= long.MaxValue);
        int length = 1;
        while ((value >>= 7) != 0)
            length++;
        return length;
    }

    /// <summary>Writes <paramref name="value"/> and returns the bytes it took; the destination must have room.</summary>
    public static int Write(Span<byte> destination, ulong value)
    {
        Invariant.Check(value <= long.MaxValue);
        int length = 0;
        for (; value >= 0x80; value >>= 7)
            destination[length++] = (byte)(value | 0x80);
        destination[length++] = (byte)value;
        return length;
    }

    /// <summary>
    /// Reads one at the start of <paramref name="source"/>. <see cref="VarintStatus.Incomplete"/> says that more bytes may make it one.
    /// </summary>
    public static VarintStatus TryRead(ReadOnlySpan<byte> source, out ulong value, out int length)
    {
        value = 0;
        for (length = 0; length < source.Length && length < BytesMax; length++)
        {
            byte b = source[length];
            value |= (ulong)(b & 0x7f) << (7 * length);
            if (b >= 0x80)
                continue;
            // A last byte of nothing but padding is a second encoding of the same value.
            bool minimal = b != 0 || length == 0;
            length++;
            return minimal ? VarintStatus.Done : VarintStatus.Malformed;
        }
        return length == BytesMax ? VarintStatus.Malformed : VarintStatus.Incomplete;
    }
}

/// <summary>How reading a varint went.</summary>
public enum VarintStatus
{
    /// <summary>It was read.</summary>
    Done,

    /// <summary>The bytes end before it does.</summary>
    Incomplete,

    /// <summary>It is too long or not minimal.</summary>
    Malformed,
}
