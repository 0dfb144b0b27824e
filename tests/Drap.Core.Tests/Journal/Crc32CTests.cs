using Drap.Core.Journal;
using Xunit;

namespace Drap.Core.Tests.Journal;

public sealed class Crc32CTests
{
    [Theory]
    [InlineData("313233343536373839", 0xe3069283)]
    [InlineData("0000000000000000000000000000000000000000000000000000000000000000", 0x8a9136aa)]
    [InlineData("ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", 0x62a8ab43)]
    [InlineData("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", 0x46dd794e)]
    [InlineData("1f1e1d1c1b1a191817161514131211100f0e0d0c0b0a09080706050403020100", 0x113fdb5c)]
    public void It_gives_the_values_of_rfc_3720(string hex, uint expected) =>
        Assert.Equal(expected, Crc32C.Compute(Convert.FromHexString(hex)));

    [Fact]
    public void It_agrees_with_the_definition_bit_by_bit_at_every_length()
    {
        var prng = new Prng(1);
        byte[] bytes = new byte[70];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)prng.NextUInt64();
        for (int length = 0; length <= bytes.Length; length++)
            Assert.Equal(BitByBit(bytes.AsSpan(0, length)), Crc32C.Compute(bytes.AsSpan(0, length)));
    }

    private static uint BitByBit(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        foreach (byte b in bytes)
        {
            crc ^= b;
            for (int bit = 0; bit < 8; bit++)
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
        }
        return ~crc;
    }
}
