using System.Text.Json.Nodes;
using Drap.Cli;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary><c>drap data</c>: what it keeps, gives back and deletes.</summary>
public sealed class DataTests
{
    /// <summary>The name that kubo gives hello\n with <c>ipfs add --cid-version=1</c>.</summary>
    private const string Hello = "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am";

    [Fact]
    public async Task What_was_put_is_listed_given_back_and_kept_until_it_is_let_go()
    {
        await using var drap = new DrapProgram();
        string folder = Path.Combine(drap.Folder, "tree");
        Directory.CreateDirectory(Path.Combine(folder, "below"));
        await File.WriteAllTextAsync(Path.Combine(folder, "below", "hello.txt"), "hello\n", Cancel);
        await File.WriteAllBytesAsync(Path.Combine(folder, "large"), new byte[700_000], Cancel);
        string file = Path.Combine(folder, "below", "hello.txt");
        JsonNode put = await JsonAsync(drap, "data", "put", file, "-o", "json");
        Assert.Equal((Hello, 6L, "hello.txt", true), ((string)put["cid"]!, (long)put["bytes"]!, (string)put["name"]!, (bool)put["pinned"]!));
        JsonNode tree = await JsonAsync(drap, "data", "put", folder, "--name", "my tree", "--public", "-o", "json");
        string root = (string)tree["cid"]!;
        JsonNode list = await JsonAsync(drap, "data", "ls", "-o", "json");
        // With a folder goes what it names.
        Assert.Equal([(Hello, "hello.txt", true), (root, "my tree", true)],
            list["blobs"]!.AsArray().Select(b => ((string)b!["cid"]!, (string)b["name"]!, (bool)b["public"]!)));
        // Nothing that is kept is deleted.
        Assert.Equal(0, (int)(await JsonAsync(drap, "data", "gc", "-o", "json"))["deleted"]!);
        string back = Path.Combine(drap.Folder, "back");
        Assert.Equal($"{back}\n", (await drap.RunAsync("data", "get", $"ipfs://{root}", back)).Out);
        Assert.Equal(["below/hello.txt", "large"], Directory.EnumerateFiles(back, "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(back, f)).Order());
        Assert.Equal("hello\n", (await drap.RunAsync("data", "get", Hello, "-")).Out);
        // The file lies in the folder, too, and stays with it.
        Assert.Equal(0, (await drap.RunAsync("data", "pin", Hello, "--remove")).Code);
        Assert.Equal(0, (int)(await JsonAsync(drap, "data", "gc", "-o", "json"))["deleted"]!);
        Assert.Equal(0, (await drap.RunAsync("data", "pin", root, "--remove")).Code);
        // What was put stays for its hour, since a job may be on its way that names it.
        Assert.Equal("hello\n", (await drap.RunAsync("data", "get", Hello, "-")).Out);
        Assert.Empty((await JsonAsync(drap, "data", "ls", "-o", "json"))["blobs"]!.AsArray());
    }

    [Theory]
    [InlineData("'nothing' names no content", "data", "get", "nothing")]
    [InlineData("there is no file or folder", "data", "put", "/no/such/file")]
    [InlineData("--keep: found 'much'", "data", "gc", "--keep", "much")]
    [InlineData("exclude each other", "data", "pin", Hello, "--public", "--private")]
    public async Task What_is_no_use_is_said_with_what_would_be(string said, params string[] command)
    {
        await using var drap = new DrapProgram();
        DrapProgram.Ended ended = await drap.RunAsync(command);
        Assert.Equal(ExitCode.Usage, ended.Code);
        Assert.Contains(said, ended.Err, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_nobody_has_is_not_found()
    {
        await using var drap = new DrapProgram();
        DrapProgram.Ended ended = await drap.RunAsync("data", "get", Hello);
        Assert.Equal(ExitCode.Error, ended.Code);
        Assert.Contains($"the node does not have all of {Hello}, and it is no part of a swarm", ended.Err, StringComparison.Ordinal);
    }

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    private static async Task<JsonNode> JsonAsync(DrapProgram drap, params string[] command)
    {
        DrapProgram.Ended ended = await drap.RunAsync(command);
        Assert.True(ended.Code == 0, ended.Err);
        return JsonNode.Parse(ended.Out)!;
    }
}
