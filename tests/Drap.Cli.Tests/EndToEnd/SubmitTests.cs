using System.Text.Json;
using Drap.Node.Home;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>Jobs that are left to a node in the background.</summary>
public sealed class SubmitTests
{
    private const string Job = """
        name: parts
        segments:
          - {name: part, count: 2, command: "echo ${{ index }} > ${{ outputs.number }}", outputs: {number: number.txt}}
        """;

    [Fact]
    public async Task A_submitted_job_has_its_results_where_its_submit_said_through_an_end_of_the_node()
    {
        await using var drap = new DrapProgram();
        string words = Path.Combine(drap.Folder, "the words"), first = Path.Combine(words, "part", "0", "number.txt");
        DrapProgram.Ended ended = await drap.RunAsync("submit", drap.File("job.yaml", Job), "--out", "the words");
        Assert.True(ended.Code == 0, ended.Err);
        string id = ended.Out.TrimEnd('\n');
        Assert.True(Guid.TryParseExact(id, "N", out _), $"'{ended.Out}' is more than an id");
        // Its output has ended, and the node that it left behind has not.
        Assert.True(HomeLock.HolderOf(drap.Home.Folder) is { } node && Directory.Exists($"/proc/{node}"));
        Assert.Contains("job 1, 2 tasks. next: drap job wait 1 · drap job logs -f 1 · drap job results 1", ended.Err, StringComparison.Ordinal);

        ended = await drap.RunAsync("job", "wait", id);
        Assert.True(ended.Code == 0, ended.Err);
        Assert.Contains("2 results in " + words, ended.Err, StringComparison.Ordinal);
        Assert.Equal("0\n", await File.ReadAllTextAsync(first, TestContext.Current.CancellationToken));

        // The folder of a node that has ended is read as it lies.
        Directory.Delete(words, recursive: true);
        Assert.Equal(0, (await drap.RunAsync("stop")).Code);
        JsonElement shown = (await drap.RunAsync("job", "show", "last", "-o", "json")).Document;
        Assert.Equal((words, "finished"), (shown.GetProperty("out_folder").GetString(), shown.GetProperty("job").GetProperty("state").GetString()));
        ended = await drap.RunAsync("job", "results", "1", "-o", "quiet");
        Assert.Equal((0, string.Concat(new[] { "0", "1" }.Select(i => Path.Combine(words, "part", i, "number.txt\n")))), (ended.Code, ended.Out));
        Assert.Equal("0\n", await File.ReadAllTextAsync(first, TestContext.Current.CancellationToken));

        // And the next node knows it from the journal.
        Directory.Delete(words, recursive: true);
        Assert.Equal(0, (await drap.RunAsync("submit", "--", "true")).Code);
        Assert.Contains("2 results in " + words, (await drap.RunAsync("job", "results", id[..8])).Err, StringComparison.Ordinal);
        Assert.Equal("0\n", await File.ReadAllTextAsync(first, TestContext.Current.CancellationToken));
        Assert.Contains("it has no results", (await drap.RunAsync("job", "wait", "last")).Err, StringComparison.Ordinal);
    }
}
