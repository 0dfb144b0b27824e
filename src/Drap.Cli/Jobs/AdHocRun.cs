using Drap.Cli.Output;
using Drap.Client;

namespace Drap.Cli.Jobs;

/// <summary>Makes this terminal the terminal of an ad-hoc job's only task: its input, its output, its exit code.</summary>
internal sealed class AdHocRun(INodeService node, CliContext context, Screen screen)
{
    /// <summary>How long a cancelled task may take to end before the command does: the grace between TERM and KILL, and a little.</summary>
    private static readonly TimeSpan cancelPatience = TimeSpan.FromSeconds(15);

    private bool outputGone;

    public async Task<int> RunAsync(JobId job, bool feed, bool show)
    {
        using var ended = new CancellationTokenSource();
        Task input = feed ? FeedAsync(job, ended.Token) : Task.CompletedTask;
        Task output = show ? CopyAsync(job, ended.Token) : Task.CompletedTask;
        JobSummary summary;
        bool interrupted = false;
        try
        {
            summary = await JobWatch.ToEndAsync(node, job, context.Time, _ => { }, SayWhy, context.Interrupts.Token);
        }
        catch (OperationCanceledException)
        {
            interrupted = true;
            screen.Say("\ncancelling; Ctrl+C again leaves it to itself");
            await node.ActAsync(job, new ActionRequest { Action = JobAction.Cancel }, default);
            using var patience = new CancellationTokenSource(cancelPatience, context.Time);
            summary = await node.WaitAsync(job, patience.Token);
        }
        // What the task wrote before its end is all there is: the stream ends by itself. Its input may never end.
        await output;
        await ended.CancelAsync();
        await input;
        TaskListDocument tasks = await node.TasksAsync(job, 1, 1, history: false, default);
        if (tasks.Tasks is not [var task])
            return ExitCode.OwnFailure;
        int code = interrupted ? ExitCode.Interrupted : outputGone ? ExitCode.BrokenPipe : ExitCode.Of(task);
        Explain(summary, task, interrupted || outputGone);
        return code;
    }

    private void SayWhy(string words)
    {
        screen.Say(words);
        screen.Say(screen.Faint("it waits; Ctrl+C cancels it, --deadline says how long to wait at most"));
    }

    private void Explain(JobSummary job, TaskSummary task, bool interrupted)
    {
        // A command that ended by itself has said what it had to say.
        if (interrupted || task.State == TaskState.Finished || task.Reason is null or { Code: ReasonCodes.ExitCode })
            return;
        screen.Complain(task.Reason.Message, $"drap job explain {Words.Name(job)}");
    }

    private async Task FeedAsync(JobId job, CancellationToken ended)
    {
        try
        {
            await using Stream stdin = context.Stdin();
            await node.FeedAsync(job, stdin, ended);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or ApiException or NodeUnreachableException)
        {
            // The task has ended or reads no more; its exit code says all.
        }
    }

    private async Task CopyAsync(JobId job, CancellationToken cancel)
    {
        Stream stdout = context.Stdout(), stderr = context.Stderr();
        await foreach (LogChunk chunk in node.LogsAsync(job, new LogQuery { Follow = true }, cancel).WithCancellation(cancel))
        {
            if (chunk.Dropped > 0)
                screen.Say($"[{chunk.Dropped} bytes of output were dropped: it came faster than it could be kept]");
            try
            {
                Stream target = chunk.Stream == LogStream.Stdout ? stdout : stderr;
                if (chunk.Stream == LogStream.Stdout && outputGone)
                    continue;
                await target.WriteAsync(chunk.Data, cancel);
                await target.FlushAsync(cancel);
            }
            catch (IOException) when (chunk.Stream == LogStream.Stdout)
            {
                // Whoever read our output (head, grep -q) has gone: the command would die of SIGPIPE if it wrote there itself.
                outputGone = true;
                await node.ActAsync(job, new ActionRequest { Action = JobAction.Cancel }, cancel);
            }
        }
    }
}
