using System.Collections.Immutable;
using Drap.Core.Nodes;
using Drap.Core.Transfer;
using Drap.Node.Blobs;
using Drap.Node.Overlay;
using Xunit;

namespace Drap.Node.Tests.Blobs;

/// <summary>Blobs that go from one node's store to another's (docs/protocol/blobs.md).</summary>
public sealed class BlobExchangeTests : IDisposable
{
    private static readonly JobId Job = new(Guid.Parse("0192c1d4-0000-7000-8000-000000000001"));

    private readonly StoreFixture from = new(), to = new();
    private readonly MemoryOverlay room = new();
    private readonly IOverlay holder, asker;
    private readonly BlobExchange serving, fetching;

    public BlobExchangeTests()
    {
        (holder, asker) = (room.Join(Peer(1), new Deaf()), room.Join(Peer(2), new Deaf()));
        (serving, fetching) = (new BlobExchange(from.Store, holder), new BlobExchange(to.Store, asker));
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        fetching.Dispose();
        serving.Dispose();
        asker.Dispose();
        holder.Dispose();
        from.Dispose();
        to.Dispose();
    }

    /// <summary>Around every border of leaves, levels and packs.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(UnixFs.ChunkBytes - 1)]
    [InlineData(UnixFs.ChunkBytes)]
    [InlineData(UnixFs.ChunkBytes + 1)]
    [InlineData(3 * UnixFs.ChunkBytes)]
    [InlineData((UnixFs.LinksPerNode * UnixFs.ChunkBytes) - 1)]
    [InlineData(UnixFs.LinksPerNode * UnixFs.ChunkBytes)]
    [InlineData((UnixFs.LinksPerNode * UnixFs.ChunkBytes) + 1)]
    public async Task A_file_comes_whole_and_is_kept_for_its_job(int length)
    {
        byte[] bytes = StoreFixture.Bytes(7, length);
        Cid cid = from.Store.AddBytes(bytes);
        BlobFetch fetched = await FetchAsync(cid, Job);
        Assert.Equal(new BlobFetch(FetchEnd.Safe, [], ""), fetched);
        Assert.Equal(bytes, StoreFixture.ReadAll(to.Store, cid));
        Assert.True(to.Store.IsPinned(Job, cid));
        await to.Store.CollectAsync(cancellationToken: Cancel);
        Assert.True(to.Reopen().Contains(cid));
    }

