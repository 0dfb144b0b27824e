using System.Text.Json.Nodes;
using Drap.Libp2p.Host;
using Drap.Libp2p.Keys;
using Drap.Libp2p.Multiformats;
using Xunit;

namespace Drap.Tests.Interop;

/// <summary>Two commands on two machines, and a job runs on both; who is no member gets nothing.</summary>
public sealed class MemberSwarmTests
{
    private const string One = "cpu: 1, memory: 1GiB", Small = "cpu: 0.5, memory: 16MiB", Large = "cpu: 4, memory: 4GiB";

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact(Explicit = true)]
    public async Task Up_on_one_machine_and_join_on_the_next_and_a_job_runs_on_both()
    {
        using var network = new TestNetwork();
        string left = network.AddMachine(), right = network.AddMachine();
        network.Connect(left, "10.9.1.1", right, "10.9.1.2");
        await using DevRoom up = await StartAsync(left, One, "up", "--name", "alpha");
        string ticket = TicketOf(up);
        await using DevRoom joined = await StartAsync(right, One, "join", ticket, "--name", "beta");
        Assert.Equal("alpha", joined.Swarm["swarm"]!["name"]!.GetValue<string>());
        Assert.Null(joined.Swarm["ticket"]);

        // Given on the machine that joined, where only its own worker is known to its user.
        string output = Path.Combine(joined.Folder, "out");
        await RunUntilBothAsync(joined, output);

        // The ticket was good once: not for another node, whatever that one does.
        string thief = Path.Combine(up.Folder, "thief");
        (int code, string error) = await DevRoom.FailAsync(right, thief, "join", ticket);
        Assert.Equal(1, code);
        Assert.Contains("the ticket was used by another node before", error, StringComparison.Ordinal);
        // One letter is not as it was.
        (code, error) = await DevRoom.FailAsync(right, thief, "join", ticket[..40] + (ticket[40] == 'a' ? 'b' : 'a') + ticket[41..]);
        Assert.Equal(2, code);
        Assert.Contains("the ticket is damaged", error, StringComparison.Ordinal);

        // Who is removed is shut out at once, with its worker, and does not come back.
        await up.RunAsync("node", "remove", "beta", "--reason", "sold");
        Assert.Equal(["alpha", "alpha/w0"], await NodesAsync(up));
        await UntilAsync(async () => (await NodesAsync(joined)).SequenceEqual(["beta"]), "the removed node is not alone");
        await joined.RunAsync("stop");
        (code, error) = await DevRoom.FailAsync(right, joined.Home, "up");
        Assert.Equal(1, code);
        Assert.Contains("this node was removed from its swarm", error, StringComparison.Ordinal);
        JsonNode removed = Assert.Single((await up.ReadAsync("swarm", "show"))["removed"]!.AsArray())!;
        Assert.Equal("sold", removed["reason"]!.GetValue<string>());
    }

    [Fact(Explicit = true)]
    public async Task A_ticket_without_addresses_is_enough_on_one_network_and_leaving_is_told()
    {
        using var network = new TestNetwork();
        string left = network.AddMachine(), right = network.AddMachine();
        network.Connect(left, "10.9.1.1", right, "10.9.1.2");
        await using DevRoom up = await StartAsync(left, One, "up", "--name", "alpha");
        await using DevRoom joined = await StartAsync(right, One, "join", WithoutAddresses(TicketOf(up)), "--name", "beta");
        await UntilAsync(async () => (await NodesAsync(up)).Contains("beta"), "the newcomer is not seen");
        await joined.RunAsync("leave");
        await UntilAsync(async () => !(await NodesAsync(up)).Contains("beta"), "the others do not hear that it left");
        Assert.Single((await up.ReadAsync("swarm", "show"))["removed"]!.AsArray());
        Assert.False(Directory.Exists(Path.Combine(joined.Home, "swarm")));
    }

    [Fact(Explicit = true)]
    public async Task Members_that_cannot_reach_each_other_meet_over_a_gateway()
    {
        using var network = new TestNetwork();
        string left = network.AddMachine(), middle = network.AddMachine(), right = network.AddMachine();
        network.Connect(left, "10.9.1.1", middle, "10.9.1.254");
        network.Connect(right, "10.9.2.1", middle, "10.9.2.254");
        await using DevRoom gateway = await StartAsync(middle, Small, "up", "--name", "gate", "--role", "gateway,inviter");
        await using DevRoom near = await StartAsync(left, Small, "join", TicketOf(gateway), "--name", "near", "--hidden");
        string second = (await gateway.RunAsync("invite", "--role", "worker", "--expires", "1h")).Trim();
        await using DevRoom far = await StartAsync(right, Large, "join", second, "--name", "far", "--hidden");
        // Too large for any but the machine on the other side.
        await near.RunAsync("run", "--cpus", "1", "--memory", "256MB", "--output", "here", "--out", Path.Combine(near.Folder, "out"), "--", "sh", "-c", "echo done > \"$DRAP_OUT/here\"");
        Assert.Equal("done\n", await File.ReadAllTextAsync(Assert.Single(Directory.GetFiles(Path.Combine(near.Folder, "out"), "here", SearchOption.AllDirectories)), Cancel));
    }

    /// <summary>A peer of any libp2p that has no certificate: it may ask to join, and nothing else.</summary>
    [Fact(Explicit = true)]
    public async Task A_strangers_connection_speaks_nothing_but_join()
    {
        await using DevRoom up = await StartAsync(null, One, "up", "--name", "alpha", "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns");
        Multiaddr[] addresses = [.. up.Swarm["swarm"]!["nodes"]![0]!["addresses"]!.AsArray().Select(a => Multiaddr.Parse(a!.GetValue<string>()))];
        PeerId peer = addresses[0].Peer!.Value;
        using PrivateKey key = PrivateKey.FromSeed(System.Security.Cryptography.RandomNumberGenerator.GetBytes(PrivateKey.SeedBytes));
        string[] all =
        [
            "/ipfs/id/1.0.0", "/ipfs/ping/1.0.0", "/meshsub/1.2.0", "/meshsub/1.1.0", "/floodsub/1.0.0", "/drap/kad/1.0.0", "/drap/1.1.0/blobs", "/drap/1.0.0/revocations",
            "/libp2p/circuit/relay/0.2.0/hop",
        ];
        foreach (string protocol in all)
        {
            await using Libp2pHost stranger = await Libp2pHost.StartAsync(new HostOptions { Key = key }, Cancel);
            PeerConnection connection = await stranger.ConnectAsync(peer, addresses, Cancel);
            await Assert.ThrowsAnyAsync<Libp2pException>(async () =>
            {
                P2pStream stream = await connection.OpenStreamAsync([protocol], Cancel);
                await stream.WriteAsync("hello"u8.ToArray(), Cancel);
                if (await stream.ReadAsync(new byte[1], Cancel) == 0)
                    throw new Libp2pException("it says nothing");
            });
            await connection.Closed.WaitAsync(ChildProgram.Patience, Cancel);
        }
        Assert.Equal(["alpha", "alpha/w0"], await NodesAsync(up));
    }

    private static Task<DevRoom> StartAsync(string? machine, string has, params string[] command) =>
        DevRoom.StartCommandAsync(machine, $"workers:\n  - {{name: w0, {has}}}\n", command);

    private static string TicketOf(DevRoom room) => room.Swarm["ticket"]!["ticket"]!.GetValue<string>();

    private static string WithoutAddresses(string text)
    {
        Assert.True(Core.Membership.TicketText.TryDecode(text, out Core.Membership.Ticket? ticket, out _));
        return Core.Membership.TicketText.Encode(ticket with { Addresses = [] });
    }

    private static async Task<string[]> NodesAsync(DevRoom room) =>
        [.. (await room.ReadAsync("node", "list"))["nodes"]!.AsArray().Select(n => n!["name"]!.GetValue<string>())];

    /// <summary>The word count, checked, until it has run on both machines: while they meet, the first one may be done by one of them alone.</summary>
    private static async Task RunUntilBothAsync(DevRoom room, string output)
    {
        string example = Path.Combine(JsPackages.Folder, "..", "..", "examples", "wordcount", "job.yaml"), text = Path.Combine(room.Folder, "text");
        room.File("text/words", string.Concat(Enumerable.Range(0, 60_000).Select(i => $"apple{i % 7} pear plum{i % 3}\n")));
        for (int round = 1; ; round++)
        {
            string into = output + round;
            await room.RunAsync("run", example, "--param", "input=" + text, "--param", "chunk=64KiB", "--out", into);
            string[] lines = await File.ReadAllLinesAsync(Assert.Single(Directory.GetFiles(into, "counts.tsv", SearchOption.AllDirectories)), Cancel);
            Assert.Equal("pear\t60000", lines.Single(l => l.StartsWith("pear\t", StringComparison.Ordinal)));
            JsonNode[] tasks = [.. (await room.ReadAsync("job", "show", "last"))["tasks"]!.AsArray().Select(t => t!)];
            Assert.All(tasks, t => Assert.Equal("finished", t["state"]!.GetValue<string>()));
            string[] nodes = [.. tasks.Select(t => t["node"]!.GetValue<string>()).Distinct().Order(StringComparer.Ordinal)];
            if (nodes.SequenceEqual(["alpha/w0", "beta/w0"]))
                return;
            Assert.True(round < 20, $"it only ever runs on {string.Join(", ", nodes)}");
        }
    }

    private static async Task UntilAsync(Func<Task<bool>> holds, string lacking)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        late.CancelAfter(ChildProgram.Patience);
        while (!await holds())
            Assert.False(late.IsCancellationRequested, lacking);
    }
}
