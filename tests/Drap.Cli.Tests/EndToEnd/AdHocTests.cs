using System.Diagnostics;
using System.Runtime.InteropServices;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

public sealed partial class AdHocTests
{
    [Theory]
    [InlineData(7, "sh", "-c", "exit 7")]
    [InlineData(137, "sh", "-c", "kill -9 $$")]
    [InlineData(127, "no-such-command")]
    [InlineData(126, "/etc/passwd")]
    public async Task The_commands_exit_code_is_mine(int code, params string[] command)
    {
        await using var drap = new DrapProgram();
        DrapProgram.Ended ended = await drap.RunAsync(["run", "--", .. command]);
        Assert.Equal(code, ended.Code);
        Assert.Equal("", ended.Out);
    }

    [Fact]
    public async Task What_is_piped_in_comes_out_of_the_command_whole()
    {
        await using var drap = new DrapProgram();
        string text = string.Concat(Enumerable.Range(0, 200_000).Select(i => i + "\n"));
        DrapProgram.Ended ended = await drap.PipeAsync(text, "run", "--", "cat");
        Assert.Equal("", ended.Err);
        Assert.True(ended.Out == text, $"{ended.Out.Length} characters came back of {text.Length}");
        Assert.Equal(0, ended.Code);
    }

    [Fact]
    public async Task An_interrupt_cancels_the_task()
    {
        await using var drap = new DrapProgram();
        using Process process = drap.Start(input: false, "run", "--", "sh", "-c", "echo $$; exec sleep 1000");
        int task = int.Parse((await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken))!, System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(0, Kill(process.Id, 2));
        DrapProgram.Ended ended = await DrapProgram.EndAsync(
            process, process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        Assert.Equal(130, ended.Code);
        Assert.Contains("cancelling", ended.Err, StringComparison.Ordinal);
        Assert.False(Directory.Exists($"/proc/{task}"), "the task's process is left behind");
    }

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int Kill(int process, int signal);
}
