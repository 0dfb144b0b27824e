using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

public sealed class JobTests
{
    [Fact]
    public async Task Words_are_counted_by_several_workers_over_strange_names()
    {
        await using var drap = new DrapProgram();
        string input = Path.Combine(drap.Folder, "in put");
        foreach ((string name, string text) in (ReadOnlySpan<(string, string)>)[("a file", "One two TWO"), ("ünï 日本/x'\"$", "two,three"), ("empty", ""), ("no newline", "three four"), ("-n", "three")])
            drap.File(Path.Combine("in put", name), text);
        for (int i = 0; i < 8; i++)
            drap.File($"in put/large{i}", string.Concat(Enumerable.Repeat("Five ", 13_200)));
        string example = Repository.Path("examples", "wordcount", "job.yaml");
        DrapProgram.Ended ended = await drap.RunAsync("run", example, "--param", "input=" + input, "--param", "chunk=64KiB", "--out", "out put", "-o", "json");
        Assert.True(ended.Code == 0, ended.Err);
        Assert.Equal("five\t105600\nthree\t3\ntwo\t3\nfour\t1\none\t1\n", await File.ReadAllTextAsync(Path.Combine(drap.Folder, "out put", "counts.tsv"), TestContext.Current.CancellationToken));
        Assert.Equal("finished", ended.Document.GetProperty("job").GetProperty("state").GetString());
        Assert.All(ended.Document.GetProperty("tasks").EnumerateArray(), t => Assert.True(t.GetProperty("price").GetDecimal() > 0 && t.GetProperty("attempts").GetInt32() > 0));
        if (Environment.ProcessorCount > 1)
            Assert.True(ended.Document.GetProperty("tasks").EnumerateArray().Select(t => t.GetProperty("node").GetString()).Distinct().Count() > 1);
    }

    [Theory]
    [InlineData("name: x\nsegmints: []\n", "segments")]
    [InlineData("segments:\n  - {name: a, command: [true], needs: [b]}\n  - {name: b, command: [true], needs: [a]}\n", "a")]
    [InlineData("segments:\n  - {name: a, command: [cat], inputs: {x: nowhere}}\n", "nowhere")]
    [InlineData("segments:\n  - {name: a, command: [true], bid: -1}\n", "bid")]
    [InlineData("segments: [\n", "job.yaml")]
    public async Task A_bad_job_file_is_refused_with_its_place(string text, string word)
    {
        await using var drap = new DrapProgram();
        DrapProgram.Ended ended = await drap.RunAsync("run", drap.File("job.yaml", text));
        Assert.Equal(2, ended.Code);
        Assert.Contains(word, ended.Err, StringComparison.Ordinal);
        Assert.Equal("", ended.Out);
    }
}