    [Fact]
    public async Task A_folder_comes_with_all_below_it_and_only_what_is_lacking_is_sent()
    {
        for (int i = 0; i < 300; i++)
            from.Write($"tree/{i % 7}/{i}.txt", StoreFixture.Bytes((ulong)i, 40));
        byte[] large = StoreFixture.Bytes(1, 700_000);
        from.Write("tree/large", large);
        from.Write("tree/again/large", large);
        Directory.CreateDirectory(from.At("tree/empty"));
        Cid root = from.Store.AddDirectory(from.At("tree")).Root;
        to.Store.AddBytes(large);
        Assert.False(fetching.Has(root));
        Assert.Equal(FetchEnd.Safe, (await FetchAsync(root)).End);
        Assert.True(fetching.Has(root));
        to.Store.Materialise(root, to.At("out"));
        Assert.Equal(Files(from.At("tree")), Files(to.At("out")));

        static IEnumerable<(string, string)> Files(string folder) => Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)
            .Select(f => (Path.GetRelativePath(folder, f), Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(f))))).Order();
    }

    [Fact]
    public async Task What_the_holder_lacks_is_named_and_the_rest_comes()
    {
        Cid here = from.Store.AddBytes([1, 2, 3]), gone = Cid.Of(CidCodec.Raw, [4]);
        BlobFetch fetched = await fetching.FetchAsync(holder.Self, [new WantedBlob(gone, false), new WantedBlob(here, false)], null, Cancel);
        Assert.Equal((FetchEnd.Gone, $"it does not have {gone}"), (fetched.End, fetched.Why));
        Assert.Equal([gone], fetched.Missing);
        Assert.True(to.Store.Contains(here));
    }

    /// <summary>What is lacking below a folder makes the folder missing, under its own name.</summary>
    [Fact]
    public async Task A_folder_of_which_the_holder_lost_a_part_is_missing()
    {
        from.Write("tree/a", StoreFixture.Bytes(1, 300_000));
        Cid root = from.Store.AddDirectory(from.At("tree")).Root;
        File.Delete(Directory.GetFiles(Path.Combine(from.Options.Folder, "files"), "*", SearchOption.AllDirectories).Single(f => !f.EndsWith(".dag", StringComparison.Ordinal)));
        from.Reopen();
        using var served = new BlobExchange(from.Store, room.Join(Peer(3), new Deaf()));
        BlobFetch fetched = await fetching.FetchAsync(Peer(3), [new WantedBlob(root, false)], null, Cancel);
        Assert.Equal(FetchEnd.Gone, fetched.End);
        Assert.Equal([root], fetched.Missing);
    }

    /// <summary>A spoilt leaf is found by the holder, who breaks off; nothing of the file is kept here, and the next who asks is told that it is gone.</summary>
    [Fact]
    public async Task A_spoilt_leaf_breaks_off_and_leaves_nothing()
    {
        Cid cid = from.Store.AddBytes(StoreFixture.Bytes(3, 1_000_000));
        string file = from.FileOf(cid);
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        using (FileStream spoil = File.OpenWrite(file))
        {
            spoil.Position = 600_000;
            spoil.WriteByte(1);
        }
        Assert.Equal(FetchEnd.Unreachable, (await FetchAsync(cid)).End);
        Assert.False(to.Store.Contains(cid));
        Assert.Empty(Directory.GetFiles(Path.Combine(to.Options.Folder, "tmp")));
        Assert.Equal(FetchEnd.Gone, (await FetchAsync(cid)).End);
    }

    [Fact]
    public async Task Many_fetches_of_the_same_are_one()
    {
        Cid cid = from.Store.AddBytes(StoreFixture.Bytes(3, 3_000_000));
        BlobFetch[] all = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => FetchAsync(cid)));
        Assert.All(all, f => Assert.Equal(FetchEnd.Safe, f.End));
        Assert.Equal(1, to.Store.Count);
    }

    [Fact]
    public async Task Who_is_not_there_is_unreachable()
    {
        BlobFetch fetched = await fetching.FetchAsync(Peer(9), [new WantedBlob(Cid.Of(CidCodec.Raw, [1]), false)], null, Cancel);
        Assert.Equal(FetchEnd.Unreachable, fetched.End);
        Assert.Empty(fetched.Missing);
    }

    /// <summary>Holders that send something else, too much, half of it, or nothing of sense.</summary>
    [Theory]
    [InlineData("other", FetchEnd.Gone)]
    [InlineData("long", FetchEnd.Gone)]
    [InlineData("status", FetchEnd.Gone)]
    [InlineData("cut", FetchEnd.Unreachable)]
    [InlineData("nothing", FetchEnd.Unreachable)]
    public async Task Nothing_is_believed(string what, FetchEnd expected)
    {
        byte[] bytes = StoreFixture.Bytes(5, 100);
        Cid cid = Cid.Of(CidCodec.Raw, bytes);
        using IOverlay liar = room.Join(Peer(4), new Deaf());
        liar.Handle(BlobWire.Protocol, async (_, stream, cancel) =>
        {
            await stream.ReadExactlyAsync(new byte[BlobWire.RequestBytes], cancel);
            byte[] answer = what switch
            {
                "other" => [BlobWire.Here, 0, 0, 0, 100, .. StoreFixture.Bytes(6, 100)],
                "long" => [BlobWire.Here, 0xff, 0xff, 0xff, 0xff, .. bytes],
                "status" => [77],
                "cut" => [BlobWire.Here, 0, 0, 0, 100, .. bytes[..50]],
                _ => [],
            };
            await stream.WriteAsync(answer, cancel);
        });
        BlobFetch fetched = await fetching.FetchAsync(Peer(4), [new WantedBlob(cid, false)], null, Cancel);
        Assert.Equal(expected, fetched.End);
        Assert.Equal(0, to.Store.Count);
    }

    private Task<BlobFetch> FetchAsync(Cid cid, JobId? job = null) => fetching.FetchAsync(holder.Self, [new WantedBlob(cid, job is not null)], job, Cancel);

    private static PeerId Peer(byte seed) => PeerId.FromEd25519([.. Enumerable.Repeat(seed, 32)]);

    private sealed class Deaf : IOverlayEvents
    {
        public bool Frame(PeerId from, ReadOnlyMemory<byte> frame) => true;

        public void WaitForRoom()
        {
        }

        public void Audience(string topic, ImmutableArray<PeerId> members)
        {
        }

        public void PeerGone(PeerId peer)
        {
        }
    }
}
