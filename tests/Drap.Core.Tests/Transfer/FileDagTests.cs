using Drap.Core.Transfer;
using Xunit;

namespace Drap.Core.Tests.Transfer;

/// <summary>
/// The vectors were made with ipfs-unixfs-importer 17.1.1 of npm: CIDv1, raw leaves, 262144-byte chunks, balanced layout with
/// 174 children, which is what kubo does for <c>ipfs add --cid-version=1</c>.
/// </summary>
public sealed class FileDagTests
{
    [Theory]
    [InlineData("", "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku")]
    [InlineData("hello world", "bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e")]
    public void Well_known_texts_have_their_well_known_names(string text, string cid) =>
        Assert.Equal(cid, DagOf(System.Text.Encoding.UTF8.GetBytes(text)).Root.ToString());

    [Theory]
    [InlineData(1, 0, "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku", 0)]
    [InlineData(1, 1, "bafkreif3oielzg25pqcpci3kqkqasos6gp2aii6vxkguezxxbewdxjb3mi", 1)]
    [InlineData(2, 262143, "bafkreib5w3jwjcip2xfe3oa5m75rqz5j3plwdnkdfulgaqg7a3lefql464", 262143)]
    [InlineData(3, 262144, "bafkreifmctk6so4i6kzokdsxs6myjigis75ncgre2zr6gbes2uvm4z6cum", 262144)]
    [InlineData(4, 262145, "bafybeial3pl65hzn534mq5lm4vs5ilct7gyw5tn5jyefkzk22sotgz3hg4", 262249)]
    [InlineData(5, 524288, "bafybeiambyliauuh35nbd4hourog2a5hn6cbwmpn3qptk2hy3b6kx73j5y", 524396)]
    [InlineData(6, 1000000, "bafybeigx56c2q5qlncyc2jer6vns3su3mrmmsq4mfdb2s26h2zldvndiiy", 1000208)]
    [InlineData(7, 45350912, "bafybeid6x4oaomr3w3vswbpnxn7wpua5bz4jv2c3icg327vrdrofjekila", 45359572)]
    [InlineData(8, 45613056, "bafybeihfw4htfrv57kgwas6lrm3ph6xbx2vwu2ppfdclhu774tnvsgrtq4", 45621766)]
    [InlineData(9, 45613057, "bafybeid3nv6ki2ygksi5ezd6thmiukip6e6q4nprtqcwbjf2ywsgickqqa", 45621926)]
    [InlineData(11, 91226117, "bafybeiapiexm7xgwywtsut3ctjkprdvv5vargzkpbzj5xtahpff2swcxiq", 91243748)]
    [InlineData(12, 91488256, "bafybeifpdr376zxadaqberwteczqhpi3hbkyrffroo4cugyn7dtofomula", 91505897)]
    public void Files_of_one_to_three_levels_are_named_as_ipfs_names_them(uint seed, int length, string cid, long dagBytes)
    {
        FileDag dag = DagOf(TestBytes.Make(seed, length));
        Assert.Equal(cid, dag.Root.ToString());
        Assert.Equal(dagBytes, dag.DagBytes);
        Assert.Equal(length, dag.Length);
    }

    [Fact]
    public void The_pieces_in_which_bytes_come_do_not_matter()
    {
        byte[] bytes = TestBytes.Make(6, 1000000);
        var prng = new Prng(1);
        for (int round = 0; round < 5; round++)
        {
            using var builder = new FileDagBuilder();
            for (int at = 0; at < bytes.Length;)
            {
                int take = Math.Min(bytes.Length - at, prng.Below(2) == 0 ? prng.Below(1000) : prng.Below(400_000));
                Assert.True(builder.TryAppend(bytes.AsSpan(at, take)));
                at += take;
            }
            Assert.Equal("bafybeigx56c2q5qlncyc2jer6vns3su3mrmmsq4mfdb2s26h2zldvndiiy", builder.Finish().Root.ToString());
        }
    }

    [Fact]
    public void Each_chunk_verifies_and_one_flipped_bit_does_not()
    {
        byte[] bytes = TestBytes.Make(6, 1000000);
        FileDag dag = DagOf(bytes);
        for (int i = 0; i < dag.LeafCount; i++)
            Assert.True(dag.Verifies(i, bytes.AsSpan(i * UnixFs.ChunkBytes, dag.LeafLength(i))));
        bytes[999_999] ^= 1;
        Assert.False(dag.Verifies(3, bytes.AsSpan(3 * UnixFs.ChunkBytes)));
        Assert.False(dag.Verifies(3, bytes.AsSpan(3 * UnixFs.ChunkBytes)[..^1]));
    }

    [Fact]
    public void Inner_nodes_decode_to_the_files_leaves_in_order()
    {
        FileDag dag = DagOf(TestBytes.Make(12, 91488256));
        var leaves = new List<Cid>();
        foreach (DagBlock block in dag.Nodes())
        {
            Assert.Equal(block.Cid, Cid.Of(CidCodec.DagPb, block.Bytes.Span));
            Assert.True(DagPb.TryDecode(block.Bytes, out DagNode? node, out _));
            Assert.Equal(UnixFsKind.File, node.Kind);
            Assert.Equal(node.FileBytes, node.BlockBytes.Sum());
            leaves.AddRange(node.Links.Where(l => l.Target.Codec == CidCodec.Raw).Select(l => l.Target));
        }
        Assert.Equal(Enumerable.Range(0, 349).Select(dag.LeafAt), leaves);
    }

    private static FileDag DagOf(byte[] bytes)
    {
        using var builder = new FileDagBuilder();
        Assert.True(builder.TryAppend(bytes));
        return builder.Finish();
    }
}
