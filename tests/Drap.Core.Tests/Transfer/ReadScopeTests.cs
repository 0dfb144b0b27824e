using Drap.Core.Transfer;
using Xunit;

namespace Drap.Core.Tests.Transfer;

/// <summary>Who may read what over one stream (docs/protocol/blobs.md, BLOB-8).</summary>
public sealed class ReadScopeTests
{
    private static readonly Principal Lab = new("lab"), Other = new("other");
    private static readonly Cid Secret = Name(1), Folder = Name(2);

    [Fact]
    public void Clause_BLOB_8_a_blob_goes_to_its_principals_nodes_and_to_all_if_it_is_public()
    {
        Assert.Equal(ReadRight.Principal, ReadScope.Of(Lab).Judge(Secret, new BlobOwnership([Other, Lab], false)));
        Assert.Equal(ReadRight.None, ReadScope.Of(Other).Judge(Secret, new BlobOwnership([Lab], false)));
        Assert.Equal(ReadRight.None, ReadScope.Of(null).Judge(Secret, BlobOwnership.Nobody));
        Assert.Equal(ReadRight.Public, ReadScope.Of(null).Judge(Secret, new BlobOwnership([Lab], true)));
        Assert.Equal(ReadRight.OpenSwarm, ReadScope.OfOpenSwarm().Judge(Secret, BlobOwnership.Nobody));
    }

    [Fact]
    public void Clause_BLOB_8_a_lease_covers_what_its_folder_names_for_its_stream()
    {
        var scope = ReadScope.Of(Other);
        var lab = new BlobOwnership([Lab], false);
        Assert.True(scope.TryGrant(Folder));
        Assert.Equal(ReadRight.Parent, scope.Judge(Folder, lab));
        Assert.Equal(ReadRight.None, scope.Judge(Secret, lab));
        Assert.True(scope.TryOpen(Naming(Secret), ReadRight.Lease));
        Assert.Equal(ReadRight.Parent, scope.Judge(Secret, lab));
        // And further down.
        Cid below = Name(3);
        Assert.True(scope.TryOpen(Naming(below), ReadRight.Parent));
        Assert.Equal(ReadRight.Parent, scope.Judge(below, lab));
        Assert.Equal(ReadRight.None, ReadScope.Of(Other).Judge(Secret, lab));
    }

    /// <summary>A folder that somebody made up to name what is another's.</summary>
    [Theory]
    [InlineData(ReadRight.Principal)]
    [InlineData(ReadRight.Public)]
    public void Clause_BLOB_8_a_folder_of_ones_own_opens_nothing(ReadRight right)
    {
        var scope = ReadScope.Of(Other);
        Assert.True(scope.TryOpen(Naming(Secret), right));
        Assert.Equal(ReadRight.None, scope.Judge(Secret, new BlobOwnership([Lab], false)));
    }

    [Fact]
    public void A_stream_opens_no_more_than_its_bound_until_something_was_given()
    {
        var scope = ReadScope.Of(Other);
        DagNode wide = Naming([.. Enumerable.Range(0, ReadScope.OpenMax).Select(Name)]);
        Assert.True(scope.TryOpen(wide, ReadRight.Lease));
        Assert.False(scope.TryOpen(Naming(Name(-1)), ReadRight.Lease));
        Assert.False(scope.TryGrant(Name(-1)));
        Assert.Equal(ReadRight.None, scope.Judge(Name(-1), BlobOwnership.Nobody));
        scope.Close(Name(0));
        Assert.True(scope.TryOpen(Naming(Name(-1)), ReadRight.Lease));
    }

    [Fact]
    public void A_rate_holds_back_who_had_enough_and_nobody_else()
    {
        var rates = new PeerRates(1000);
        Instant now = Instant.Zero + TimeSpan.FromHours(1);
        PeerId one = PeerId.FromEd25519([.. Enumerable.Repeat((byte)1, 32)]), other = PeerId.FromEd25519([.. Enumerable.Repeat((byte)2, 32)]);
        // A tenth of a second was saved up.
        Assert.Equal(TimeSpan.Zero, rates.Take(one, 100, now));
        Assert.Equal(TimeSpan.FromSeconds(1), rates.Take(one, 1000, now));
        Assert.Equal(TimeSpan.FromMilliseconds(400), rates.Take(other, 500, now));
        Assert.Equal(TimeSpan.FromMilliseconds(1500), rates.Take(one, 500, now));
        Assert.Equal(TimeSpan.FromMilliseconds(900), rates.Take(one, 1000, now + TimeSpan.FromHours(1)));
        Assert.Equal(TimeSpan.Zero, new PeerRates(0).Take(one, int.MaxValue, now));
    }

    /// <summary>Of a file of several levels: all its inner nodes, and the same digests as the whole file gives.</summary>
    [Theory]
    [InlineData(2)]
    [InlineData(174)]
    [InlineData(175)]
    [InlineData(400)]
    public void An_outline_names_every_leaf(int leaves)
    {
        byte[] digests = TestBytes.Make(7, 32 * leaves);
        var dag = new FileDag(((leaves - 1L) * UnixFs.ChunkBytes) + 5, digests);
        var walk = new FileWalk(dag.Root, isOutline: true);
        foreach ((DagBlock node, int leaf) in dag.Preorder())
            if (leaf < 0)
                Assert.True(walk.TryTake(node.Bytes, out _, out string? error), error);
        Assert.True(walk.IsComplete);
        FileDag found = walk.Finish()!;
        Assert.Equal((dag.Root, dag.Length), (found.Root, found.Length));
        Assert.Equal(digests, found.Digests.ToArray());
    }

    private static DagNode Naming(params Cid[] names)
    {
        DagBlock block = DagPb.Directory([.. names.Take(1).Select(n => new DagLink("x", n, 1))]);
        Assert.True(DagPb.TryDecode(block.Bytes, out DagNode? node, out string? error), error);
        return node with { Links = [.. names.Select(n => new DagLink("x", n, 1))] };
    }

    private static Cid Name(int number) => Cid.Of(CidCodec.DagPb, BitConverter.GetBytes(number));
}
