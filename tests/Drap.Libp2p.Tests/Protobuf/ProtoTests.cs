using Drap.Libp2p.Protobuf;
using Xunit;

namespace Drap.Libp2p.Tests.Protobuf;

public sealed class ProtoTests
{
    [Fact]
    public void A_message_reads_back_as_it_was_written()
    {
        var writer = new ProtoWriter();
        writer.Number(1, 150);
        writer.Text(2, "testing");
        int inner = writer.BeginMessage(3);
        writer.Bytes(1, new byte[200]);
        writer.EndMessage(inner);
        // Figures of the protobuf encoding's own page: 08 96 01, 12 07 74 65 73 74 69 6e 67.
        Assert.Equal("08960112077465737469 6e67".Replace(" ", "", StringComparison.Ordinal), Convert.ToHexStringLower(writer.Written[..12]));

        var reader = new ProtoReader(writer.Written);
        Assert.True(reader.Next());
        Assert.Equal((1, 150), (reader.Field, (int)reader.UInt64()));
        Assert.True(reader.Next());
        Assert.Equal("testing", reader.Text());
        Assert.True(reader.Next());
        var nested = new ProtoReader(reader.Bytes());
        Assert.True(nested.Next());
        Assert.Equal(200, nested.Bytes().Length);
        Assert.False(reader.Next());
        Assert.False(reader.Malformed);
    }

    [Theory]
    [InlineData("0a")] // no length
    [InlineData("0a05ffff")] // longer than the message
    [InlineData("0affffffffffffffffff01")] // a length of 2^64 - 1
    [InlineData("08")] // no number
    [InlineData("08ffffffffffffffffffffff")] // a number without end
    [InlineData("0001")] // field 0
    [InlineData("0b0c")] // a group
    [InlineData("0d010203")] // a cut fixed32
    public void Bad_bytes_end_the_walk(string hex)
    {
        var reader = new ProtoReader(Convert.FromHexString(hex));
        Assert.False(reader.Next());
        Assert.True(reader.Malformed);
    }
}
