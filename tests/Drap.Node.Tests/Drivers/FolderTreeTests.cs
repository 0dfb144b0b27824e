using Drap.Node.Sandbox;
using Xunit;

namespace Drap.Node.Tests.Drivers;

public sealed class FolderTreeTests : IDisposable
{
    private readonly string root = Directory.CreateTempSubdirectory("drap-test").FullName;

    public void Dispose()
    {
        Assert.True(FolderTree.Remove(root, out string? error), error);
        Assert.False(Directory.Exists(root));
    }

    [Fact]
    public void A_tree_deeper_than_any_path_is_removed_and_not_measured()
    {
        int at = Libc.openat(Libc.AT_FDCWD, root, Libc.O_DIRECTORY | Libc.O_CLOEXEC, 0);
        for (int i = 0; i < 5000; i++)
        {
            Assert.Equal(0, Libc.mkdirat(at, "d", FolderTree.OwnerOnly));
            int below = Libc.openat(at, "d", Libc.O_DIRECTORY | Libc.O_CLOEXEC, 0);
            Assert.True(below >= 0);
            _ = Libc.close(at);
            at = below;
        }
        _ = Libc.close(at);
        Assert.Equal(long.MaxValue, FolderTree.Measure(root, 1L << 40));
    }

    [Fact]
    public void What_a_link_points_to_is_neither_removed_nor_measured()
    {
        string outside = Directory.CreateTempSubdirectory("drap-test").FullName;
        File.WriteAllBytes(outside + "/kept", new byte[1_000_000]);
        Directory.CreateSymbolicLink(root + "/link", outside);
        File.CreateSymbolicLink(root + "/file", outside + "/kept");
        Assert.InRange(FolderTree.Measure(root, 1L << 40), 0, 100_000);
        string inner = root + "/only-a-link";
        Directory.CreateSymbolicLink(inner, outside);
        Assert.True(FolderTree.Remove(inner, out _));
        Assert.True(FolderTree.Remove(root, out _));
        Assert.Equal(1_000_000, new FileInfo(outside + "/kept").Length);
        Directory.Delete(outside, recursive: true);
    }

    [Fact]
    public void Blocks_on_disk_are_counted_and_not_holes()
    {
        using (FileStream sparse = File.Create(root + "/sparse"))
            sparse.SetLength(1L << 40);
        Directory.CreateDirectory(root + "/a/b");
        File.WriteAllBytes(root + "/a/b/real", new byte[3_000_000]);
        Assert.InRange(FolderTree.Measure(root, 1L << 50), 3_000_000, 3_100_000);
    }
}
