using System.Buffers.Binary;
using System.Numerics;

namespace Drap.Core.Journal;

/// <summary>
/// CRC-32C (Castagnoli, RFC 3720 appendix B.4): it guards against accidents, not against forgery. The framework's step uses the
/// processor's instruction on x64 and arm64 and a table elsewhere.
/// </summary>
public static class Crc32C
{
    /// <summary>The checksum of <paramref name="bytes"/>.</summary>
    public static uint Compute(ReadOnlySpan<byte> bytes) => Finish(Append(Start, bytes));

    /// <summary>The register before the first byte.</summary>
    public const uint Start = uint.MaxValue;

    /// <summary>The register after <paramref name="bytes"/>.</summary>
    public static uint Append(uint register, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= sizeof(ulong); bytes = bytes[sizeof(ulong)..])
            register = BitOperations.Crc32C(register, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        foreach (byte b in bytes)
            register = BitOperations.Crc32C(register, b);
        return register;
    }

    /// <summary>The register after eight bytes, little-endian.</summary>
    public static uint Append(uint register, ulong value) => BitOperations.Crc32C(register, value);

    /// <summary>The checksum that a register stands for.</summary>
    public static uint Finish(uint register) => ~register;
}
