namespace Drap.Libp2p.Multiformats;

/// <summary>A digest that says by which function it was made (multiformats/multihash): its code, its length, and its bytes.</summary>
public static class Multihash
{
    /// <summary>The code of sha2-256.</summary>
    public const ulong Sha256 = 0x12;

    /// <summary>The code of the digest that is the data itself.</summary>
    public const ulong Identity = 0x00;

    /// <summary>The longest digest taken, in bytes: what go allows an identity digest, and twice the longest of a hash in use.</summary>
    public const int DigestBytesMax = 128;

    /// <summary>Takes one apart. False if it is longer or shorter than it says, or too long; any function is taken.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, out ulong code, out ReadOnlySpan<byte> digest)
    {
        digest = default;
        if (UnsignedVarint.TryRead(bytes, out code, out int codeBytes) != VarintStatus.Done
            || UnsignedVarint.TryRead(bytes[codeBytes..], out ulong length, out int lengthBytes) != VarintStatus.Done
            || length > DigestBytesMax || bytes.Length - codeBytes - lengthBytes != (int)length)
            return false;
        digest = bytes[(codeBytes + lengthBytes)..];
        return true;
    }
}
