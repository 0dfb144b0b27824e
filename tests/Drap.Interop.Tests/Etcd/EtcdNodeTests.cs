using System.Text.Json.Nodes;
using Drap.Node.Storage.Etcd;
using Xunit;

namespace Drap.Tests.Interop.Etcd;

/// <summary>A node, as its user has it, whose scheduler keeps its journal in etcd.</summary>
public sealed class EtcdNodeTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Jobs_outlive_a_member_of_etcd_and_the_node_and_are_nobody_elses()
    {
        await using EtcdCluster cluster = EtcdCluster.Start(3);
        EtcdAddress address = cluster.Address("lab");
        string[] up = ["up", "--name", "alpha", "--no-ticket", "--listen", "/ip4/127.0.0.1/tcp/0", "--no-mdns"], withJournal = [.. up, "--journal", address.ToString()];
        await using DevRoom room = await DevRoom.StartCommandAsync(null, "workers:\n  - {name: w0, cpu: 1, memory: 1GiB}\n", withJournal);
        await room.RunAsync("run", "--array", "1-20", "--cpus", "0.1", "--name", "first", "--", "true");
        int leader = await cluster.LeaderAsync(Cancel);
        cluster.Kill(leader);
        Assert.Equal("hello\n", await room.RunAsync("run", "--name", "second", "--", "echo", "hello"));
        cluster.Start(leader);
        Assert.False(Directory.Exists(Path.Combine(room.Home, "scheduler", "journal")));
        await room.RunAsync("stop");

        (int code, string error) = await DevRoom.FailAsync(null, room.Home, "job", "list");
        Assert.Equal(1, code);
        Assert.Contains($"its journal is in {address}", error, StringComparison.Ordinal);
        (code, error) = await DevRoom.FailAsync(null, Path.Combine(room.Folder, "other"), withJournal);
        Assert.Equal(1, code);
        Assert.Contains($"the journal {address} is that of 12D3KooW", error, StringComparison.Ordinal);

        // Without a word about it the home goes on where its journal is.
        await using (ChildProgram again = ChildProgram.StartDrap(null, [.. up, "--home", room.Home, "-o", "json"]))
        {
            await again.FirstLineAsync();
            JsonNode[] jobs = [.. (await room.ReadAsync("job", "list"))["jobs"]!.AsArray().Select(j => j!)];
            Assert.Equal([("first", "finished"), ("second", "finished")], jobs.Select(j => (j["name"]!.GetValue<string>(), j["state"]!.GetValue<string>())).Order());
            await room.RunAsync("stop");
            Assert.Equal(0, await again.EndAsync());
        }
    }
}
