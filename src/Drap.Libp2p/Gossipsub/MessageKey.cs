using System.Buffers.Binary;
using System.Numerics;

namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// Stands for a message id in our tables: 128 bits of a hash under a key that nobody else knows, so that ids of any length cost the same
/// and nobody can make two that meet, nor fill a bucket.
/// </summary>
internal readonly struct MessageKey(ulong low, ulong high) : IEquatable<MessageKey>
{
    public ulong Low => low;

    public ulong High => high;

    public bool Equals(MessageKey other) => Low == other.Low && High == other.High;

    public override bool Equals(object? obj) => obj is MessageKey other && Equals(other);

    public override int GetHashCode() => (int)Low;
}

/// <summary>SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012), under one router's key.</summary>
internal readonly struct SipHash(ulong key0, ulong key1)
{
    public MessageKey Of(ReadOnlySpan<byte> bytes)
    {
        ulong v0 = 0x736f6d6570736575 ^ key0, v1 = 0x646f72616e646f6d ^ key1 ^ 0xee;
        ulong v2 = 0x6c7967656e657261 ^ key0, v3 = 0x7465646279746573 ^ key1;
        ulong last = (ulong)bytes.Length << 56;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            ulong word = BinaryPrimitives.ReadUInt64LittleEndian(bytes);
            v3 ^= word;
            Round(ref v0, ref v1, ref v2, ref v3);
            Round(ref v0, ref v1, ref v2, ref v3);
            v0 ^= word;
        }
        for (int i = 0; i < bytes.Length; i++)
            last |= (ulong)bytes[i] << (8 * i);
        v3 ^= last;
        Round(ref v0, ref v1, ref v2, ref v3);
        Round(ref v0, ref v1, ref v2, ref v3);
        v0 ^= last;
        v2 ^= 0xee;
        for (int i = 0; i < 4; i++)
            Round(ref v0, ref v1, ref v2, ref v3);
        ulong low = v0 ^ v1 ^ v2 ^ v3;
        v1 ^= 0xdd;
        for (int i = 0; i < 4; i++)
            Round(ref v0, ref v1, ref v2, ref v3);
        return new MessageKey(low, v0 ^ v1 ^ v2 ^ v3);
    }

    private static void Round(ref ulong v0, ref ulong v1, ref ulong v2, ref ulong v3)
    {
        v0 += v1;
        v2 += v3;
        v1 = BitOperations.RotateLeft(v1, 13) ^ v0;
        v3 = BitOperations.RotateLeft(v3, 16) ^ v2;
        v0 = BitOperations.RotateLeft(v0, 32);
        v2 += v1;
        v0 += v3;
        v1 = BitOperations.RotateLeft(v1, 17) ^ v2;
        v3 = BitOperations.RotateLeft(v3, 21) ^ v0;
        v2 = BitOperations.RotateLeft(v2, 32);
    }
}
