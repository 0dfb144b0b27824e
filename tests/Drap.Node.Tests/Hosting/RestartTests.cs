using Drap.Api;
using Drap.Core;
using Drap.Node.Hosting;
using Drap.Node.Tests.Service;
using Xunit;

namespace Drap.Node.Tests.Hosting;

public sealed class RestartTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_node_says_who_it_is_and_drops_logs_of_jobs_that_it_does_not_know()
    {
        await using var room = new SwarmRoom();
        SubmitRequest request = SwarmRoom.Request(SwarmRoom.Script("main", "echo kept; exit 3")) with { OutFolder = "/of/the client" };
        Assert.Equal(JobState.Failed, (await room.RunAsync(request)).Job.State);
        AttemptSummary attempt = (await room.Service.TasksAsync(request.Id, 1, 1, history: true, Cancel)).Tasks.Single().History.Single();
        Assert.True(attempt.Price > Price.Zero);
        PeerId peer = (await room.Service.NodeAsync(Cancel)).Peer;
        Assert.NotEqual(default, peer);
        string stray = Path.Combine(room.Home.Path, "logs", new JobId(Guid.NewGuid()) + ".log");
        await room.RestartAsync(() => File.WriteAllText(stray, "of a job that was forgotten"));
        NodeDocument node = await room.Service.NodeAsync(Cancel);
        Assert.Equal((peer, "dev"), (node.Peer, node.Mode));
        Assert.Equal("kept\n", await room.OutputAsync(request.Id));
        Assert.Equal("/of/the client", (await room.Service.JobAsync(request.Id, Cancel)).OutFolder);
        Assert.Equal(attempt.Price, (await room.Service.TasksAsync(request.Id, 1, 1, history: true, Cancel)).Tasks.Single().History.Single().Price);
        await room.StopAsync();
        Assert.False(File.Exists(stray));
        await room.RestartAsync(isStopped: true);
    }

    [Fact]
    public async Task A_worker_that_does_not_answer_is_named_as_silent()
    {
        using var swarm = new TestSwarm();
        MarketNode node = (await swarm.Service.MarketAsync(false, Cancel)).Nodes.Single();
        Assert.Equal(("anvil", TestSwarm.Worker), (node.Name, node.Peer));
        Assert.NotNull(node.SilentSeconds);
    }

    [Fact]
    public void A_cache_takes_a_tenth_of_a_small_disk_and_ten_gibibytes_of_a_large_one()
    {
        Assert.Equal(5L << 30, BlobKeeper.CacheBytes(50L << 30));
        Assert.Equal(10L << 30, BlobKeeper.CacheBytes(4L << 40));
    }
}
