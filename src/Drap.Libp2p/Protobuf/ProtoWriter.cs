using System.Text;

namespace Drap.Libp2p.Protobuf;

/// <summary>
/// Writes the fields of a protobuf message, in the order in which it is told them: numbers ascending gives the canonical form that is
/// signed. Grows as it needs; <see cref="Clear"/> makes it ready for the next message.
/// </summary>
public sealed class ProtoWriter
{
    private byte[] buffer = new byte[256];

    /// <summary>What was written; valid until the next write.</summary>
    public ReadOnlySpan<byte> Written => buffer.AsSpan(0, Length);

    /// <summary>Bytes written.</summary>
    public int Length { get; private set; }

    /// <summary>Forgets what was written and keeps the buffer.</summary>
    public void Clear() => Length = 0;

    /// <summary>A copy of what was written.</summary>
    public byte[] ToArray() => Written.ToArray();

    /// <summary>A varint field, also of an enumeration or a truth value.</summary>
    public void Number(int field, ulong value)
    {
        Raw((ulong)field << 3);
        Raw(value);
    }

    /// <summary>A bytes field, or a message that is already encoded.</summary>
    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Raw(((ulong)field << 3) | (ulong)WireType.Bytes);
        Raw((ulong)value.Length);
        value.CopyTo(Room(value.Length));
        Length += value.Length;
    }

    /// <summary>A text field.</summary>
    public void Text(int field, string value)
    {
        int length = Encoding.UTF8.GetByteCount(value);
        Raw(((ulong)field << 3) | (ulong)WireType.Bytes);
        Raw((ulong)length);
        Encoding.UTF8.GetBytes(value, Room(length));
        Length += length;
    }

    /// <summary>Begins a message field whose length is not known yet; write its fields, then give <see cref="EndMessage"/> what this returned.</summary>
    public int BeginMessage(int field)
    {
        Raw(((ulong)field << 3) | (ulong)WireType.Bytes);
        return Length;
    }

    /// <summary>Ends the message field that <see cref="BeginMessage"/> began, and puts its length before it.</summary>
    public void EndMessage(int start)
    {
        int length = Length - start;
        int prefix = VarintLength((ulong)length);
        Room(prefix);
        buffer.AsSpan(start, length).CopyTo(buffer.AsSpan(start + prefix));
        Length = start;
        Raw((ulong)length);
        Length += length;
    }

    private void Raw(ulong value)
    {
        Span<byte> room = Room(10);
        int i = 0;
        for (; value >= 0x80; value >>= 7)
            room[i++] = (byte)(value | 0x80);
        room[i++] = (byte)value;
        Length += i;
    }

    private static int VarintLength(ulong value)
    {
        int length = 1;
        while ((value >>= 7) != 0)
            length++;
        return length;
    }

    private Span<byte> Room(int bytes)
    {
        if (buffer.Length - Length < bytes)
            Array.Resize(ref buffer, Math.Max(buffer.Length * 2, Length + bytes));
        return buffer.AsSpan(Length);
    }
}
