using System.Security.Cryptography;

namespace Drap.Libp2p.Host;

/// <summary>What machines draw from is seeded with the system's generator, so that no peer can foresee it.</summary>
internal static class SystemRandom
{
    public static ulong NextUInt64()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return BitConverter.ToUInt64(bytes);
    }

    public static Prng NewPrng() => new(NextUInt64());
}
