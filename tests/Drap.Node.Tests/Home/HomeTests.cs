using System.Text;
using System.Text.Json.Nodes;
using Drap.Node.Home;
using Xunit;

namespace Drap.Tests.Home;

public sealed class HomeTests : IDisposable
{
    private readonly TemporaryHome home = new();

    public void Dispose() => home.Dispose();

    [Fact]
    public void Only_one_of_two_takes_the_lock_and_the_other_learns_who_has_it()
    {
        using (HomeLock first = HomeLock.TryTake(home.Folder)!)
        {
            Assert.NotNull(first);
            Assert.Null(HomeLock.TryTake(home.Folder));
            Assert.Equal(Environment.ProcessId, HomeLock.HolderOf(home.Folder));
        }
        using HomeLock? next = HomeLock.TryTake(home.Folder);
        Assert.NotNull(next);
    }

    [Fact]
    public void Of_many_that_race_exactly_one_wins()
    {
        home.Folder.Create();
        var won = new List<HomeLock>();
        Parallel.For(0, 16, _ =>
        {
            if (HomeLock.TryTake(home.Folder) is { } taken)
                lock (won)
                    won.Add(taken);
        });
        Assert.Single(won).Dispose();
    }

    [Fact]
    public void A_home_is_readable_by_its_owner_alone()
    {
        home.Folder.Create();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(home.Folder.Path));
    }

    [Fact]
    public void A_home_that_stays_where_it_was_starts_again()
    {
        home.Folder.Create();
        HomeIdentity.Check(home.Folder);
        HomeIdentity.Check(home.Folder);
        Assert.True(home.Folder.Exists);
    }

    [Fact]
    public void A_copied_home_refuses_says_why_and_can_be_adopted()
    {
        home.Folder.Create();
        HomeIdentity.Check(home.Folder);
        HomeFolder copy = HomeFolder.At(Path.Combine(home.Root, "copy"));
        copy.Create();
        File.Copy(home.Folder.IdentityFile, copy.IdentityFile);
        var refused = Assert.Throws<HomeException>(() => HomeIdentity.Check(copy));
        Assert.Equal(HomeProblem.Copied, refused.Problem);
        Assert.Contains("is a copy, or was moved: it was made as inode", refused.Message, StringComparison.Ordinal);
        Assert.Contains("drap adopt", refused.Remedy, StringComparison.Ordinal);
        HomeIdentity.Check(copy, adopt: true);
        HomeIdentity.Check(copy);
    }

    [Theory]
    [InlineData("machine_id", "another", HomeProblem.Copied)]
    [InlineData("inode", "1", HomeProblem.Copied)]
    [InlineData("device", "ffff", null)]
    [InlineData("file_system", "ffff", null)]
    [InlineData("device,file_system", "ffff", HomeProblem.Copied)]
    public void Machine_inode_and_either_of_device_and_file_system_must_be_the_same(string fields, string value, HomeProblem? expected)
    {
        home.Folder.Create();
        HomeIdentity.Check(home.Folder);
        JsonObject record = JsonNode.Parse(File.ReadAllText(home.Folder.IdentityFile))!.AsObject();
        bool noFileSystemId = (string?)record["file_system"] == "0";
        foreach (string field in fields.Split(','))
            record[field] = field == "inode" ? JsonValue.Create(ulong.Parse(value, System.Globalization.CultureInfo.InvariantCulture)) : JsonValue.Create(value);
        File.WriteAllText(home.Folder.IdentityFile, record.ToJsonString());
        // A file system without an id of its own leaves only the device number to go by.
        if (noFileSystemId && fields == "device")
            expected = HomeProblem.Copied;
        Assert.Equal(expected, Record.Exception(() => HomeIdentity.Check(home.Folder)) is HomeException e ? e.Problem : null);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[1]")]
    public void A_broken_identity_is_said_and_not_overwritten(string content)
    {
        home.Folder.Create();
        File.WriteAllText(home.Folder.IdentityFile, content);
        var refused = Assert.Throws<HomeException>(() => HomeIdentity.Check(home.Folder));
        Assert.Equal(HomeProblem.NotUsable, refused.Problem);
        Assert.Equal(content, File.ReadAllText(home.Folder.IdentityFile));
    }

    [Fact]
    public async Task A_home_with_a_path_too_long_for_a_socket_has_it_elsewhere_and_it_is_found()
    {
        using var deep = new TemporaryHome(string.Join('/', Enumerable.Repeat(new string('d', 50), 4)));
        deep.Folder.Create();
        Assert.Null(HomeSocket.Find(deep.Folder));
        using System.Net.Sockets.Socket socket = HomeSocket.Bind(deep.Folder, out string path);
        Assert.True(Encoding.UTF8.GetByteCount(path) <= HomeSocket.PathBytesMax);
        Assert.Equal(path, HomeSocket.Find(deep.Folder));
        Assert.False(await HomeSocket.AnswersAsync(path, TestContext.Current.CancellationToken));
        socket.Listen(1);
        Assert.True(await HomeSocket.AnswersAsync(path, TestContext.Current.CancellationToken));
        File.Delete(path);
    }

    [Fact]
    public void What_a_killed_node_left_is_bound_over()
    {
        home.Folder.Create();
        HomeSocket.Bind(home.Folder, out string first).Dispose();
        using System.Net.Sockets.Socket second = HomeSocket.Bind(home.Folder, out string path);
        Assert.Equal(first, path);
    }
}
