using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Xunit;
using YamlDotNet.Serialization;

namespace Drap.Tests.Cli.EndToEnd;

public sealed class OneWorker() : DevSwarm("workers:\n  - {name: ant, cpu: 2, memory: 1GiB}\n");

/// <summary>How commands talk: to a program, to a shell, to a terminal.</summary>
public sealed partial class TalkTests(OneWorker swarm) : IClassFixture<OneWorker>
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Logs_are_followed_while_tasks_write()
    {
        string gate = Path.Combine(swarm.Folder, "gate");
        string id = await swarm.SubmitAsync("--", "sh", "-c", $"echo one; echo two >&2; until [ -e {gate} ]; do sleep 0.02; done; echo three");
        using Process follow = swarm.Start("job", "logs", "-f", id);
        Task<string> error = follow.StandardError.ReadToEndAsync(Cancel);
        // The task waits for us: what is read here came while it ran.
        Assert.Equal("one", await follow.StandardOutput.ReadLineAsync(Cancel));
        Assert.Equal("one\n", await swarm.DoAsync("job", "logs", id, "--stream", "stdout"));
        swarm.File("gate", "");
        DrapProgram.Ended ended = await DrapProgram.EndAsync(follow, follow.StandardOutput.ReadToEndAsync(Cancel), error);
        Assert.Equal((0, "three\n", "two\n"), (ended.Code, ended.Out, ended.Err));
        JsonElement chunk = JsonDocument.Parse((await swarm.DoAsync("job", "logs", id, "--stream", "stderr", "-o", "json")).Trim()).RootElement;
        Assert.Equal(("stderr", "two\n"), (chunk.GetProperty("stream").GetString(), System.Text.Encoding.UTF8.GetString(chunk.GetProperty("data").GetBytesFromBase64())));
    }

    [Fact]
    public async Task Yaml_says_what_json_says_and_quiet_only_names()
    {
        string file = swarm.File("job.yaml", """
            name: "yes"
            segments:
              - {name: a, count: 2, command: "echo ${{ index }} > ${{ outputs.n }}", outputs: {n: n.txt}}
            """);
        DrapProgram.Ended run = await swarm.RunAsync("run", file, "--out", "made", "-o", "quiet");
        Assert.Equal((0, Path.Combine(swarm.Folder, "made") + "\n", ""), (run.Code, run.Out, run.Err));
        string id = (await swarm.DoAsync("job", "list", "-n", "1", "-o", "quiet")).Trim();
        Assert.Equal(id + "\n", await swarm.DoAsync("job", "show", "last", "-o", "quiet"));
        Assert.Equal($"{run.Out.Trim()}/a/0/n.txt\n{run.Out.Trim()}/a/1/n.txt\n", await swarm.DoAsync("job", "results", id, "-o", "quiet"));
        Assert.Equal("ant\n", await swarm.DoAsync("market", "-o", "quiet"));
        foreach (string[] command in (string[][])[["job", "show", id, "--history"], ["job", "results", id, "--list"], ["job", "explain", id], ["ledger", id], ["usage", id]])
        {
            string yaml = await swarm.DoAsync([.. command, "-o", "yaml"]);
            Assert.Equal(Flat(await swarm.JsonAsync(command)), Flat(new DeserializerBuilder().Build().Deserialize<object?>(yaml)));
        }
    }

    [Fact]
    public async Task Colours_are_for_terminals_that_want_them()
    {
        string file = swarm.File("colours.yaml", "segments:\n  - {name: work, count: 3, command: [sleep, \"0.05\"]}\n");
        string coloured = await TerminalAsync(("TERM", "xterm"), ("NO_COLOR", ""), file), plain = await TerminalAsync(("TERM", "xterm"), ("NO_COLOR", "1"), file);
        Assert.Matches(Colour(), coloured);
        Assert.DoesNotMatch(Colour(), plain);
        // A picture by segment that is drawn anew, in both; a terminal that can do nothing gets lines.
        Assert.All([coloured, plain], said => Assert.Contains("3/3", said, StringComparison.Ordinal));
        Assert.Contains("  work [########################]", plain, StringComparison.Ordinal);
        string dumb = await TerminalAsync(("TERM", "dumb"), ("NO_COLOR", ""), file);
        Assert.DoesNotContain('\u001b', dumb);
        Assert.Matches("drap-test-\\w+: finished in .*, 3 tasks, cost", dumb);
        // And what is no terminal gets none, whatever it is called.
        Assert.DoesNotContain('\u001b', (await swarm.RunAsync("run", file)).Err);
    }

    [Theory]
    [InlineData("drap jo", "job join")]
    [InlineData("drap job li", "list")]
    [InlineData("drap job wait --ho", "--home")]
    [InlineData("drap bench p", "packing placement")]
    [InlineData("drap completion f", "fish")]
    public async Task A_shell_completes_what_is_typed(string line, string words)
    {
        // As bash does it: the words, which of them is completed, the line and where in it the cursor stands.
        string script = $"""
            PATH="{AppContext.BaseDirectory.TrimEnd('/')}:$PATH"
            source <(drap completion bash)
            COMP_LINE='{line}' COMP_POINT={line.Length} COMP_WORDS=({line}) COMP_CWORD={line.Count(c => c == ' ')}
            _drap
            echo "$(printf '%s\n' "${"{COMPREPLY[@]}"}" | sort | paste -sd ' ')"
            """;
        var start = new ProcessStartInfo("bash") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = swarm.Folder };
        start.ArgumentList.Add("-c");
        start.ArgumentList.Add(script);
        DrapProgram.Ended ended = await RunAsync(start);
        Assert.Equal((0, words + "\n", ""), (ended.Code, ended.Out, ended.Err));
    }

    [Fact]
    public async Task The_packing_bench_says_how_near_each_strategy_comes()
    {
        JsonElement[] rows = [.. (await swarm.JsonAsync("bench", "packing", "-n", "2")).GetProperty("rows").EnumerateArray()];
        Assert.Equal(8 * 4, rows.Length);
        Assert.All(rows, r => Assert.InRange(r.GetProperty("least_percent").GetDouble(), 0, r.GetProperty("mean_percent").GetDouble()));
        JsonElement[] hybrid = [.. rows.Where(r => r.GetProperty("strategy").GetString() == "hybrid")];
        Assert.All(hybrid, r => Assert.InRange(r.GetProperty("mean_percent").GetDouble(), 97, 100.01));
        JsonElement small = hybrid.Single(r => r.GetProperty("bound").GetString() == "optimum");
        Assert.Equal((134, 134), (small.GetProperty("instances").GetInt32(), small.GetProperty("exact").GetInt32()));
        Assert.Contains("best-fit", await swarm.DoAsync("bench", "packing", "-n", "1"), StringComparison.Ordinal);
    }

    [GeneratedRegex(@"\x1b\[[0-9;]*m")]
    private static partial Regex Colour();

    /// <summary>Runs a job in a terminal of its own, and gives back what that was told.</summary>
    private async Task<string> TerminalAsync((string Name, string Value) term, (string Name, string Value) colour, string file)
    {
        var start = new ProcessStartInfo("script") { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false, WorkingDirectory = swarm.Folder };
        foreach (string arg in (string[])["-qec", $"{Path.Combine(AppContext.BaseDirectory, "drap")} run {file}", "/dev/null"])
            start.ArgumentList.Add(arg);
        start.Environment[term.Name] = term.Value;
        start.Environment[colour.Name] = colour.Value;
        DrapProgram.Ended ended = await RunAsync(start);
        Assert.True(ended.Code == 0, ended.Out + ended.Err);
        return ended.Out;
    }

    private async Task<DrapProgram.Ended> RunAsync(ProcessStartInfo start)
    {
        foreach ((string name, string value) in swarm.Environment)
            if (!start.Environment.ContainsKey(name))
                start.Environment[name] = value;
        using Process process = Process.Start(start)!;
        if (start.RedirectStandardInput)
            process.StandardInput.Close();
        return await DrapProgram.EndAsync(process, process.StandardOutput.ReadToEndAsync(Cancel), process.StandardError.ReadToEndAsync(Cancel));
    }

    /// <summary>Each value with its path, in the document's order.</summary>
    private static List<string> Flat(JsonElement json, string path = "") => json.ValueKind switch
    {
        JsonValueKind.Object => [.. json.EnumerateObject().SelectMany(p => Flat(p.Value, $"{path}.{p.Name}"))],
        JsonValueKind.Array => [.. json.EnumerateArray().SelectMany((v, i) => Flat(v, $"{path}[{i}]"))],
        JsonValueKind.True or JsonValueKind.False => [$"{path} {json.GetBoolean().ToString().ToLowerInvariant()}"],
        _ => [$"{path} {json}"],
    };

    private static List<string> Flat(object? yaml, string path = "") => yaml switch
    {
        Dictionary<object, object?> map => [.. map.SelectMany(p => Flat(p.Value, $"{path}.{p.Key}"))],
        List<object?> list => [.. list.SelectMany((v, i) => Flat(v, $"{path}[{i}]"))],
        _ => [string.Create(CultureInfo.InvariantCulture, $"{path} {yaml}")],
    };
}
