namespace Drap.Libp2p.Keys;

/// <summary>
/// Ed25519 (RFC 8032) by libsodium or OpenSSL. Which of them a machine has must not decide what it accepts, since one gossip message goes
/// over many machines: the rules in which the two differ are checked here, before either is asked.
/// </summary>
internal static class Ed25519
{
    public const int SeedBytes = 32, PublicKeyBytes = 32, SignatureBytes = 64;

    /// <summary>The public key that belongs to a seed.</summary>
    public static void PublicKeyOf(ReadOnlySpan<byte> seed, Span<byte> publicKey)
    {
        using var key = EvpKey.FromRawPrivate(EvpKey.Ed25519Type, seed);
        key.CopyRawPublic(publicKey);
    }

    /// <summary>
    /// Whether these bytes may be a public key: a y below 2^255 - 19, and none of the eight points of small order, for which signatures can
    /// be made that fit many messages. Whether there is such a point at all shows at the first verification.
    /// </summary>
    public static bool IsPublicKey(ReadOnlySpan<byte> bytes) =>
        bytes.Length == PublicKeyBytes && IsCanonical(bytes) && !IsOfSmallOrder(bytes);

    /// <summary>
    /// Whether a signature may be one by any key: R is not of small order. That its S is below the group's order and R the one encoding of
    /// its point, both libraries check themselves.
    /// </summary>
    public static bool IsSignature(ReadOnlySpan<byte> bytes) => bytes.Length == SignatureBytes && !IsOfSmallOrder(bytes[..32]);

    private static bool IsCanonical(ReadOnlySpan<byte> point) =>
        (point[31] & 0x7f) != 0x7f || point[0] < 0xed || point[1..31].IndexOfAnyExcept((byte)0xff) >= 0;

    private static bool IsOfSmallOrder(ReadOnlySpan<byte> point)
    {
        // The sign of x does not count: with each of these y, both x are of small order, or there is but one.
        int last = point[31] & 0x7f;
        for (int i = 0; i < SmallOrder.Length; i += 32)
        {
            if (point[..31].SequenceEqual(SmallOrder.Slice(i, 31)) && last == SmallOrder[i + 31])
                return true;
        }
        return false;
    }

    // y of order 4 (0), 1 (1), 8 (two), 2 (-1), and the two that are 0 and 1 again when written as p and p + 1.
    private static ReadOnlySpan<byte> SmallOrder =>
    [
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
        0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
        0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
        0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
        0xed, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
        0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f,
    ];
}
