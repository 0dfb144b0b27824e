using Drap.Core.Jobs;
using Xunit;

namespace Drap.Core.Tests.Jobs;

public sealed class ItemExpansionTests
{
    [Theory]
    [InlineData("*.txt", "a.txt", true)]
    [InlineData("*.txt", "d/a.txt", false)]
    [InlineData("*.txt", ".a.txt", false)]
    [InlineData("**/*.txt", "a.txt", true)]
    [InlineData("**/*.txt", "d/e/f/a.txt", true)]
    [InlineData("**/*.txt", "d/.e/a.txt", false)]
    [InlineData("d/**", "d/a/b", true)]
    [InlineData("**/e/*/x", "d/e/e/x/e/y/x", true)]
    [InlineData("?[a-c][!a-c]", "üad", true)]
    [InlineData("?[a-c][!a-c]", "xaa", false)]
    [InlineData("a*b*c", "aXbYbZc", true)]
    [InlineData("a*b*c", "aXbYbZ", false)]
    [InlineData("a[", "a[", true)]
    public void Patterns_match_as_a_shell_does(string pattern, string path, bool expected)
    {
        var glob = new Glob(pattern);
        string relative = glob.Folder.Length == 0 ? path : path[(glob.Folder.Length + 1)..];
        Assert.Equal(expected, glob.Matches(relative));
    }

    [Fact]
    public void A_pattern_takes_no_exponential_time()
    {
        Assert.False(new Glob(string.Concat(Enumerable.Repeat("*a", 1_000)) + "b").Matches(new string('a', 4_000)));
        Assert.False(new Glob(string.Join('/', Enumerable.Repeat("**/a", 500)) + "/b").Matches(string.Join('/', Enumerable.Repeat("a", 2_000))));
    }

    [Fact]
    public void Small_files_share_a_task_and_large_ones_are_cut_at_white_space()
    {
        var files = new TestFiles(("in/b b.txt", "one two three four five six"), ("in/a.txt", "xx"), ("in/ü/e.txt", ""), ("in/c.txt", "yyyy"));
        FilesSpec expanded = Expand(new FilesSpec { Glob = "in", Split = new ByteSize(10), Group = new ByteSize(12), At = SplitAt.Word }, files);
        Assert.Equal(
            ["a.txt b b.txt.part000001=0+14", "b b.txt.part000002=14+5 b b.txt.part000003=19+8", "c.txt ü/e.txt"],
            Show(expanded));
        string joined = string.Concat(expanded.Sets.SelectMany(s => s.Files).Where(f => f.Path == "in/b b.txt")
            .Select(f => files.Content(f.Path!).Substring((int)f.Offset, (int)f.Length)));
        Assert.Equal("one two three four five six", joined);
    }

    [Fact]
    public void Many_tiny_files_are_spread_so_that_each_task_fits_its_message()
    {
        var files = new TestFiles([.. Enumerable.Range(0, 5_000).Select(i => ($"in/{i:d5}", "x"))]);
        FilesSpec expanded = Expand(new FilesSpec { Glob = "in", Group = new ByteSize(1_000_000) }, files);
        Assert.Equal(5, expanded.Sets.Length);
        Assert.Equal(5_000, expanded.Sets.Sum(s => s.Files.Length));
    }

    [Fact]
    public void Cutting_loses_nothing_and_splits_no_word_on_random_texts()
    {
        for (ulong seed = 1; seed <= 300; seed++)
        {
            var random = new Prng(seed);
            string text = new([.. Enumerable.Range(0, (int)(random.NextUInt64() % 200)).Select(_ => random.NextUInt64() % 6 == 0 ? ' ' : (char)('a' + random.NextUInt64() % 26))]);
            var files = new TestFiles(("t", text));
            FilesSpec expanded = Expand(new FilesSpec { Glob = "t", Split = new ByteSize(1 + (long)(random.NextUInt64() % 40)), At = SplitAt.Word }, files);
            FilePart[] parts = [.. expanded.Sets.SelectMany(s => s.Files)];
            Assert.True(string.Concat(parts.Select(p => text.Substring((int)p.Offset, (int)p.Length))) == text, $"seed {seed}");
            Assert.True(parts.Skip(1).All(p => text[(int)p.Offset - 1] == ' '), $"seed {seed}");
        }
    }

    [Fact]
    public void A_file_alone_a_pattern_and_a_folder_with_odd_characters_are_found()
    {
        var files = new TestFiles(("d/[x] *.txt", "1"), ("odd [a]*/f", "2"), ("d/y.txt", "3"));
        Assert.Equal(["[x] *.txt"], Show(Expand(new FilesSpec { Glob = "d/[x] *.txt" }, files)));
        Assert.Equal(["f"], Show(Expand(new FilesSpec { Glob = "odd [a]*" }, files)));
        Assert.Equal(["[x] *.txt", "y.txt"], Show(Expand(new FilesSpec { Glob = "d/*.txt" }, files)));
        Assert.Equal(["d/[x] *.txt", "d/y.txt", "odd [a]*/f"], Show(Expand(new FilesSpec { Glob = "**/*" }, files)));
    }

    [Fact]
    public void Nothing_found_is_an_error_unless_allowed()
    {
        var files = new TestFiles(("a", ""));
        Assert.False(ItemExpansion.TryExpand(new FilesSpec { Glob = "*.txt" }, files, out _, out JobProblem? problem));
        Assert.Equal("no file matches '*.txt'; allowed: a pattern that matches, or allow_none: true", problem.ToString());
        Assert.Empty(Expand(new FilesSpec { Glob = "*.txt", AllowNone = true }, files).Sets);
    }

    private static FilesSpec Expand(FilesSpec spec, IFileLister files)
    {
        Assert.True(ItemExpansion.TryExpand(spec, files, out FilesSpec? expanded, out JobProblem? problem), problem?.ToString());
        return expanded;
    }

    private static IEnumerable<string> Show(FilesSpec expanded) =>
        expanded.Sets.Select(s => string.Join(' ', s.Files.Select(f =>
            f.Name.Contains(".part", StringComparison.Ordinal) ? $"{f.Name}={f.Offset}+{f.Length}" : f.Name)));
}
