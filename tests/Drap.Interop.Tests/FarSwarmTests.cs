using System.Text.Json.Nodes;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>Whole nodes on machines of their own: an ad, an offer, a task, its input there and its result back.</summary>
public sealed class FarSwarmTests
{
    // Too small for what is asked for: it runs on the other machine or nowhere.
    private const string Small = "cpu: 0.5, memory: 16MiB", Large = "cpu: 4, memory: 4GiB";

    [Fact]
    public async Task Two_nodes_that_cannot_reach_each_other_form_a_swarm_over_a_relay()
    {
        using var network = new TestNetwork();
        string left = network.AddMachine(), middle = network.AddMachine(), right = network.AddMachine();
        network.Connect(left, "10.9.1.1", middle, "10.9.1.254");
        network.Connect(right, "10.9.2.1", middle, "10.9.2.254");
        // The machine in the middle passes nothing on by itself.
        await using FarWorker relay = await FarWorker.StartAsync(middle, "relay", Small, "libp2p:relay,listen=/ip4/0.0.0.0/tcp/0");
        await using FarWorker worker = await FarWorker.StartAsync(
            right, "far", Large, $"libp2p:hidden,listen=/ip4/0.0.0.0/tcp/0,bootstrap={On(relay, "10.9.2.254")}");
        await using DevRoom dev = await DevRoom.StartInAsync(
            left, $"workers:\n  - {{name: near, {Small}}}\n", "--overlay", $"libp2p:hidden,listen=/ip4/0.0.0.0/tcp/0,bootstrap={On(relay, "10.9.1.254")}");
        await RunAsync(dev);
    }

    /// <summary>Nobody tells the worker that it listens where nobody comes: it sees it, in the twenty seconds that this takes.</summary>
    [Fact(Explicit = true)]
    public async Task A_node_sees_that_nobody_can_dial_it_and_turns_to_a_relay()
    {
        using var network = new TestNetwork();
        string left = network.AddMachine(), middle = network.AddMachine(), right = network.AddMachine();
        network.Connect(left, "10.9.1.1", middle, "10.9.1.254");
        network.Connect(right, "10.9.2.1", middle, "10.9.2.254");
        await using FarWorker relay = await FarWorker.StartAsync(middle, "relay", Small, "libp2p:relay,listen=/ip4/0.0.0.0/tcp/0");
        await using FarWorker worker = await FarWorker.StartAsync(right, "far", Large, $"libp2p:bootstrap={On(relay, "10.9.2.254")}");
        await using DevRoom dev = await DevRoom.StartInAsync(
            left, $"workers:\n  - {{name: near, {Small}}}\n", "--overlay", $"libp2p:bootstrap={On(relay, "10.9.1.254")}");
        await RunAsync(dev);
    }

    [Fact]
    public async Task Two_nodes_that_were_told_of_nobody_find_each_other_on_their_network()
    {
        using var network = new TestNetwork();
        string left = network.AddMachine(), right = network.AddMachine();
        network.Connect(left, "10.9.1.1", right, "10.9.1.2");
        await using FarWorker worker = await FarWorker.StartAsync(right, "far", Large, "libp2p:mdns,listen=/ip4/0.0.0.0/tcp/0");
        await using DevRoom dev = await DevRoom.StartInAsync(
            left, $"workers:\n  - {{name: near, {Small}}}\n", "--overlay", "libp2p:mdns,listen=/ip4/0.0.0.0/tcp/0");
        await RunAsync(dev);
    }

    private static string On(FarWorker worker, string address) => worker.Addresses.Single(a => a.StartsWith($"/ip4/{address}/", StringComparison.Ordinal));

    /// <summary>A file goes there with the task, and what it made comes back.</summary>
    private static async Task RunAsync(DevRoom dev)
    {
        string text = string.Concat(Enumerable.Range(0, 200_000).Select(i => $"{i}\n"));
        dev.File("text/numbers", text);
        string job = dev.File("job.yaml", """
            name: far
            params:
              input: {type: path}
            segments:
              - name: turn
                inputs: {numbers: "${{ params.input }}"}
                command: [sh, -c, 'rev "$1" > "$2"', turn, "${{ inputs.numbers }}", "${{ outputs.turned }}"]
                outputs: {turned: turned}
                resources: {cpu: 1, memory: 256MiB}
            """);
        string output = Path.Combine(dev.Folder, "out");
        await dev.RunAsync("run", job, "--param", "input=" + Path.Combine(dev.Folder, "text", "numbers"), "--out", output);
        JsonNode task = Assert.Single((await dev.ReadAsync("job", "show", "1"))["tasks"]!.AsArray())!;
        Assert.Equal(("finished", 1), (task["state"]!.GetValue<string>(), task["attempts"]!.GetValue<int>()));
        string turned = Assert.Single(Directory.GetFiles(output, "*", SearchOption.AllDirectories));
        Assert.Equal(
            string.Concat(Enumerable.Range(0, 200_000).Select(i => new string([.. $"{i}".Reverse()]) + "\n")),
            await File.ReadAllTextAsync(turned, TestContext.Current.CancellationToken));
    }
}
