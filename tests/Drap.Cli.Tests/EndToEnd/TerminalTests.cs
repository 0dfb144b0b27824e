using System.Diagnostics;
using System.Globalization;
using Drap.Api;
using Drap.Client;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>What a terminal does to a command: interrupts, ends, streams that are closed or whose other end has gone.</summary>
public sealed class TerminalTests
{
    private const int interrupt = 2, terminate = 15;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>A task that tells its number and then cannot be asked to end.</summary>
    private static readonly string[] deaf = ["sh", "-c", "trap '' TERM HUP INT; echo $$; sleep 1000; sleep 1000"];

    [Fact]
    public async Task A_second_interrupt_kills_the_task_of_this_process_and_ends_at_once()
    {
        await using var drap = new DrapProgram();
        using Process run = drap.Start(input: false, ["run", "--", .. deaf]);
        int task = await NumberAsync(run);
        Assert.Equal(0, DrapProgram.Signal(run.Id, interrupt));
        Assert.Equal("", await run.StandardError.ReadLineAsync(Cancel));
        Assert.Equal("cancelling; Ctrl+C again kills it", await run.StandardError.ReadLineAsync(Cancel));
        Assert.Equal(0, DrapProgram.Signal(run.Id, interrupt));
        DrapProgram.Ended ended = await EndAsync(run);
        Assert.Equal(130, ended.Code);
        Assert.False(Directory.Exists($"/proc/{task}"), "the task's process is left behind");
        Assert.Equal([], Traces.Processes(drap.Home.Folder.Path));
        // The cancel was taken, and the kill not: nothing is placed again.
        Assert.Equal((0, "[]"), Jobs(await drap.RunAsync("job", "list", "--open", "-o", "json")));
    }

    [Fact]
    public async Task A_second_interrupt_leaves_the_task_to_the_node_that_has_it()
    {
        await using var drap = new DrapProgram();
        Assert.Equal(0, (await drap.RunAsync("submit", "--", "sleep", "1000")).Code);
        using Process run = drap.Start(input: false, ["run", "--", .. deaf]);
        int task = await NumberAsync(run);
        Assert.Equal(0, DrapProgram.Signal(run.Id, interrupt));
        await run.StandardError.ReadLineAsync(Cancel);
        Assert.Equal("cancelling; Ctrl+C again leaves it to its node, which kills what does not end by itself", await run.StandardError.ReadLineAsync(Cancel));
        Assert.Equal(0, DrapProgram.Signal(run.Id, interrupt));
        Assert.Equal(130, (await EndAsync(run)).Code);
        await DrapProgram.UntilAsync(() => !Directory.Exists($"/proc/{task}"), "the node did not kill the task");
    }

    [Fact]
    public async Task A_node_that_is_told_to_end_keeps_its_jobs_and_the_next_command_goes_on()
    {
        await using var drap = new DrapProgram();
        string go = Path.Combine(drap.Folder, "go");
        DrapProgram.Ended submitted = await drap.RunAsync("submit", "--", "sh", "-c", $"echo begun; while ! [ -e '{go}' ]; do sleep 0.02; done");
        Assert.True(submitted.Code == 0, submitted.Err);
        using (DrapClient node = await drap.ConnectAsync())
            await RunningAsync(node, await node.ResolveAsync("last", Cancel));
        int process = drap.Holder!.Value;
        Assert.Equal(0, DrapProgram.Signal(process, terminate));
        await DrapProgram.UntilAsync(() => !Directory.Exists($"/proc/{process}"), "the node did not end");
        Traces.AssertNone(drap.Home.Folder.Path);
        // Ended on purpose: nothing to complain of.
        Assert.Equal("", await File.ReadAllTextAsync(Path.Combine(drap.Home.Folder.Path, "node.log"), Cancel));
        await File.WriteAllTextAsync(go, "", Cancel);
        Assert.Equal(0, (await drap.RunAsync("job", "wait", "last")).Code);
    }

    [Fact]
    public async Task A_client_that_is_killed_takes_only_what_it_fed_with_it()
    {
        await using var drap = new DrapProgram();
        string go = Path.Combine(drap.Folder, "go");
        Assert.Equal(0, (await drap.RunAsync("submit", "--", "sleep", "1000")).Code);
        using DrapClient node = await drap.ConnectAsync();
        using (Process fed = drap.Start(input: true, "run", "--", "cat"))
        {
            await fed.StandardInput.WriteAsync("some\n");
            await fed.StandardInput.FlushAsync(Cancel);
            Assert.Equal("some", await fed.StandardOutput.ReadLineAsync(Cancel));
            fed.Kill();
        }
        using (Process other = drap.Start(input: false, "run", "--", "sh", "-c", $"echo $$; while ! [ -e '{go}' ]; do sleep 0.02; done"))
        {
            await NumberAsync(other);
            other.Kill();
        }
        // Nobody gives cat the rest of its input, and it must not take a part for the whole.
        Assert.Equal(JobState.Cancelled, (await node.WaitAsync(await node.ResolveAsync("2", Cancel), Cancel)).State);
        await File.WriteAllTextAsync(go, "", Cancel);
        Assert.Equal(JobState.Finished, (await node.WaitAsync(await node.ResolveAsync("3", Cancel), Cancel)).State);
    }

