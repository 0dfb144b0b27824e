using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>A node of a swarm as a batch system starts it: it goes by itself, in order.</summary>
public sealed class UpTests : IAsyncDisposable
{
    private static readonly string[] alone = ["up", "--no-ticket", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0"];

    private readonly DrapProgram drap = new();

    public ValueTask DisposeAsync() => drap.DisposeAsync();

    [Fact]
    public async Task A_node_that_nobody_needs_leaves_with_0_and_its_settings_stay()
    {
        DrapProgram.Ended ended = await drap.RunAsync([.. alone, "--idle-timeout", "1s"]);
        Assert.Equal((0, ""), (ended.Code, ended.Out.Trim()));
        Assert.Contains("worker w1 has left", ended.Err, StringComparison.Ordinal);
        Assert.Contains("the node leaves: nobody needs it", ended.Err, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(drap.Home.Folder.Path, "node.yaml")));
        Assert.Equal(0, (await drap.RunAsync("config", "check")).Code);
    }

    [Fact]
    public async Task A_gateway_in_the_background_hands_out_tickets_and_takes_neither_jobs_nor_tasks()
    {
        DrapProgram.Ended up = await drap.RunAsync("up", "--detach", "--gateway", "--no-mdns", "--listen", "/ip4/127.0.0.1/tcp/0", "--name", "gate");
        Assert.Equal(0, up.Code);
        Assert.StartsWith("drap1", up.Out, StringComparison.Ordinal);
        Assert.Contains("gate is up in the swarm gate (gateway, inviter)", up.Err, StringComparison.Ordinal);
        DrapProgram.Ended submit = await drap.RunAsync("submit", "--", "true");
        Assert.Equal((1, ""), (submit.Code, submit.Out));
        Assert.Contains("this node takes no jobs: its roles are gateway, inviter, without scheduler; no node that is connected has it", submit.Err, StringComparison.Ordinal);
        DrapProgram.Ended drain = await drap.RunAsync("node", "drain");
        Assert.Contains("gate runs no tasks: there is nothing to drain", drain.Err, StringComparison.Ordinal);
        Assert.Equal(0, (await drap.RunAsync("stop")).Code);
    }

    /// <summary>Also when the end comes while it is still starting.</summary>
    [Theory]
    [InlineData("1s")]
    [InlineData("4s")]
    public async Task A_node_leaves_when_its_time_is_over(string limit)
    {
        DrapProgram.Ended ended = await drap.RunAsync([.. alone, "--time-limit", limit]);
        Assert.Equal(0, ended.Code);
        Assert.Contains("the node leaves: its time is over", ended.Err, StringComparison.Ordinal);
    }
}
