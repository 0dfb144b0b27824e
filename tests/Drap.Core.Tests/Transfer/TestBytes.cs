namespace Drap.Core.Tests.Transfer;

/// <summary>The low bytes of Marsaglia's xorshift32, which any language makes in three lines; what the vectors' files hold.</summary>
internal static class TestBytes
{
    public static byte[] Make(uint seed, int length)
    {
        var bytes = new byte[length];
        uint x = seed;
        for (int i = 0; i < length; i++)
        {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            bytes[i] = (byte)x;
        }
        return bytes;
    }
}
