using System.Collections.Immutable;
using Drap.Core.Nodes;
using Drap.Core.Transfer;
using Drap.Node.Blobs;
using Drap.Node.Overlay;
using Drap.Node.Time;
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
        BlobFetch fetched = await fetching.FetchAsync(holder.Self, [new WantedBlob(gone, false), new WantedBlob(here, false)], null, null, Cancel);
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
        BlobFetch fetched = await fetching.FetchAsync(Peer(3), [new WantedBlob(root, false)], null, null, Cancel);
        Assert.Equal(FetchEnd.Gone, fetched.End);
        Assert.Equal([root], fetched.Missing);
    }

    /// <summary>A spoilt leaf is found by the holder, who breaks off, and when he is asked again it is gone; nothing of the file counts as here.</summary>
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
        Assert.Equal(FetchEnd.Gone, (await FetchAsync(cid)).End);
        Assert.False(to.Store.Contains(cid));
        Assert.Empty(Directory.GetFiles(Path.Combine(to.Options.Folder, "tmp")));
        // What came of it waits for another who has it, and not for ever.
        await to.Store.CollectAsync(cancellationToken: Cancel);
        Assert.Empty(Directory.GetFiles(Path.Combine(to.Options.Folder, "partial")));
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
        BlobFetch fetched = await fetching.FetchAsync(Peer(9), [new WantedBlob(Cid.Of(CidCodec.Raw, [1]), false)], null, null, Cancel);
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
                "other" => [(byte)BlobStatus.Here, 0, 0, 0, 100, .. StoreFixture.Bytes(6, 100)],
                "long" => [(byte)BlobStatus.Here, 0xff, 0xff, 0xff, 0xff, .. bytes],
                "status" => [77],
                "cut" => [(byte)BlobStatus.Here, 0, 0, 0, 100, .. bytes[..50]],
                _ => [],
            };
            await stream.WriteAsync(answer, cancel);
        });
        BlobFetch fetched = await fetching.FetchAsync(Peer(4), [new WantedBlob(cid, false)], null, null, Cancel);
        Assert.Equal(expected, fetched.End);
        Assert.Equal(0, to.Store.Count);
    }

    /// <summary>The stream breaks off in the midst of a file, again and again: no leaf comes twice.</summary>
    [Fact]
    public async Task After_a_cut_only_what_is_lacking_comes()
    {
        const int leaves = 40;
        byte[] bytes = StoreFixture.Bytes(8, leaves * UnixFs.ChunkBytes);
        Cid cid = from.Store.AddBytes(bytes);
        using IOverlay brittle = room.Join(Peer(5), new Deaf());
        int streams = 0;
        brittle.Handle(BlobWire.Protocol, async (_, stream, cancel) =>
        {
            streams++;
            await PassAsync(stream, holder.Self, 11 * UnixFs.ChunkBytes, cancel);
        });
        BlobFetch fetched = await fetching.FetchAsync(Peer(5), [new WantedBlob(cid, false)], null, null, Cancel);
        Assert.Equal(new BlobFetch(FetchEnd.Safe, [], ""), fetched);
        Assert.Equal(bytes, StoreFixture.ReadAll(to.Store, cid));
        Assert.Equal(4, streams);
        // Each try costs the outline, of 40 names, and a byte for each answer.
        Assert.InRange(fetching.Received, bytes.Length, bytes.Length + (4 * 4096));
    }

    /// <summary>The process that fetched dies in the midst; the next one finds what had come.</summary>
    [Fact]
    public async Task What_came_before_the_process_died_is_not_fetched_again()
    {
        const int leaves = 64;
        byte[] bytes = StoreFixture.Bytes(9, leaves * UnixFs.ChunkBytes);
        Cid cid = from.Store.AddBytes(bytes);
        using (IOverlay brittle = room.Join(Peer(5), new Deaf()))
        {
            var cut = new TaskCompletionSource();
            brittle.Handle(BlobWire.Protocol, async (_, stream, cancel) =>
            {
                await PassAsync(stream, holder.Self, (leaves / 2 * UnixFs.ChunkBytes) + 4096, cancel);
                cut.TrySetResult();
                await Task.Delay(Timeout.Infinite, cancel);
            });
            using var dies = new CancellationTokenSource();
            Task<BlobFetch> fetch = fetching.FetchAsync(Peer(5), [new WantedBlob(cid, false)], null, null, dies.Token);
            await cut.Task.WaitAsync(Cancel);
            await dies.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetch);
        }
        long first = fetching.Received;
        to.Reopen();
        using IOverlay again = room.Join(Peer(6), new Deaf());
        using var exchange = new BlobExchange(to.Store, again);
        Assert.Equal(FetchEnd.Safe, (await exchange.FetchAsync(holder.Self, [new WantedBlob(cid, false)], null, null, Cancel)).End);
        Assert.Equal(bytes, StoreFixture.ReadAll(to.Store, cid));
        // What was on its way when the process died may come twice: a leaf that it had not written yet.
        Assert.InRange(first + exchange.Received, bytes.Length, bytes.Length + (2 * UnixFs.ChunkBytes) + 16384);
    }

    /// <summary>What a person spoilt of an unfinished file, or a crash left unwritten, comes again.</summary>
    [Fact]
    public async Task What_is_not_right_of_an_unfinished_file_comes_again()
    {
        byte[] bytes = StoreFixture.Bytes(9, 10 * UnixFs.ChunkBytes), spoilt = [.. bytes];
        Cid cid = from.Store.AddBytes(bytes);
        Array.Clear(spoilt, 3 * UnixFs.ChunkBytes, UnixFs.ChunkBytes);
        spoilt[^1] ^= 1;
        _ = to.Store;
        to.Write($"store/partial/{cid}", spoilt);
        Assert.Equal(FetchEnd.Safe, (await FetchAsync(cid)).End);
        Assert.Equal(bytes, StoreFixture.ReadAll(to.Store, cid));
        Assert.InRange(fetching.Received, 2 * UnixFs.ChunkBytes, (2 * UnixFs.ChunkBytes) + 4096);
    }

    /// <summary>Two have it, and the first knows of the second: both bring a part, and nothing comes twice. One of them dies: the other brings its share.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_large_file_comes_from_all_who_have_it(bool dies)
    {
        const int leaves = 128;
        byte[] bytes = StoreFixture.Bytes(10, leaves * UnixFs.ChunkBytes);
        Cid cid = from.Store.AddBytes(bytes);
        using var second = new StoreFixture();
        using IOverlay other = room.Join(Peer(7), new Deaf());
        using var helping = new BlobExchange(second.Store, other);
        // The first knows that the second has it, since it gave it.
        Assert.Equal(FetchEnd.Safe, (await helping.FetchAsync(holder.Self, [new WantedBlob(cid, false)], null, null, Cancel)).End);
        using IOverlay leading = room.Join(Peer(8), new Deaf());
        long led = 0;
        leading.Handle(BlobWire.Protocol, async (_, stream, cancel) => await PassAsync(stream, holder.Self, dies ? 20 * UnixFs.ChunkBytes : long.MaxValue, cancel, n => Interlocked.Add(ref led, n)));
        BlobFetch fetched = await fetching.FetchAsync(Peer(8), [new WantedBlob(cid, false)], null, null, Cancel);
        Assert.Equal(FetchEnd.Safe, fetched.End);
        Assert.Equal(bytes, StoreFixture.ReadAll(to.Store, cid));
        Assert.InRange(led, 1, bytes.Length - UnixFs.ChunkBytes);
        Assert.InRange(fetching.Received, bytes.Length, bytes.Length + (2 * UnixFs.ChunkBytes) + 32768);
    }

    /// <summary>A peer gets its rate, and what it does not read waits at the holder.</summary>
    [Fact]
    public async Task A_peer_gets_no_more_than_its_rate()
    {
        Cid cid = from.Store.AddBytes(StoreFixture.Bytes(11, 6 * UnixFs.ChunkBytes));
        using IOverlay slow = room.Join(Peer(9), new Deaf());
        using var serves = new BlobExchange(from.Store, slow, bytesPerSecond: 4 * UnixFs.ChunkBytes);
        Instant begun = BootClock.Now;
        Assert.Equal(FetchEnd.Safe, (await fetching.FetchAsync(Peer(9), [new WantedBlob(cid, false)], null, null, Cancel)).End);
        // Six leaves at four a second, less the tenth of a second that was saved up.
        Assert.InRange((BootClock.Now - begun).TotalSeconds, 1.3, 60);
    }

    /// <summary>Passes a stream on to another node, and cuts it after so many bytes of answers.</summary>
    private async Task PassAsync(OverlayStream stream, PeerId to, long bytesMax, CancellationToken cancel, Action<int>? told = null)
    {
        await using OverlayStream onward = await asker.OpenStreamAsync(to, BlobWire.Protocol, cancel);
        Task asking = CopyAsync(stream, onward, long.MaxValue, null);
        await CopyAsync(onward, stream, bytesMax, told);
        if (bytesMax == long.MaxValue)
            await asking;

        async Task CopyAsync(OverlayStream source, OverlayStream target, long most, Action<int>? tell)
        {
            byte[] buffer = new byte[64 << 10];
            for (int got; most > 0 && (got = await source.ReadAsync(buffer.AsMemory(0, (int)Math.Min(most, buffer.Length)), cancel)) > 0; most -= got)
            {
                await target.WriteAsync(buffer.AsMemory(0, got), cancel);
                tell?.Invoke(got);
            }
            if (most > 0)
                await target.CompleteWritesAsync(cancel);
        }
    }

    private Task<BlobFetch> FetchAsync(Cid cid, JobId? job = null) => fetching.FetchAsync(holder.Self, [new WantedBlob(cid, job is not null)], null, job, Cancel);

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
