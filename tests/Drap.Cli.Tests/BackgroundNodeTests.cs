using System.Diagnostics;
using Drap.Cli.Nodes;
using Xunit;

namespace Drap.Tests.Cli;

public sealed class BackgroundNodeTests
{
    /// <summary>A shell that reads the output of a submit must not wait for the node that the submit leaves behind.</summary>
    [Fact]
    public async Task A_node_in_the_background_lets_go_of_its_parents_output_and_logs_to_its_home()
    {
        using var home = new TemporaryHome();
        string program = Path.Combine(AppContext.BaseDirectory, "drap.dll");
        var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (string arg in (ReadOnlySpan<string>)[program, "node", "--home", "/proc/none"])
            start.ArgumentList.Add(arg);
        using (Process refused = Process.Start(start)!)
        {
            Assert.NotEmpty(await refused.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
            await refused.WaitForExitAsync(TestContext.Current.CancellationToken);
            Assert.Equal(1, refused.ExitCode);
        }
        home.Folder.Create();
        // A home that is a copy: the node ends at once, whatever engine it has, and says why in its log alone.
        await File.WriteAllTextAsync(
            home.Folder.IdentityFile, """{"version":1,"machine_id":"another","device":"1","file_system":"1","inode":1}""", TestContext.Current.CancellationToken);
        start.ArgumentList[3] = home.Folder.Path;
        using Process node = Process.Start(start)!;
        Assert.Equal("", await node.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        Assert.Equal("", await node.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken));
        await node.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(1, node.ExitCode);
        Assert.Contains("is a copy, or was moved", await File.ReadAllTextAsync(Path.Combine(home.Folder.Path, BackgroundNode.LogName), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Contains("drap adopt", new BackgroundNode(null).LastWords(home.Folder), StringComparison.Ordinal);
    }
}
