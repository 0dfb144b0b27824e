using System.Diagnostics;
using System.Globalization;
using Drap.Client;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>Who may use a home, and what is left when its process ends.</summary>
public sealed class HomeTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A shell that reads the output of a submit must not wait for the node that the submit leaves behind.</summary>
    [Fact]
    public async Task A_node_in_the_background_keeps_nothing_of_its_parents_output()
    {
        await using var drap = new DrapProgram();
        DrapProgram.Ended ended = await drap.RunAsync("submit", "--", "sleep", "1000");
        Assert.True(ended.Code == 0, ended.Err);
        Assert.Equal(32, ended.Out.Trim().Length);
        // Both streams came to their end, and the node still serves the home.
        using DrapClient node = await drap.ConnectAsync();
        Assert.Equal("background", (await node.NodeAsync(Cancel)).Mode);
        await drap.StopAsync();
        Traces.AssertNone(drap.Home.Folder.Path);
    }

    [Fact]
    public async Task A_second_node_says_who_has_the_home()
    {
        await using var drap = new DrapProgram();
        using Process first = drap.Start(input: false, "dev", "--workers", "1");
        using DrapClient node = await drap.ConnectAsync();
        DrapProgram.Ended second = await drap.RunAsync("dev");
        Assert.Equal((1, ""), (second.Code, second.Out));
        Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"process {first.Id} serves {drap.Home.Folder} already"), second.Err, StringComparison.Ordinal);
        Assert.Contains("drap stop", second.Err, StringComparison.Ordinal);
        // Everything else goes to the one that is there.
        DrapProgram.Ended run = await drap.RunAsync("run", "--", "echo", "here");
        Assert.Equal((0, "here\n"), (run.Code, run.Out));
        await drap.StopAsync();
        await first.WaitForExitAsync(Cancel);
        Assert.Equal(0, first.ExitCode);
    }

    [Theory]
    [InlineData(125, "run", "--", "true")]
    [InlineData(1, "submit", "job.yaml")]
    [InlineData(1, "dev")]
    public async Task A_copied_home_is_refused_until_it_is_adopted(int code, params string[] command)
    {
        await using var drap = new DrapProgram();
        drap.File("job.yaml", "segments: [{name: a, command: [\"true\"]}]");
        Assert.Equal(0, (await drap.RunAsync("run", "--", "true")).Code);
        string copy = Path.Combine(drap.Folder, "copy");
        using (Process copying = Process.Start("cp", ["-a", drap.Home.Folder.Path, copy]))
            await copying.WaitForExitAsync(Cancel);
        drap.Environment["DRAP_HOME"] = copy;
        DrapProgram.Ended refused = await drap.RunAsync(command);
        Assert.Equal((code, ""), (refused.Code, refused.Out));
        Assert.Contains($"{copy} is a copy, or was moved", refused.Err, StringComparison.Ordinal);
        Assert.Contains("drap adopt", refused.Err, StringComparison.Ordinal);

        Assert.Equal(0, (await drap.RunAsync("adopt")).Code);
        DrapProgram.Ended run = await drap.RunAsync("run", "--", "echo", "adopted");
        Assert.Equal((0, "adopted\n"), (run.Code, run.Out));
        // The history came with it.
        Assert.Equal(2, (await drap.RunAsync("job", "list", "-o", "quiet")).Out.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }
}
