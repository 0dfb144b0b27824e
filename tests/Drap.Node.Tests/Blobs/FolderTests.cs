using System.Diagnostics;
using System.Globalization;
using Drap.Core.Transfer;
using Drap.Node.Blobs;
using Xunit;

namespace Drap.Node.Tests.Blobs;

[System.Runtime.Versioning.SupportedOSPlatform("linux")]
public sealed class FolderTests : IDisposable
{
    private readonly StoreFixture fixture = new();

    private BlobStore Store => fixture.Store;

    public void Dispose() => fixture.Dispose();

    [Fact]
    public void Random_trees_come_back_as_they_were()
    {
        string[] names = ["a", "b.txt", "über", "with space", "new\nline", "😀", "-x", ".hidden"];
        for (ulong seed = 1; seed <= 6; seed++)
        {
            var prng = new Prng(seed);
            string tree = fixture.At(string.Create(CultureInfo.InvariantCulture, $"tree{seed}"));
            Directory.CreateDirectory(tree);
            Grow(tree, 0);
            string back = tree + "-back";
            Cid cid = Store.AddDirectory(tree).Root;
            Materialised made = Store.Materialise(cid, back);
            Assert.True(Listing(tree).SequenceEqual(Listing(back)), $"seed {seed}");
            Assert.Equal(cid, Store.AddDirectory(back).Root);
            Assert.Empty(Store.Release(made));

            void Grow(string folder, int depth)
            {
                foreach (string name in names)
                {
                    string path = Path.Combine(folder, name);
                    int kind = prng.Below(10);
                    if (kind < 4)
                        File.WriteAllBytes(path, StoreFixture.Bytes(prng.NextUInt64(), prng.Below(20) == 0 ? 1_500_000 : prng.Below(20_000)));
                    else if (kind < 6 && depth < 4)
                        Grow(Directory.CreateDirectory(path).FullName, depth + 1);
                    else if (kind == 6)
                        File.CreateSymbolicLink(path, depth > 0 && prng.Below(2) == 0 ? "../x/y" : "a");
                    else if (kind == 7)
                        Directory.CreateDirectory(path);
                }
            }
        }
    }

    [Fact]
    public void A_folder_has_the_name_that_ipfs_gives_it()
    {
        // The vector of DirectoryDagTests: files of xorshift32 bytes.
        string tree = fixture.At("tree");
        foreach ((string name, uint seed, int length) in new[]
            { ("a.txt", 1u, 10), ("b/c.bin", 2u, 300000), ("b/Zed", 3u, 5), ("é", 4u, 7), ("a-b", 5u, 6), ("a", 6u, 3) })
        {
            var bytes = new byte[length];
            uint x = seed;
            for (int i = 0; i < length; i++)
            {
                x ^= x << 13;
                x ^= x >> 17;
                x ^= x << 5;
                bytes[i] = (byte)x;
            }
            fixture.Write("tree/" + name, bytes);
        }
        FolderAdded added = Store.AddDirectory(tree);
        Assert.Equal("bafybeicx4wriitdlthpc377niding6nuhmiqchivicfpmuvse2h62ghmra", added.Root.ToString());
        Assert.Equal((300479, 6, 300031L), (added.DagBytes, added.Files, added.FileBytes));
        Assert.True(Store.TryGetSize(added.Root, out long size) && size == 300479);
    }

    [Fact]
    public void A_large_directory_is_sharded_and_comes_back()
    {
        // 1200 names of 206 bytes with their CIDs are more than 256 KiB.
        string Name(int i) => new string('n', 200) + i.ToString("D6", CultureInfo.InvariantCulture);
        for (int i = 0; i < 1200; i++)
            fixture.Write("tree/" + Name(i), [(byte)i]);
        Cid cid = Store.AddDirectory(fixture.At("tree")).Root;
        Assert.True(DagPb.TryDecode(Store.TryReadBlock(cid, cid), out DagNode? root, out _) && root.Kind == UnixFsKind.Shard);
        Store.Materialise(cid, fixture.At("back"));
        Assert.Equal(1200, Directory.GetFiles(fixture.At("back")).Length);
        Assert.Equal([7], File.ReadAllBytes(fixture.At("back/" + Name(7))));
    }

