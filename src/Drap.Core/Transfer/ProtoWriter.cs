using System.Buffers;

namespace Drap.Core.Transfer;

/// <summary>Writes protobuf fields into a growing buffer.</summary>
internal sealed class ProtoWriter
{
    private readonly ArrayBufferWriter<byte> buffer = new();

    public ReadOnlySpan<byte> Written => buffer.WrittenSpan;

    public void Clear() => buffer.ResetWrittenCount();

    public void Number(int field, ulong value)
    {
        Varint((ulong)field << 3);
        Varint(value);
    }

    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Varint(((ulong)field << 3) | 2);
        Varint((ulong)value.Length);
        buffer.Write(value);
    }

    private void Varint(ulong value)
    {
        Span<byte> bytes = buffer.GetSpan(10);
        int n = 0;
        for (; value >= 0x80; value >>= 7)
            bytes[n++] = (byte)(value | 0x80);
        bytes[n++] = (byte)value;
        buffer.Advance(n);
    }
}