    [Fact]
    public async Task A_task_whose_input_went_with_its_node_is_not_begun_again()
    {
        await using var drap = new DrapProgram();
        using (Process fed = drap.Start(input: true, "run", "--", "cat"))
        {
            await fed.StandardInput.WriteAsync("some\n");
            await fed.StandardInput.FlushAsync(Cancel);
            Assert.Equal("some", await fed.StandardOutput.ReadLineAsync(Cancel));
            fed.Kill();
        }
        DrapProgram.Ended next = await drap.RunAsync("run", "--", "echo", "next");
        Assert.Equal((0, "next\n", ""), (next.Code, next.Out, next.Err));
        DrapProgram.Ended explained = await drap.RunAsync("job", "show", "1");
        Assert.Contains("its standard input went with the node that passed it on; run it anew", explained.Out, StringComparison.Ordinal);
        DrapProgram.Ended again = await drap.RunAsync("job", "rerun", "1");
        Assert.Equal((1, "drap: job 1 reads standard input, which cannot be given to it a second time; run it anew\n"), (again.Code, again.Err));
    }

    [Fact]
    public async Task A_command_does_not_wait_for_input_that_its_task_did_not_read()
    {
        await using var drap = new DrapProgram();
        // Its standard input stays open and silent, as a terminal at which nobody types.
        using Process run = drap.Start(input: true, "run", "--", "echo", "done");
        DrapProgram.Ended ended = await EndAsync(run);
        Assert.Equal((0, "done\n", ""), (ended.Code, ended.Out, ended.Err));
    }

    [Theory]
    [InlineData("run -- cat <&-", 0, "", "")]
    [InlineData("run -- echo lost >&-", 0, "", "")]
    [InlineData("run -- sh -c 'echo said; echo lost >&2' 2>&-", 0, "said\n", "")]
    [InlineData("job list <&- >&- 2>&-", 0, "", "")]
    [InlineData("run -- echo lost >/dev/full", 125, "", "drap: standard output cannot be written: No space left on device\n")]
    [InlineData("job list >/dev/full", 1, "", "drap: No space left on device\n")]
    public async Task Closed_and_full_streams(string command, int code, string output, string error)
    {
        await using var drap = new DrapProgram();
        Assert.Equal(0, (await drap.RunAsync("run", "--", "true")).Code);
        DrapProgram.Ended ended = await drap.ShellAsync("drap " + command);
        Assert.Equal((code, output, error), (ended.Code, ended.Out, ended.Err));
    }

    [Theory]
    [InlineData("run -- yes", "y\n")]
    [InlineData("job logs 1", "1\n")]
    [InlineData("job logs 1 -o json", null)]
    public async Task A_command_whose_reader_has_gone_ends_as_if_it_had_heard_SIGPIPE(string command, string? first)
    {
        await using var drap = new DrapProgram();
        Assert.Equal(0, (await drap.RunAsync("run", "--", "seq", "1000000")).Code);
        DrapProgram.Ended ended = await drap.ShellAsync($"{{ drap {command}; echo $? >code; }} | head -1");
        Assert.Equal("141\n", await File.ReadAllTextAsync(Path.Combine(drap.Folder, "code"), Cancel));
        Assert.Equal("", ended.Err);
        if (first is not null)
            Assert.Equal(first, ended.Out);
        Traces.AssertNone(drap.Home.Folder.Path);
    }

    private static async Task<int> NumberAsync(Process run) => int.Parse((await run.StandardOutput.ReadLineAsync(Cancel))!, CultureInfo.InvariantCulture);

    private static Task<DrapProgram.Ended> EndAsync(Process run) =>
        DrapProgram.EndAsync(run, run.StandardOutput.ReadToEndAsync(Cancel), run.StandardError.ReadToEndAsync(Cancel));

    private static (int Code, string Jobs) Jobs(DrapProgram.Ended ended) => (ended.Code, ended.Document.GetProperty("jobs").GetRawText());

    private static async Task RunningAsync(DrapClient node, JobId job)
    {
        await foreach (JobEvent e in node.EventsAsync(job, tasks: false, Cancel))
            if (e.Job?.Tasks.Running > 0)
                return;
    }
}
