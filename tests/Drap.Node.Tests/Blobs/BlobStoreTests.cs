using System.Diagnostics;
using Drap.Core.Transfer;
using Drap.Node.Blobs;
using Xunit;

namespace Drap.Node.Tests.Blobs;

public sealed class BlobStoreTests : IDisposable
{
    private static readonly JobId Job = new(new Guid("00000000-0000-4000-8000-000000000001"));

    private readonly StoreFixture fixture = new();

    private static CancellationToken Limit => TestContext.Current.CancellationToken;

    private BlobStore Store => fixture.Store;

    public void Dispose() => fixture.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(16 * 1024)]
    [InlineData(16 * 1024 + 1)]
    [InlineData(256 * 1024)]
    [InlineData(256 * 1024 + 1)]
    [InlineData(3_000_001)]
    public void A_blob_has_its_ipfs_name_however_it_comes_and_reads_back_also_after_opening_anew(int length)
    {
        byte[] bytes = StoreFixture.Bytes(1, length);
        using var builder = new FileDagBuilder();
        Assert.True(builder.TryAppend(bytes));
        Cid expected = builder.Finish().Root;

        Assert.Equal(expected, Store.AddBytes(bytes, new AddOptions { Durable = true }));
        Assert.Equal(expected, Store.AddStream(new MemoryStream(bytes)));
        Assert.Equal(expected, Store.AddFile(fixture.Write("copied", bytes)));
        Assert.Equal(expected, Store.AddFile(fixture.Write("linked", bytes), AddMode.Link));
        Assert.Equal(expected, Store.AddFile(fixture.Write("moved", bytes), AddMode.Move));
        Assert.False(File.Exists(fixture.At("moved")));
        Assert.True(File.Exists(fixture.At("copied")) && File.Exists(fixture.At("linked")));
        Assert.Equal((1, (long)length), (Store.Count, Store.Bytes));
        Assert.Equal(bytes, StoreFixture.ReadAll(Store, expected));

        fixture.Reopen();
        Assert.Equal((1, (long)length), (Store.Count, Store.Bytes));
        Assert.True(Store.TryGetSize(expected, out long size) && size == length);
        Assert.Equal(bytes, StoreFixture.ReadAll(Store, expected));
        Assert.Empty(Directory.GetFiles(Path.Combine(fixture.Options.Folder, "tmp")));
    }

    [Theory]
    [InlineData(AddMode.Copy)]
    [InlineData(AddMode.Move)]
    [InlineData(AddMode.Link)]
    public void Each_way_of_adding_a_large_file_alone_keeps_it(AddMode mode)
    {
        byte[] bytes = StoreFixture.Bytes(2, 700_000);
        string path = fixture.Write("file", bytes);
        Cid cid = Store.AddFile(path, mode);
        Assert.Equal(mode != AddMode.Move, File.Exists(path));
        Assert.Equal(bytes, StoreFixture.ReadAll(Store, cid));
    }

    [Fact]
    public void Any_range_can_be_read()
    {
        byte[] bytes = StoreFixture.Bytes(3, 1_000_000);
        using Stream stream = Store.OpenRead(Store.AddBytes(bytes));
        var prng = new Prng(3);
        var buffer = new byte[300_000];
        for (int round = 0; round < 50; round++)
        {
            int at = prng.Below(bytes.Length), length = prng.Below(Math.Min(buffer.Length, bytes.Length - at));
            stream.Position = at;
            stream.ReadExactly(buffer.AsSpan(0, length));
            Assert.True(bytes.AsSpan(at, length).SequenceEqual(buffer.AsSpan(0, length)), $"round {round}");
        }
    }

    [Fact]
    public void Every_block_of_a_file_is_served_under_its_name()
    {
        Cid root = Store.AddBytes(StoreFixture.Bytes(4, 1_000_000));
        FileDag dag = Store.TryGetFileDag(root)!;
        IEnumerable<Cid> blocks = dag.Nodes().Select(n => n.Cid).Concat(Enumerable.Range(0, dag.LeafCount).Select(dag.LeafAt));
        foreach (Cid block in blocks)
            Assert.Equal(block, Cid.Of(block.Codec, Store.TryReadBlock(root, block)));
        Assert.Null(Store.TryReadBlock(root, Cid.Of(CidCodec.Raw, [9])));
        Assert.Null(Store.TryReadBlock(Cid.Of(CidCodec.Raw, [9]), root));
    }

    [Fact]
    public void What_does_not_have_the_expected_name_is_refused_and_the_file_stays()
    {
        var add = new AddOptions { Expected = Cid.Of(CidCodec.Raw, [1]) };
        string path = fixture.Write("file", StoreFixture.Bytes(5, 500_000));
        Assert.Throws<BlobMismatchException>(() => Store.AddBytes([2], add));
        Assert.Throws<BlobMismatchException>(() => Store.AddFile(path, AddMode.Move, add));
        Assert.Throws<BlobMismatchException>(() => Store.AddFile(path, AddMode.Link, add));
        Assert.Equal(500_000, new FileInfo(path).Length);
        Assert.Equal(0, Store.Count);
        Assert.Empty(Directory.GetFiles(Path.Combine(fixture.Options.Folder, "tmp")));
    }

    [Fact]
    public void Links_folders_and_pipes_are_not_files()
    {
        string file = fixture.Write("file", [1]);
        File.CreateSymbolicLink(fixture.At("link"), file);
        Process.Start("mkfifo", fixture.At("pipe")).WaitForExit();
        foreach (string name in new[] { "link", "pipe", "." })
            Assert.Throws<BlobRefusedException>(() => Store.AddFile(fixture.At(name)));
        Assert.Throws<BlobStoreException>(() => Store.AddFile(fixture.At("nothing")));
    }

    [Fact]
    public void A_peers_blocks_are_checked_before_they_are_taken()
    {
        DagBlock folder = DagPb.Directory([]);
        Store.AddBlock(folder.Cid, folder.Bytes.Span);
        Assert.True(Store.Contains(folder.Cid));
        Assert.Throws<BlobMismatchException>(() => Store.AddBlock(folder.Cid, [1, 2, 3]));
        byte[] junk = [1, 2, 3];
        Assert.Throws<BlobRefusedException>(() => Store.AddBlock(Cid.Of(CidCodec.DagPb, junk), junk));
        DagBlock file = DagPb.File([], []);
        Assert.Throws<BlobRefusedException>(() => Store.AddBlock(file.Cid, file.Bytes.Span));
        byte[] large = new byte[UnixFs.ChunkBytes + 1];
        Assert.Throws<BlobRefusedException>(() => Store.AddBlock(Cid.Of(CidCodec.Raw, large), large));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_flipped_bit_in_a_large_blob_is_found_named_and_put_aside(int chunk)
    {
        Cid cid = Store.AddBytes(StoreFixture.Bytes(6, 700_000));
        Flip(fixture.FileOf(cid), (chunk * UnixFs.ChunkBytes) + 17);
        var e = Assert.Throws<BlobCorruptException>(() => StoreFixture.ReadAll(Store, cid));
        Assert.Equal((cid, chunk), (e.Cid, e.Chunk));
        Assert.False(Store.Contains(cid));
        Assert.Single(Directory.GetFiles(Path.Combine(fixture.Options.Folder, "quarantine")));
        Assert.Equal(cid, Store.AddBytes(StoreFixture.Bytes(6, 700_000)));
        Assert.Equal(700_000, StoreFixture.ReadAll(Store, cid).Length);
    }

    [Fact]
    public void A_flipped_bit_is_found_when_a_file_is_put_into_place()
    {
        Cid cid = Store.AddBytes(StoreFixture.Bytes(7, 700_000));
        fixture.Close();
        Flip(fixture.FileOf(cid), 600_000);
        var e = Assert.Throws<BlobCorruptException>(() => Store.Materialise(cid, fixture.At("out")));
        Assert.Equal(2, e.Chunk);
        Assert.False(File.Exists(fixture.At("out")));
    }

    [Fact]
    public void A_flipped_bit_in_a_pack_is_found_and_stays_found_after_opening_anew()
    {
        Cid cid = Store.AddBytes([1, 2, 3]), other = Store.AddBytes([4, 5, 6]);
        fixture.Close();
        Flip(Pack(), 48);
        Assert.Throws<BlobCorruptException>(() => StoreFixture.ReadAll(Store, cid));
        fixture.Reopen();
        Assert.False(Store.Contains(cid));
        Assert.Equal([4, 5, 6], StoreFixture.ReadAll(Store, other));
    }

    [Fact]
    public void A_lost_or_bad_index_is_made_anew_from_the_bytes()
    {
        byte[] bytes = StoreFixture.Bytes(8, 700_000);
        Cid cid = Store.AddBytes(bytes);
        fixture.Close();
        string index = fixture.FileOf(cid) + ".dag";
        Flip(index, 20);
        Assert.Equal(bytes, StoreFixture.ReadAll(Store, cid));
        fixture.Close();
        File.Delete(index);
        Assert.Equal(bytes, StoreFixture.ReadAll(Store, cid));
        Assert.True(File.Exists(index));
    }

    [Fact]
    public void What_a_crash_left_is_removed_at_open()
    {
        Cid cid = Store.AddBytes(StoreFixture.Bytes(9, 700_000));
        fixture.Close();
        File.WriteAllText(Path.Combine(fixture.Options.Folder, "tmp", "77"), "half a blob");
        string folder = Path.GetDirectoryName(fixture.FileOf(cid))!;
        string orphan = Path.Combine(folder, Cid.Of(CidCodec.DagPb, [1]) + ".dag");
        string empty = Path.Combine(folder, Cid.Of(CidCodec.DagPb, [2]).ToString());
        File.WriteAllBytes(orphan, [1]);
        File.WriteAllBytes(empty, []);
        Assert.Equal(1, Store.Count);
        Assert.False(File.Exists(orphan) || File.Exists(empty));
        Assert.Empty(Directory.GetFiles(Path.Combine(fixture.Options.Folder, "tmp")));
    }

    [Fact]
    public void A_pack_torn_at_any_byte_keeps_the_records_before()
    {
        Cid first = Store.AddBytes([1, 2, 3]), second = Store.AddBytes([4, 5, 6, 7]);
        fixture.Close();
        byte[] whole = File.ReadAllBytes(Pack());
        Assert.Equal((48 + 3) + (48 + 4), whole.Length);
        for (int length = 0; length < whole.Length; length++)
        {
            File.Delete(Path.Combine(fixture.Options.Folder, "packs", "clean")); // as after a crash
            File.WriteAllBytes(Pack(), whole[..length]);
            Assert.Equal(length >= 51, Store.Contains(first));
            Assert.False(Store.Contains(second));
            Assert.Equal(second, Store.AddBytes([4, 5, 6, 7]));
            Assert.Equal([4, 5, 6, 7], StoreFixture.ReadAll(Store, second));
            fixture.Close();
        }
    }

    [Fact]
    public void After_a_crash_the_bytes_of_the_last_pack_are_checked()
    {
        Cid first = Store.AddBytes([1, 2, 3]), second = Store.AddBytes([4, 5, 6, 7]);
        fixture.Close();
        File.Delete(Path.Combine(fixture.Options.Folder, "packs", "clean"));
        Flip(Pack(), 48);
        Assert.False(Store.Contains(first));
        Assert.Equal([4, 5, 6, 7], StoreFixture.ReadAll(Store, second));
    }

    [Fact]
    public async Task A_collection_takes_what_nobody_pins_or_holds_and_gives_its_space_back()
    {
        Cid pinned = Store.AddBytes(StoreFixture.Bytes(10, 500_000), new AddOptions { Owner = Job });
        Cid small = Store.AddBytes([1], new AddOptions { Owner = Job });
        Cid held = Store.AddBytes([2]);
        for (ulong i = 0; i < 500; i++)
            Store.AddBytes(StoreFixture.Bytes(i, 1000));
        Store.AddBytes(StoreFixture.Bytes(11, 600_000));
        using (Store.Hold(held))
        {
            CollectionResult result = await Store.CollectAsync(0, Limit);
            Assert.Equal((501, 500 * 1000 + 600_000L, 3), (result.Deleted, result.FreedBytes, result.Kept));
        }
        Assert.InRange(Directory.GetFiles(Path.Combine(fixture.Options.Folder, "packs"), "*.pack").Sum(f => new FileInfo(f).Length), 98, 1000);
        fixture.Reopen();
        Assert.True(Store.Contains(pinned) && Store.Contains(small) && Store.Contains(held));
        Assert.Equal(3, Store.Count);
        Store.Unpin(Job);
        Assert.Equal(3, (await Store.CollectAsync(0, Limit)).Deleted);
        fixture.Reopen();
        Assert.Equal(0, Store.Count);
    }

    [Fact]
    public async Task A_blob_that_is_found_bad_while_its_pack_is_copied_over_is_dropped()
    {
        Cid bad = Store.AddBytes([1, 2, 3], new AddOptions { Owner = Job }), good = Store.AddBytes([4], new AddOptions { Owner = Job });
        Store.AddBytes(StoreFixture.Bytes(1, 5000));
        Flip(Pack(), 48);
        await Store.CollectAsync(0, Limit);
        Assert.Equal((1, 1L), (Store.Count, Store.Bytes));
        Assert.False(Store.Contains(bad));
        Assert.Equal([4], StoreFixture.ReadAll(Store, good));
    }

    [Fact]
    public async Task A_cache_is_kept_up_to_its_size_the_longest_unused_goes_first()
    {
        Cid[] blobs = [.. Enumerable.Range(0, 10).Select(i => Store.AddBytes(StoreFixture.Bytes((ulong)i, 1000)))];
        StoreFixture.ReadAll(Store, blobs[0]);
        await Store.CollectAsync(3500, Limit);
        Assert.Equal([blobs[0], blobs[8], blobs[9]], blobs.Where(Store.Contains));
    }

    [Fact]
    public async Task A_pin_on_a_folder_keeps_all_below_it()
    {
        fixture.Write("tree/a/b/c", StoreFixture.Bytes(1, 300_000));
        fixture.Write("tree/a/d", [1]);
        FolderAdded added = Store.AddDirectory(fixture.At("tree"), add: new AddOptions { Owner = Job });
        Assert.Equal(0, (await Store.CollectAsync(0, Limit)).Deleted);
        Assert.True(Store.IsComplete(added.Root));
        Store.Unpin(Job, added.Root);
        Assert.Equal(5, (await Store.CollectAsync(0, Limit)).Deleted);
        Assert.False(Store.IsComplete(added.Root));
    }

    [Fact]
    public void Pins_outlive_the_process_and_a_torn_log()
    {
        Cid a = Cid.Of(CidCodec.Raw, [1]), b = Cid.Of(CidCodec.Raw, [2]), c = Cid.Of(CidCodec.Raw, [3]);
        var other = new JobId(new Guid("00000000-0000-4000-8000-000000000002"));
        Store.Pin(Job, a, durable: true);
        Store.Pin(Job, b);
        Store.Pin(other, c);
        Store.Unpin(Job, b);
        Store.Unpin(other);
        Store.Pin(other, b);
        fixture.Close();
        string log = Path.Combine(fixture.Options.Folder, "pins");
        using (FileStream stream = File.Open(log, FileMode.Open))
            stream.SetLength(stream.Length - 1);
        Assert.True(Store.IsPinned(Job, a));
        Assert.False(Store.IsPinned(Job, b) || Store.IsPinned(other, c) || Store.IsPinned(other, b));
    }

    [Fact]
    public void A_second_store_on_the_folder_is_refused()
    {
        _ = Store;
        Assert.Throws<BlobStoreException>(() => BlobStore.Open(fixture.Options));
    }

    [Fact]
    public void At_its_capacity_the_store_refuses_and_keeps_what_it_has()
    {
        fixture.Options = fixture.Options with { CapacityBytes = 1_000_000 };
        Cid cid = Store.AddBytes(StoreFixture.Bytes(1, 600_000));
        Assert.Throws<BlobStoreFullException>(() => Store.AddBytes(StoreFixture.Bytes(2, 600_000)));
        Assert.Equal(cid, Store.AddBytes(StoreFixture.Bytes(1, 600_000)));
        Assert.Equal(1, Store.Count);
        Assert.Empty(Directory.GetFiles(Path.Combine(fixture.Options.Folder, "tmp")));
    }

    [Fact]
    public void On_a_full_disk_nothing_half_is_visible_and_the_store_goes_on()
    {
        string mount = fixture.At("small");
        Directory.CreateDirectory(mount);
        Assert.SkipUnless(Environment.UserName == "root" && Shell("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", mount) == 0,
            "mounting a small tmpfs needs root");
        try
        {
            fixture.Options = new BlobStoreOptions { Folder = Path.Combine(mount, "store") };
            Cid large = Store.AddBytes(StoreFixture.Bytes(1, 1_000_000), new AddOptions { Durable = true });
            Assert.Throws<BlobStoreFullException>(() => Store.AddStream(new MemoryStream(StoreFixture.Bytes(2, 6_000_000))));
            string source = fixture.Write("source", StoreFixture.Bytes(3, 6_000_000));
            Assert.Throws<BlobStoreFullException>(() => Store.AddFile(source, AddMode.Move));
            Assert.True(File.Exists(source));
            int added = 0;
            Assert.Throws<BlobStoreFullException>(() =>
            {
                for (; added < 1000; added++)
                    Store.AddBytes(StoreFixture.Bytes((ulong)added, 10_000));
            });
            Assert.InRange(added, 50, 400);
            Assert.Equal(1 + added, Store.Count);
            Assert.Empty(Directory.GetFiles(Path.Combine(fixture.Options.Folder, "tmp")));
            fixture.Close();
            Assert.Equal(1 + added, Store.Count);
            Assert.Equal(1_000_000, StoreFixture.ReadAll(Store, large).Length);
        }
        finally
        {
            fixture.Close();
            Assert.Equal(0, Shell("umount", mount));
        }
    }

    private string Pack() => Directory.GetFiles(Path.Combine(fixture.Options.Folder, "packs"), "*.pack").Single();

    private static int Shell(string program, params string[] arguments)
    {
        using Process process = Process.Start(program, arguments);
        process.WaitForExit();
        return process.ExitCode;
    }

    private static void Flip(string path, long at)
    {
        using FileStream stream = File.Open(path, FileMode.Open, FileAccess.ReadWrite);
        stream.Position = at;
        int b = stream.ReadByte();
        stream.Position = at;
        stream.WriteByte((byte)(b ^ 1));
    }
}
