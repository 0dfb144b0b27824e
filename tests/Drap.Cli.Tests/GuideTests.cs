using System.Text.RegularExpressions;
using Xunit;

namespace Drap.Cli.Tests;

/// <summary>The guides for owners say what is so: the tests that docs/security.md names are there, and what docs/operations.md says that one sees is in the code.</summary>
public sealed partial class GuideTests
{
    [Fact]
    public void Each_test_that_the_security_guide_names_is_there()
    {
        string[] named = [.. TestName().Matches(File.ReadAllText(Repository.Path("docs", "security.md"))).Select(m => m.Groups[1].Value).Distinct()];
        Assert.True(named.Length > 40, $"only {named.Length} tests are named");
        string[] sources = [.. Sources(Repository.Path("tests")).Select(File.ReadAllText)];
        foreach (string name in named)
        {
            string[] parts = name.Split('.');
            Assert.True(
                sources.Any(s => Regex.IsMatch(s, $@"class {parts[0]}\b") && Regex.IsMatch(s, $@"public (async Task|void) {parts[1]}\(")), $"there is no test {name}");
        }
    }

    [Fact]
    public void What_the_operations_guide_says_that_one_sees_is_in_the_code()
    {
        string guide = File.ReadAllText(Repository.Path("docs", "operations.md"));
        string code = string.Concat(Sources(Repository.Path("src")).Select(File.ReadAllText));
        string[] rows = [.. guide[guide.IndexOf("## What you see", StringComparison.Ordinal)..].Split('\n').Where(l => l.StartsWith("| `", StringComparison.Ordinal))];
        Assert.True(rows.Length > 25, $"only {rows.Length} rows");
        foreach (string row in rows)
            foreach (string piece in row.Split('`')[1].Split('…', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
                Assert.True(code.Contains(piece, StringComparison.Ordinal), $"nothing says: {piece}");
        // And what is said when all is well again.
        foreach (Match quoted in QuotedWords().Matches(string.Join('\n', rows.Select(r => r[(r.IndexOf('`', 3) + 1)..]))))
            if (quoted.Groups[1].Value is { } text && text.Contains(' ', StringComparison.Ordinal) && !text.StartsWith("drap ", StringComparison.Ordinal))
                Assert.True(code.Contains(text, StringComparison.Ordinal), $"nothing says: {text}");
    }

    /// <summary>The day it gets one it must ask for a token and speak TLS: then this is where to say so.</summary>
    [Fact]
    public void The_local_API_has_no_port()
    {
        string[] sources = [.. Sources(Repository.Path("src", "Drap.Node", "Api")).Select(File.ReadAllText)];
        Assert.DoesNotContain(sources, s => PortWords().IsMatch(s));
        Assert.Single(sources, s => s.Contains("ListenUnixSocket", StringComparison.Ordinal));
    }

    private static IEnumerable<string> Sources(string folder) => Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
        .Where(f => !f.Contains("/obj/", StringComparison.Ordinal) && !f.Contains("/bin/", StringComparison.Ordinal));

    [GeneratedRegex("`([A-Z][A-Za-z0-9]+Tests\\.[A-Z][A-Za-z0-9_]+)`")]
    private static partial Regex TestName();

    [GeneratedRegex("ListenAnyIP|ListenLocalhost|IPEndPoint|IPAddress|UseUrls|HttpListener|TcpListener")]
    private static partial Regex PortWords();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex QuotedWords();
}
