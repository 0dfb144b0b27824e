using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Libp2p.Tests.Multiformats;

public sealed class UnsignedVarintTests
{
    [Theory]
    [InlineData(1UL, "01")]
    [InlineData(127UL, "7f")]
    [InlineData(128UL, "8001")]
    [InlineData(255UL, "ff01")]
    [InlineData(300UL, "ac02")]
    [InlineData(16384UL, "808001")]
    [InlineData((ulong)long.MaxValue, "ffffffffffffffff7f")]
    public void The_specification_s_examples(ulong value, string hex)
    {
        byte[] bytes = new byte[UnsignedVarint.BytesMax];
        int written = UnsignedVarint.Write(bytes, value);
        Assert.Equal(hex, Convert.ToHexStringLower(bytes.AsSpan(0, written)));
        Assert.Equal(written, UnsignedVarint.Length(value));
        Assert.Equal(VarintStatus.Done, UnsignedVarint.TryRead(bytes, out ulong back, out int length));
        Assert.Equal((value, written), (back, length));
        Assert.Equal(VarintStatus.Incomplete, UnsignedVarint.TryRead(bytes.AsSpan(0, written - 1), out _, out _));
    }

    [Theory]
    [InlineData("8000")] // zero in two bytes
    [InlineData("818000")] // one in three
    [InlineData("80808080808080808001")] // ten bytes
    public void Too_long_or_not_minimal_is_malformed(string hex) =>
        Assert.Equal(VarintStatus.Malformed, UnsignedVarint.TryRead(Convert.FromHexString(hex), out _, out _));
}
