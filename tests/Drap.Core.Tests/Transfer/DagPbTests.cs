using Drap.Core.Transfer;
using Xunit;

namespace Drap.Core.Tests.Transfer;

public sealed class DagPbTests
{
    private static readonly DagLink Link = new("name", Cid.Of(CidCodec.Raw, [1, 2, 3]), 3);

    [Fact]
    public void What_was_written_is_read_back()
    {
        Assert.True(DagPb.TryDecode(DagPb.Symlink("../é").Bytes, out DagNode? link, out _));
        Assert.Equal(UnixFsKind.Symlink, link.Kind);
        Assert.Equal("../é"u8.ToArray(), link.Data.ToArray());

        Assert.True(DagPb.TryDecode(DagPb.File([Link with { Name = "" }], [3]).Bytes, out DagNode? file, out _));
        Assert.Equal([Link with { Name = "" }], file.Links);
        Assert.Equal((UnixFsKind.File, 3L), (file.Kind, file.FileBytes));
        Assert.Equal([3L], file.BlockBytes);

        Assert.True(DagPb.TryDecode(DagPb.Shard([Link], [0x80, 0]).Bytes, out DagNode? shard, out _));
        Assert.Equal((UnixFsKind.Shard, 256L, 0x22UL), (shard.Kind, shard.Fanout, shard.HashCode));
    }

    [Fact]
    public void A_block_cut_anywhere_is_refused_or_reads_as_a_shorter_one_and_never_throws()
    {
        byte[] block = DagPb.File([Link, Link], [3, 3]).Bytes.ToArray();
        for (int length = 0; length < block.Length; length++)
        {
            // Links stand before the data, so each cut loses or breaks the data.
            Assert.False(DagPb.TryDecode(block.AsMemory(0, length), out _, out string? error));
            Assert.NotEmpty(error);
        }
    }

    [Fact]
    public void Blocks_with_random_faults_never_throw()
    {
        const ulong Seed = 20260101;
        var prng = new Prng(Seed);
        byte[] good = DagPb.Shard([Link, Link with { Name = "00é" }], [3]).Bytes.ToArray();
        for (int round = 0; round < 20_000; round++)
        {
            byte[] bad = [.. good];
            for (int i = prng.Below(4); i >= 0; i--)
                bad[prng.Below(bad.Length)] = (byte)prng.NextUInt64();
            if (DagPb.TryDecode(bad, out DagNode? node, out _))
                Assert.True(node.Links.Length <= 2, $"seed {Seed}, round {round}");
        }
    }

    [Theory]
    [InlineData("0a0208")] // data shorter than it says
    [InlineData("0a020801" + "1200")] // a link after the data, without a CID
    [InlineData("0aff ffffffffffffff7f")] // 2^63 bytes
    [InlineData("0affffffffffffffffffff01")] // a varint of eleven bytes
    [InlineData("0a020809")] // no such kind
    [InlineData("0a00")] // no kind
    [InlineData("")] // no data
    [InlineData("1805")] // a field that is none
    [InlineData("0d00000000")] // fixed width
    [InlineData("0a0b080218ffffffffffffffff")] // varint cut inside the data
    [InlineData("0a0d080218ffffffffffffffffff01")] // a file of 2^64 - 1 bytes
    [InlineData("0a0408022001")] // more block sizes than links
    public void Malformed_blocks_are_refused(string hex) =>
        Assert.False(DagPb.TryDecode(Convert.FromHexString(hex.Replace(" ", "", StringComparison.Ordinal)), out _, out _));

    [Fact]
    public void A_block_above_the_limit_is_refused_unread() =>
        Assert.False(DagPb.TryDecode(new byte[UnixFs.BlockBytesMax + 1], out _, out _));

    [Fact]
    public void Packed_block_sizes_and_a_link_of_version_0_are_read()
    {
        byte[] link = [0x0a, 34, 0x12, 0x20, .. new byte[32]];
        byte[] block = [0x12, (byte)link.Length, .. link, 0x0a, 7, 0x08, 2, 0x18, 5, 0x22, 1, 5];
        Assert.True(DagPb.TryDecode(block, out DagNode? node, out string? error), error);
        Assert.Equal(CidCodec.DagPb, node.Links[0].Target.Codec);
        Assert.Equal([5L], node.BlockBytes);
    }
}