    [Fact]
    public void An_ignore_file_keeps_files_out_and_git_never_comes_along()
    {
        foreach (string name in new[] { ".git/config", "keep.txt", "x.o", "sub/y.o", "sub/keep.o", "build/out" })
            fixture.Write("tree/" + name, [1]);
        File.WriteAllText(fixture.At("tree/.gitignore"), "*.o\nbuild/\n");
        File.WriteAllText(fixture.At("tree/sub/.gitignore"), "!keep.o\n");
        Store.Materialise(Store.AddDirectory(fixture.At("tree"), useIgnoreFiles: true).Root, fixture.At("git"));
        Assert.Equal([".gitignore", "keep.txt", "sub", "sub/.gitignore", "sub/keep.o"], Names(fixture.At("git")));

        File.WriteAllText(fixture.At("tree/.drapignore"), "keep*\n");
        Store.Materialise(Store.AddDirectory(fixture.At("tree"), useIgnoreFiles: true).Root, fixture.At("drap"));
        Assert.Equal([".drapignore", ".gitignore", "build", "build/out", "sub", "sub/.gitignore", "sub/y.o", "x.o"], Names(fixture.At("drap")));
    }

    [Fact]
    public void A_parcel_brings_executables_back_and_its_files_keep_their_ipfs_name()
    {
        fixture.Write("tree/bin/run", StoreFixture.Bytes(1, 2_000_000));
        fixture.Write("tree/tool", "#!/bin/sh\nexit 7\n"u8.ToArray());
        fixture.Write("tree/data", [1]);
        foreach (string name in new[] { "tree/bin/run", "tree/tool" })
            File.SetUnixFileMode(fixture.At(name), (UnixFileMode)0x1ed);
        Cid parcel = Store.AddParcel(fixture.At("tree"));
        FolderAdded plain = Store.AddDirectory(fixture.At("tree"));
        Assert.Equal(["bin/run", "tool"], plain.Executables);
        Assert.True(DirectoryDag.TryList(parcel, c => Store.TryReadBlock(c, c), 2, null, out List<DagLink> links, out _));
        Assert.Equal(plain.Root, links.Single(l => l.Name == "files").Target);

        Store.MaterialiseParcel(parcel, fixture.At("back"));
        using Process tool = Process.Start(fixture.At("back/tool"));
        tool.WaitForExit();
        Assert.Equal(7, tool.ExitCode);
        Assert.True(File.GetUnixFileMode(fixture.At("back/bin/run")).HasFlag(UnixFileMode.UserExecute));
        Assert.False(File.GetUnixFileMode(fixture.At("back/data")).HasFlag(UnixFileMode.UserExecute));
        Assert.Throws<BlobRefusedException>(() => Store.MaterialiseParcel(plain.Root, fixture.At("no")));
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../out")]
    [InlineData("sub/../../x")]
    public void A_symbolic_link_that_leads_out_is_refused_coming_and_going(string target)
    {
        Directory.CreateDirectory(fixture.At("tree"));
        File.CreateSymbolicLink(fixture.At("tree/link"), target);
        Assert.Contains("tree/link", Assert.Throws<BlobRefusedException>(() => Store.AddDirectory(fixture.At("tree"))).Message);

        DagBlock link = DagPb.Symlink(target), folder = DagPb.Directory([new DagLink("link", link.Cid, 1)]);
        Store.AddBlock(link.Cid, link.Bytes.Span);
        Store.AddBlock(folder.Cid, folder.Bytes.Span);
        Assert.Throws<BlobRefusedException>(() => Store.Materialise(folder.Cid, fixture.At("back")));
        Assert.Empty(Directory.GetFileSystemEntries(fixture.Folder, "back*"));
    }

    [Fact]
    public void A_folder_with_a_missing_part_is_not_put_into_place()
    {
        DagBlock folder = DagPb.Directory([new DagLink("a", Store.AddBytes([1]), 1), new DagLink("b", Cid.Of(CidCodec.Raw, [9]), 1)]);
        Store.AddBlock(folder.Cid, folder.Bytes.Span);
        Assert.False(Store.IsComplete(folder.Cid));
        Assert.Throws<BlobMissingException>(() => Store.Materialise(folder.Cid, fixture.At("back")));
        Assert.Empty(Directory.GetFileSystemEntries(fixture.Folder, "back*"));
    }

    [Fact]
    public void A_small_folder_that_unfolds_into_too_much_is_refused()
    {
        // Ten levels of ten links to the level below: ten small blocks, 10^10 files.
        Cid below = Store.AddBytes(StoreFixture.Bytes(1, 1000));
        for (int level = 0; level < 10; level++)
        {
            DagBlock folder = DagPb.Directory([.. Enumerable.Range(0, 10).Select(i => new DagLink($"{i}", below, long.MaxValue / 4))]);
            Store.AddBlock(folder.Cid, folder.Bytes.Span);
            below = folder.Cid;
        }
        Assert.True(Store.IsComplete(below) && Store.TryGetSize(below, out long size) && size > 0);
        Assert.Throws<BlobRefusedException>(() =>
            Store.Materialise(below, fixture.At("back"), new MaterialiseOptions { BytesMax = 100_000 }));
        Assert.Empty(Directory.GetFileSystemEntries(fixture.Folder, "back*"));
    }

    [Fact]
    public void A_target_that_exists_is_not_touched()
    {
        Cid cid = Store.AddBytes([1]);
        string path = fixture.Write("there", [5]);
        Assert.Throws<BlobRefusedException>(() => Store.Materialise(cid, path));
        Assert.Equal([5], File.ReadAllBytes(path));
    }

    [Fact]
    public void A_large_input_is_a_link_or_shares_blocks_and_a_result_is_writable()
    {
        Cid cid = Store.AddBytes(StoreFixture.Bytes(1, 2_000_000));
        Materialised made = Store.Materialise(cid, fixture.At("in"));
        Assert.Equal(2_000_000, made.Bytes);
        Store.Materialise(cid, fixture.At("out"), new MaterialiseOptions { Writable = true });
        File.AppendAllText(fixture.At("out"), "more");
        bool wasLinked = made.LinkedFiles == 1;
        Assert.Empty(Store.Release(made));
        Assert.Equal(!wasLinked, File.Exists(fixture.At("in")));
        Assert.Equal(2_000_000, StoreFixture.ReadAll(Store, cid).Length);
    }

    [Fact]
    public void A_task_that_writes_its_linked_input_spoils_the_blob_and_that_is_found()
    {
        Cid cid = Store.AddBytes(StoreFixture.Bytes(1, 2_000_000));
        Materialised made = Store.Materialise(cid, fixture.At("in"));
        Assert.SkipWhen(made.LinkedFiles == 0, "this file system has reflinks, so nothing is linked");
        File.SetUnixFileMode(fixture.At("in"), (UnixFileMode)0x1a4);
        DateTime modified = File.GetLastWriteTimeUtc(fixture.At("in"));
        using (FileStream stream = File.Open(fixture.At("in"), FileMode.Open))
        {
            stream.Position = 1_000_000;
            stream.WriteByte((byte)(stream.ReadByte() + 1));
        }
        File.SetLastWriteTimeUtc(fixture.At("in"), modified); // hides nothing: the change time moved
        Assert.Equal([cid], Store.Release(made));
        Assert.False(Store.Contains(cid));
    }

    [Fact]
    public void A_link_that_was_removed_unseen_only_costs_a_check()
    {
        Cid cid = Store.AddBytes(StoreFixture.Bytes(1, 2_000_000));
        Materialised made = Store.Materialise(cid, fixture.At("in"));
        File.Delete(fixture.At("in"));
        Assert.Empty(Store.Release(made));
        Store.Materialise(cid, fixture.At("in"));
        Assert.Equal(StoreFixture.Bytes(1, 2_000_000), File.ReadAllBytes(fixture.At("in")));
    }

    private static string[] Names(string folder) =>
        [.. Directory.GetFileSystemEntries(folder, "*", SearchOption.AllDirectories).Select(p => Path.GetRelativePath(folder, p)).Order(StringComparer.Ordinal)];

    private static List<string> Listing(string folder)
    {
        var lines = new List<string>();
        foreach (string entry in Directory.GetFileSystemEntries(folder).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(entry);
            if (new FileInfo(entry).LinkTarget is { } target)
                lines.Add($"{name} -> {target}");
            else if (Directory.Exists(entry))
                lines.AddRange(Listing(entry).Select(l => $"{name}/{l}").Prepend(name + "/"));
            else
                lines.Add($"{name} {Cid.Of(CidCodec.Raw, File.ReadAllBytes(entry))}");
        }
        return lines;
    }
}
