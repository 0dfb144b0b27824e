using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Drap.Simulator;

/// <summary>A running 64-bit hash of all that happened: two runs of one seed agree in it, or something undetermined decided in one.</summary>
public sealed class TraceHash
{
    /// <summary>The hash so far.</summary>
    public ulong Value { get; private set; } = 0x9e3779b97f4a7c15;

    /// <summary>What happened, as a number.</summary>
    public void Add(ulong value)
    {
        ulong mixed = (Value ^ value) * 0xff51afd7ed558ccd;
        Value = mixed ^ (mixed >> 32);
    }

    /// <summary>What happened, as a number.</summary>
    public void Add(long value) => Add((ulong)value);

    /// <summary>What happened, as bytes.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        Add((ulong)bytes.Length);
        for (; bytes.Length >= 8; bytes = bytes[8..])
            Add(BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        ulong rest = 0;
        foreach (byte b in bytes)
            rest = (rest << 8) | b;
        Add(rest);
    }

    /// <summary>What happened, in words.</summary>
    public void Add(string text) => Add(MemoryMarshal.AsBytes(text.AsSpan()));

    public override string ToString() => Value.ToString("x16", System.Globalization.CultureInfo.InvariantCulture);
}
