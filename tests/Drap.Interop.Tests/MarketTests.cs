using System.Diagnostics;
using System.Text.Json.Nodes;
using Drap.Libp2p.Envelope;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>A js-libp2p peer beside a swarm that <c>drap dev</c> runs: it hears the market, and reads it with nothing of ours but the schemas.</summary>
public sealed class MarketTests(JsPackages packages)
{
    private const string Topic = "/drap/1.0.0/tasks/cpu/local/all";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_js_peer_that_dials_a_node_of_dev_hears_its_ads_and_finds_them_as_their_schema_says()
    {
        packages.Require();
        await using DevRoom dev = await DevRoom.StartAsync("--workers", "3");
        Assert.Equal(["scheduler", "w1", "w2", "w3"], dev.Swarm["nodes"]!.AsArray().Select(n => n!["name"]!.GetValue<string>()));
        JsonNode scheduler = dev.Swarm["nodes"]![0]!, worker = dev.Swarm["nodes"]![2]!;

        await using JsPeer peer = await JsPeer.StartGossipAsync();
        // Any of the addresses will do: it is a worker's, which passes on what it hears.
        await peer.DialAsync(worker["addresses"]![0]!.GetValue<string>());
        await peer.SubscribeAsync(Topic);
        await peer.NextAsync("subscription", e => e["topic"]!.GetValue<string>() == Topic && e["peer"]!.GetValue<string>() == worker["peer"]!.GetValue<string>());
        // In the mesh it misses nothing; before it would hear of ads only at the next heartbeat.
        await UntilAsync(async () => (await peer.DoAsync("mesh", new() { ["topic"] = Topic }))!.AsArray().Count > 0, "the js peer was not taken into the topic's mesh");

        await dev.RunAsync("run", dev.File("job.yaml", """
            name: advertised
            segments: [{name: work, count: 5, command: [sleep, "0.01"], resources: {cpu: 0.25, memory: 32MiB}, priority: 7}]
            """));
        JsonObject message = await peer.NextAsync("message", e => e["topic"]!.GetValue<string>() == Topic);
        Assert.Equal(scheduler["peer"]!.GetValue<string>(), message["from"]!.GetValue<string>());
        JsonNode read = (await peer.DoAsync("read", new() { ["data"] = message["data"]!.GetValue<string>() }))!;
        Assert.Equal("ad", read["kind"]!.GetValue<string>());
        Assert.Empty(read["errors"]!.AsArray());
        JsonNode ad = read["message"]!, group = Assert.Single(ad["groups"]!.AsArray())!;
        Assert.Equal(scheduler["peer"]!.GetValue<string>(), ad["scheduler"]!.GetValue<string>());
        Assert.Equal("local", ad["principal"]!.GetValue<string>());
        Assert.Equal((5, "process", 7), (group["count"]!.GetValue<int>(), group["driver"]!.GetValue<string>(), group["priority"]!.GetValue<int>()));
        Assert.Equal((250, 32 << 20), (group["resources"]!["milli_cpus"]!.GetValue<int>(), group["resources"]!["memory_bytes"]!.GetValue<int>()));
        // Where its scheduler is, by the scheduler's own word.
        Assert.True(PeerRecord.TryOpen(Convert.FromBase64String(ad["record"]!.GetValue<string>()), out PeerRecord? record, out _));
        Assert.Equal(scheduler["peer"]!.GetValue<string>(), record.Peer.ToString());
        Assert.Equal(scheduler["addresses"]!.AsArray().Select(a => a!.GetValue<string>().Split("/p2p/")[0]), record.Addresses.Select(a => a.ToString()));
        // What a task runs is nobody's business but its worker's.
        Assert.DoesNotContain("sleep", System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(message["data"]!.GetValue<string>())), StringComparison.Ordinal);
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

    private static async Task UntilAsync(Func<Task<bool>> holds, string orElse)
    {
        for (long start = Stopwatch.GetTimestamp(); !await holds();)
        {
            Assert.True(Stopwatch.GetElapsedTime(start) < ChildProgram.Patience, orElse);
            await Task.Delay(20, Cancel);
        }
    }
}
