using System.Diagnostics;
using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>A js-libp2p peer beside a swarm that <c>drap dev</c> runs: it hears the market, and reads it with nothing of ours but the schemas.</summary>
public sealed class MarketTests(JsPackages packages)
{
    private const string Topic = "/drap/1.0.0/tasks/cpu/local/all";

    /// <summary>Far more than any of this takes on a busy machine.</summary>
    private static readonly TimeSpan patience = TimeSpan.FromSeconds(90);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_js_peer_that_dials_a_node_of_dev_hears_its_ads_and_finds_them_as_their_schema_says()
    {
        packages.Require();
        string folder = Directory.CreateTempSubdirectory("drap-market-").FullName;
        string home = Path.Combine(folder, "home");
        using Process dev = Drap("dev", "--workers", "3", "--home", home, "-o", "json");
        Task<string> said = dev.StandardError.ReadToEndAsync(Cancel);
        try
        {
            string? line = await dev.StandardOutput.ReadLineAsync(Cancel).AsTask().WaitAsync(patience, Cancel);
            JsonNode swarm = JsonNode.Parse(line ?? throw new InvalidOperationException(await said))!;
            Assert.Equal(["scheduler", "w1", "w2", "w3"], swarm["nodes"]!.AsArray().Select(n => n!["name"]!.GetValue<string>()));
            JsonNode scheduler = swarm["nodes"]![0]!, worker = swarm["nodes"]![2]!;

            await using JsPeer peer = await JsPeer.StartGossipAsync();
            // Any of the addresses will do: it is a worker's, which passes on what it hears.
            await peer.DialAsync(worker["addresses"]![0]!.GetValue<string>());
            await peer.SubscribeAsync(Topic);
            await peer.NextAsync("subscription", e => e["topic"]!.GetValue<string>() == Topic && e["peer"]!.GetValue<string>() == worker["peer"]!.GetValue<string>());
            // In the mesh it misses nothing; before it would hear of ads only at the next heartbeat.
            await UntilAsync(async () => (await peer.DoAsync("mesh", new() { ["topic"] = Topic }))!.AsArray().Count > 0, "the js peer was not taken into the topic's mesh");

            string job = Path.Combine(folder, "job.yaml");
            await File.WriteAllTextAsync(job, """
                name: advertised
                segments: [{name: work, count: 5, command: [sleep, "0.01"], resources: {cpu: 0.25, memory: 32MiB}, priority: 7}]
                """, Cancel);
            using Process run = Drap("run", job, "--home", home);
            Task<string> output = run.StandardOutput.ReadToEndAsync(Cancel), error = run.StandardError.ReadToEndAsync(Cancel);
            JsonObject message = await peer.NextAsync("message", e => e["topic"]!.GetValue<string>() == Topic);
            await run.WaitForExitAsync(Cancel).WaitAsync(patience, Cancel);
            Assert.True(run.ExitCode == 0, await error + await output);

            Assert.Equal(scheduler["peer"]!.GetValue<string>(), message["from"]!.GetValue<string>());
            JsonNode read = (await peer.DoAsync("read", new() { ["data"] = message["data"]!.GetValue<string>() }))!;
            Assert.Equal("ad", read["kind"]!.GetValue<string>());
            Assert.Empty(read["errors"]!.AsArray());
            JsonNode ad = read["message"]!, group = Assert.Single(ad["groups"]!.AsArray())!;
            Assert.Equal(scheduler["peer"]!.GetValue<string>(), ad["scheduler"]!.GetValue<string>());
            Assert.Equal("local", ad["principal"]!.GetValue<string>());
            Assert.Equal((5, "process", 7), (group["count"]!.GetValue<int>(), group["driver"]!.GetValue<string>(), group["priority"]!.GetValue<int>()));
            Assert.Equal((250, 32 << 20), (group["resources"]!["milli_cpus"]!.GetValue<int>(), group["resources"]!["memory_bytes"]!.GetValue<int>()));
            // What a task runs is nobody's business but its worker's.
            Assert.DoesNotContain("sleep", System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(message["data"]!.GetValue<string>())), StringComparison.Ordinal);
        }
        finally
        {
            using Process stop = Drap("stop", "--home", home);
            await stop.WaitForExitAsync(CancellationToken.None).WaitAsync(patience, CancellationToken.None);
            await dev.WaitForExitAsync(CancellationToken.None).WaitAsync(patience, CancellationToken.None);
            Directory.Delete(folder, recursive: true);
        }
        Assert.True(dev.ExitCode == 0, await said);
    }

    /// <summary>The committed vectors, read by another implementation of CBOR: what they say is what we say of them.</summary>
    [Fact]
    public async Task Js_reads_the_committed_vectors_as_they_are_told()
    {
        packages.Require();
        await using JsPeer peer = await JsPeer.StartAsync([]);
        string[] blocks = (await File.ReadAllTextAsync(Path.Combine(JsPackages.Folder, "..", "..", "docs", "protocol", "vectors.txt"), Cancel)).Split("\n\n");
        string[] ad = blocks.Single(b => b.TrimStart().StartsWith("Ad\n", StringComparison.Ordinal)).Trim().Split('\n');
        JsonNode read = (await peer.DoAsync("read", new() { ["data"] = Convert.ToBase64String(Convert.FromHexString(ad[2])) }))!;
        Assert.Empty(read["errors"]!.AsArray());
        Assert.Equal(JsonNode.Parse(ad[1])!.ToJsonString(), read["message"]!.ToJsonString());
        // A schema that allowed everything would show here: a task group without its driver, an ad of a principal without a name.
        byte[] bad = Convert.FromHexString(ad[2].Replace("03656c6f63616c", "0360", StringComparison.Ordinal));
        read = (await peer.DoAsync("read", new() { ["data"] = Convert.ToBase64String(bad) }))!;
        Assert.Equal(["/principal must NOT have fewer than 1 characters"], read["errors"]!.AsArray().Select(e => e!.GetValue<string>()));
    }

    private static Process Drap(params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "drap.dll"), .. arguments])
        {
            RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false,
        };
        start.Environment["NO_COLOR"] = "1";
        Process process = Process.Start(start)!;
        process.StandardInput.Close();
        return process;
    }

    private static async Task UntilAsync(Func<Task<bool>> holds, string orElse)
    {
        for (long start = Stopwatch.GetTimestamp(); !await holds();)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < patience, orElse);
            await Task.Delay(20, Cancel);
        }
    }
}
