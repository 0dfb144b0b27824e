using System.Diagnostics;
using Drap.Node.Blobs;
using Xunit;

namespace Drap.Node.Tests.Blobs;

public sealed class IgnoreRulesTests
{
    [Theory]
    [InlineData("*.o", "a.o", true)]
    [InlineData("*.o", "deep/down/a.o", true)]
    [InlineData("*.o", "a.obj", false)]
    [InlineData("/*.o", "deep/a.o", false)]
    [InlineData("deep/*.o", "deep/a.o", true)]
    [InlineData("deep/*.o", "x/deep/a.o", false)]
    [InlineData("**/deep/*.o", "x/y/deep/a.o", true)]
    [InlineData("**/deep/*.o", "deep/a.o", true)]
    [InlineData("a/**/b", "a/b", true)]
    [InlineData("a/**/b", "a/x/y/b", true)]
    [InlineData("a/**/b", "a/xb", false)]
    [InlineData("a/**", "a/x/y", true)]
    [InlineData("a/**", "a", false)]
    [InlineData("a**b", "axxb", true)]
    [InlineData("x/a**b", "x/a/b", false)]
    [InlineData("?.c", "a.c", true)]
    [InlineData("?.c", ".c", false)]
    [InlineData("[a-c]x", "bx", true)]
    [InlineData("[!a-c]x", "bx", false)]
    [InlineData("[]-]x", "]x", true)]
    [InlineData("[[:digit:]]x", "7x", true)]
    [InlineData("[a", "[a", false)]
    [InlineData("a\\", "a\\", false)]
    [InlineData("\\#x", "#x", true)]
    [InlineData("#x", "#x", false)]
    [InlineData("\\!x", "!x", true)]
    [InlineData("x  ", "x", true)]
    [InlineData("x\\ ", "x ", true)]
    [InlineData("x\r", "x", true)]
    [InlineData("*\n!keep", "keep", false)]
    [InlineData("!keep\n*", "keep", true)]
    [InlineData("", ".git", true)]
    [InlineData("!.git", "sub/.git", true)]
    public void A_pattern_means_what_git_says(string text, string path, bool ignored) =>
        Assert.Equal(ignored, IgnoreRules.Default.With(text).Ignores(path, isFolder: false));

    [Fact]
    public void A_trailing_slash_means_folders_only()
    {
        IgnoreRules rules = IgnoreRules.Default.With("build/");
        Assert.True(rules.Ignores("src/build", isFolder: true));
        Assert.False(rules.Ignores("src/build", isFolder: false));
    }

    [Fact]
    public void A_pattern_of_a_lower_folder_holds_there_and_wins()
    {
        IgnoreRules rules = IgnoreRules.Default.With("*.log").With("!keep.log\n/top", "sub");
        Assert.True(rules.Ignores("keep.log", false));
        Assert.False(rules.Ignores("sub/keep.log", false));
        Assert.True(rules.Ignores("sub/top", false));
        Assert.False(rules.Ignores("sub/x/top", false));
        Assert.False(rules.Ignores("subtop", false));
    }

    [Fact]
    public void Many_stars_take_no_longer_than_their_length_times_the_paths()
    {
        string pattern = string.Concat(Enumerable.Repeat("**/*a*/", 100)) + "b";
        Assert.False(IgnoreRules.Default.With(pattern).Ignores(string.Concat(Enumerable.Repeat("aaaaaaaa/", 200)) + "c", false));
    }

    [Fact]
    public void A_line_that_is_no_pattern_is_refused_with_its_number()
    {
        var e = Assert.Throws<BlobRefusedException>(() => IgnoreRules.Default.With("a\n" + new string('x', 2000)));
        Assert.Contains("line 2", e.Message);
    }

    [Fact]
    public void Random_rules_on_random_trees_say_what_git_says()
    {
        using var fixture = new StoreFixture();
        string[] words = ["a", "b", "ab", "a.b", "x", "[ab]", "c d", "é"];
        string[] pieces = ["a", "b", "*", "?", "**", "/", "/", ".b", "[ab]", "[!a]", "x", "é", "\\*", " "];
        const ulong Seed = 7;
        var prng = new Prng(Seed);
        for (int round = 0; round < 12; round++)
        {
            string root = fixture.At("tree" + round);
            Directory.CreateDirectory(root);
            Git(root, "init", "-q");
            for (int i = 0; i < 40; i++)
            {
                string folder = root;
                for (int depth = prng.Below(4); depth > 0; depth--)
                    folder = Path.Combine(folder, "d" + words[prng.Below(words.Length)]);
                Directory.CreateDirectory(folder);
                File.WriteAllText(Path.Combine(folder, words[prng.Below(words.Length)]), "");
            }
            foreach (string folder in Directory.GetDirectories(root, "*", SearchOption.AllDirectories).Append(root))
            {
                if (folder.Contains("/.git", StringComparison.Ordinal) || prng.Below(3) == 0)
                    continue;
                IEnumerable<string> lines = Enumerable.Range(0, prng.Below(6)).Select(_ =>
                    (prng.Below(4) == 0 ? "!" : "") + string.Concat(Enumerable.Range(0, 1 + prng.Below(5)).Select(_ => pieces[prng.Below(pieces.Length)]))
                    + (prng.Below(5) == 0 ? "/" : ""));
                File.WriteAllText(Path.Combine(folder, ".gitignore"), string.Join('\n', lines));
            }
            string[] git = [.. Git(root, "-c", "core.excludesFile=/dev/null", "ls-files", "-z", "--others", "--exclude-standard")
                .Split('\0', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];
            var ours = new List<string>();
            Walk(root, "", IgnoreRules.Default, ours);
            Assert.True(git.SequenceEqual(ours.Order(StringComparer.Ordinal)), $"seed {Seed}, round {round}, in git only: "
                + string.Join(" | ", git.Except(ours)) + "; here only: " + string.Join(" | ", ours.Except(git)));
        }
    }

    private static void Walk(string folder, string relative, IgnoreRules rules, List<string> files)
    {
        rules = rules.WithFilesOf(folder, relative);
        foreach (string entry in Directory.GetFileSystemEntries(folder))
        {
            string below = relative.Length == 0 ? Path.GetFileName(entry) : relative + "/" + Path.GetFileName(entry);
            bool isFolder = Directory.Exists(entry);
            if (rules.Ignores(below, isFolder))
                continue;
            if (isFolder)
                Walk(entry, below, rules, files);
            else
                files.Add(below);
        }
    }

    private static string Git(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("git") { WorkingDirectory = folder, RedirectStandardOutput = true };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        using Process git = Process.Start(start)!;
        string output = git.StandardOutput.ReadToEnd();
        git.WaitForExit();
        Assert.Equal(0, git.ExitCode);
        return output;
    }
}
