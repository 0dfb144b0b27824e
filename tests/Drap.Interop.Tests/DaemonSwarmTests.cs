using System.Diagnostics;
using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>The market does not care whose libp2p carries it: the same job, with nodes that speak by js-libp2p's daemon, and some that do.</summary>
public sealed class DaemonSwarmTests(JsPackages packages)
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>Who speaks by a daemon of js: of the scheduler and two workers.</summary>
    [Theory(Explicit = true)]
    [InlineData(true, true, true)]
    [InlineData(false, true, false)]
    [InlineData(true, false, false)]
    public async Task Words_are_counted_by_nodes_over_js_libp2ps_daemon(params bool[] overJs)
    {
        packages.Require();
        var daemons = new List<JsDaemon>();
        try
        {
            var arguments = new List<string> { "--workers", "2" };
            foreach (bool js in overJs)
            {
                if (js)
                    daemons.Add(await JsDaemon.StartAsync(new JsonObject { ["pubsub"] = true, ["pubsubRouter"] = "gossipsub" }));
                arguments.AddRange(["--overlay", js ? $"p2pd:{daemons[^1].Control}" : "libp2p"]);
            }
            await using DevRoom dev = await DevRoom.StartAsync([.. arguments]);
            Assert.Equal(["scheduler", "w1", "w2"], dev.Swarm["nodes"]!.AsArray().Select(n => n!["name"]!.GetValue<string>()));
            Assert.Equal(
                daemons.Select(d => d.Id.ToString()), dev.Swarm["nodes"]!.AsArray().Where((_, i) => overJs[i]).Select(n => n!["peer"]!.GetValue<string>()));
            // Longer than js-libp2p's daemon lets any stream that it brings live, twice; and shorter than a lease.
            using var watched = new CancellationTokenSource();
            Task<TimeSpan> stood = StoodStillAsync(watched.Token);
            await dev.RunAsync("run", dev.File("long.yaml", """
                name: long
                segments: [{name: work, count: 4, command: [sleep, "24"], resources: {cpu: 0.25, memory: 32MiB}}]
                """));
            await watched.CancelAsync();
            JsonNode shown = await dev.ReadAsync("job", "show", "1");
            Assert.All(shown["tasks"]!.AsArray(), t => Assert.Equal("finished", t!["state"]!.GetValue<string>()));
            // On a machine that stands still as a whole leases end, whoever carries their renewals.
            if (await stood < TimeSpan.FromSeconds(5))
                Assert.All(shown["tasks"]!.AsArray(), t => Assert.Equal(1, t!["attempts"]!.GetValue<int>()));
            // A word a line, each as often as its number says, over as many files.
            string text = string.Concat(Enumerable.Range(1, 400).Select(i => string.Concat(Enumerable.Repeat($"{Word(i)} ", i))));
            for (int i = 0; i < 4; i++)
                dev.File($"text/{i}", text);
            string example = Path.Combine(JsPackages.Folder, "..", "..", "examples", "wordcount", "job.yaml"), output = Path.Combine(dev.Folder, "out");
            await dev.RunAsync("run", example, "--param", "input=" + Path.Combine(dev.Folder, "text"), "--param", "chunk=64KiB", "--out", output);
            Assert.Equal(
                Enumerable.Range(1, 400).Reverse().Select(i => $"{Word(i)}\t{4 * i}"), await File.ReadAllLinesAsync(Path.Combine(output, "counts.tsv"), Cancel));
        }
        finally
        {
            foreach (JsDaemon daemon in daemons)
                await daemon.DisposeAsync();
        }
    }

    /// <summary>The longest time for which this process was not let run.</summary>
    private static async Task<TimeSpan> StoodStillAsync(CancellationToken watched)
    {
        TimeSpan longest = TimeSpan.Zero;
        while (!watched.IsCancellationRequested)
        {
            long start = Stopwatch.GetTimestamp();
            await Task.Delay(TimeSpan.FromMilliseconds(100), CancellationToken.None);
            longest = Stopwatch.GetElapsedTime(start) is var now && now > longest ? now : longest;
        }
        return longest;
    }

    private static string Word(int number) => $"{(char)('a' + (number / 26))}{(char)('a' + (number % 26))}";
}
