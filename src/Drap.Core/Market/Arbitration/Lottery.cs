using System.Buffers.Binary;

namespace Drap.Core.Market.Arbitration;

/// <summary>
/// Draws that a worker makes by hashing, not by chance: each worker draws differently, the same worker always the same. So a part of a
/// large audience answers an ad, and workers do not all pack the same of equal tasks.
/// </summary>
public static class Lottery
{
    /// <summary>A number for this worker and ad, even over 64 bits.</summary>
    public static ulong Draw(PeerId worker, AdId ad)
    {
        Span<byte> id = stackalloc byte[16];
        ad.Value.TryWriteBytes(id, bigEndian: true, out _);
        return Mix(Fold(Fold(0xcbf29ce484222325, worker.Bytes), id));
    }

    /// <summary>A number for this worker and group: the order in which it takes equals.</summary>
    public static ulong Draw(PeerId worker, PeerId scheduler, int group) =>
        Mix(Fold(Fold(0xcbf29ce484222325, worker.Bytes), scheduler.Bytes) ^ BinaryPrimitives.ReverseEndianness((ulong)group));

    /// <summary>The draw as a number from 0 to 999.</summary>
    public static int Permille(ulong draw) => (int)Math.BigMul(draw, 1000, out _);

    // FNV-1a, then the finalizer of SplitMix64: stable over versions and machines, which the hash codes of .NET are not.
    private static ulong Fold(ulong hash, ReadOnlySpan<byte> bytes)
    {
        foreach (byte b in bytes)
            hash = (hash ^ b) * 0x100000001b3;
        return hash;
    }

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
}
