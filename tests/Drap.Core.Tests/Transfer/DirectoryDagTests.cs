using System.Globalization;
using Drap.Core.Transfer;
using Xunit;

namespace Drap.Core.Tests.Transfer;

/// <summary>The vectors come from the importer that <see cref="FileDagTests"/> names, with shards above 262144 bytes of links.</summary>
public sealed class DirectoryDagTests
{
    private readonly Dictionary<Cid, byte[]> blocks = [];

    [Fact]
    public void The_empty_directory_has_its_well_known_name() =>
        Assert.Equal("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354", Make([]).Target.ToString());

    [Fact]
    public void Entries_are_sorted_by_the_bytes_of_their_names()
    {
        DagLink b = Make([File("c.bin", 2, 300000), File("Zed", 3, 5)]);
        DagLink root = Make([
            File("a.txt", 1, 10), b with { Name = "b" }, File("é", 4, 7), File("a-b", 5, 6), File("a", 6, 3)]);
        Assert.Equal("bafybeicx4wriitdlthpc377niding6nuhmiqchivicfpmuvse2h62ghmra", root.Target.ToString());
        Assert.Equal(300479, root.DagBytes);
        Assert.Equal(["a", "a-b", "a.txt", "b", "é"], List(root.Target).Select(l => l.Name));
    }

    [Fact]
    public void Names_beyond_the_basic_plane_sort_after_all_others() =>
        Assert.Equal(
            "bafybeia4hbd6iyn3a2enoezogyicvgzi2mu2avo7dqb6cflsvn72bfw32y",
            Make([File("\uff21", 1, 1), File("\U0001F600", 2, 2), File("z", 3, 3)]).Target.ToString());

    [Theory]
    [InlineData(1000, 5, "bafybeiazu3kep4b4pyt3jimykkdgqgsabk6qurgdqqsxija42tsbtcbmue", 78504)]
    [InlineData(5698, 5, "bafybeibywcfzgwusdcuc2iwd26mabplvwozqtp5pojixhm46necdoi6i5a", 447249)]
    [InlineData(5699, 5, "bafybeidvdpqrfozbmarikq6mehxzkenkfyfkvlx56ryznkpcsedhttxtl4", 500148)]
    [InlineData(20000, 5, "bafybeibvolu4ctf6ofcbxg2xq5td4lkg45iqedztog44btpby2fooflrc4", 1833845)]
    [InlineData(4096, 23, "bafybeidtbhi6fqtqxgu74iil7jkfw7b7f3wuyetcod232vokfgalw3czbu", 395176)]
    public void Large_directories_turn_into_shards_exactly_above_the_threshold(int count, int digits, string cid, long dagBytes)
    {
        DagLink[] entries = [.. Enumerable.Range(0, count).Select(i =>
            File("file-" + i.ToString("D" + digits, CultureInfo.InvariantCulture), (uint)i + 1, i % 50))];
        DagLink root = Make(entries);
        Assert.Equal(cid, root.Target.ToString());
        Assert.Equal(dagBytes, root.DagBytes);
        Assert.Equal(entries, List(root.Target));
    }

    [Fact]
    public void Shards_take_names_in_any_script()
    {
        DagLink root = Make(Enumerable.Range(0, 7000).Select(i =>
            File(string.Create(CultureInfo.InvariantCulture, $"né-{i}-😀"), (uint)i + 1, 3)));
        Assert.Equal("bafybeifk4vu6ycywa3phrhiyjbfjlzz37bzabjp4bepxir6vxhonkzirki", root.Target.ToString());
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/b")]
    [InlineData("")]
    [InlineData("nul\0")]
    public void A_name_that_is_no_file_name_is_refused(string name)
    {
        DagBlock block = DagPb.Directory([new DagLink(name, Cid.Of(CidCodec.Raw, [1]), 1)]);
        Assert.False(DirectoryDag.TryList(block.Cid, _ => block.Bytes.ToArray(), 10, null, out _, out string? error));
        Assert.Contains("no file name", error);
    }

    [Fact]
    public void A_name_that_comes_twice_is_refused()
    {
        DagLink link = new("x", Cid.Of(CidCodec.Raw, [1]), 1);
        DagBlock block = DagPb.Directory([link, link]);
        Assert.False(DirectoryDag.TryList(block.Cid, _ => block.Bytes.ToArray(), 10, null, out _, out string? error));
        Assert.Contains("twice", error);
    }

    [Fact]
    public void More_entries_than_allowed_are_refused()
    {
        DagLink root = Make([File("a", 1, 1), File("b", 1, 1), File("c", 1, 1)]);
        Assert.False(DirectoryDag.TryList(root.Target, Read, 2, null, out _, out string? error));
        Assert.Contains("more than 2 entries", error);
    }

    [Fact]
    public void Shards_that_only_lead_to_shards_end_after_a_bounded_number_of_reads()
    {
        // Eight levels of 256 links to the one shard below: 2^64 paths in nine small blocks.
        DagBlock shard = DagPb.Shard([], [1]);
        blocks[shard.Cid] = shard.Bytes.ToArray();
        for (int level = 0; level < 8; level++)
        {
            DagLink below = new("00", shard.Cid, 0);
            shard = DagPb.Shard([.. Enumerable.Repeat(below, 256)], [1]);
            blocks[shard.Cid] = shard.Bytes.ToArray();
        }
        int reads = 0;
        Assert.False(DirectoryDag.TryList(shard.Cid, c => { reads++; return Read(c); }, 1000, null, out _, out _));
        Assert.InRange(reads, 1, 1001);
    }

    [Fact]
    public void A_missing_shard_is_named()
    {
        DagLink root = Make(Enumerable.Range(0, 20000).Select(i => File("file-" + i.ToString("D5", CultureInfo.InvariantCulture), 1, 1)));
        Cid gone = blocks.Keys.First(c => c != root.Target && c.Codec == CidCodec.DagPb);
        blocks.Remove(gone);
        Assert.False(DirectoryDag.TryList(root.Target, Read, 100_000, null, out _, out string? error));
        Assert.Contains(gone.ToString(), error);
    }

    [Theory]
    [InlineData("a", 0, true)]
    [InlineData("a/b/c", 0, true)]
    [InlineData("./a", 0, true)]
    [InlineData("..", 0, false)]
    [InlineData("..", 1, true)]
    [InlineData("../../x", 1, false)]
    [InlineData("../../x", 2, true)]
    [InlineData("a/../b", 3, false)]
    [InlineData("/etc/passwd", 9, false)]
    [InlineData("", 0, false)]
    public void A_symlink_may_not_lead_out(string target, int depth, bool stays) =>
        Assert.Equal(stays, SymlinkTarget.StaysInside(target, depth));

    private byte[]? Read(Cid cid) => blocks.GetValueOrDefault(cid);

    private List<DagLink> List(Cid root)
    {
        Assert.True(DirectoryDag.TryList(root, Read, 100_000, null, out List<DagLink> entries, out string? error), error);
        return entries;
    }

    private DagLink Make(IEnumerable<DagLink> entries)
    {
        List<DagBlock> made = DirectoryDag.Make(entries, out long dagBytes)!;
        foreach (DagBlock block in made)
            blocks[block.Cid] = block.Bytes.ToArray();
        return new DagLink("", made[^1].Cid, dagBytes);
    }

    private static DagLink File(string name, uint seed, int length)
    {
        using var builder = new FileDagBuilder();
        Assert.True(builder.TryAppend(TestBytes.Make(seed, length)));
        FileDag dag = builder.Finish();
        return new DagLink(name, dag.Root, dag.DagBytes);
    }
}
