using Drap.Cli.Output;
using Drap.Client;

namespace Drap.Cli.Jobs;

/// <summary>Makes this terminal the terminal of an ad-hoc job's only task: its input, its output, its exit code.</summary>
/// <param name="node">Where the job is.</param>
/// <param name="here">Whether that is in this process, so that the task ends with it.</param>
/// <param name="context">The terminal.</param>
/// <param name="screen">For what drap itself has to say.</param>
internal sealed class AdHocRun(INodeService node, bool here, CliContext context, Screen screen)
{
    /// <summary>How long a cancelled task may take to end before the command does: the grace between TERM and KILL, and a little.</summary>
    private static readonly TimeSpan cancelPatience = TimeSpan.FromSeconds(15);

    private bool outputGone;
    private string? fault;

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
            // In this order: what is said must be true when the next one comes.
            await CancelAsync(job);
            screen.Say(here ? "\ncancelling; Ctrl+C again kills it" : "\ncancelling; Ctrl+C again leaves it to its node, which kills what does not end by itself");
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
        if (interrupted)
            return ExitCode.Interrupted;
        if (outputGone)
            return ExitCode.BrokenPipe;
        if (fault is not null)
        {
            screen.Complain(fault);
            return ExitCode.OwnFailure;
        }
        Explain(summary, task);
        return ExitCode.Of(task);
    }

    private async Task CancelAsync(JobId job)
    {
        try
        {
            await node.ActAsync(job, new ActionRequest { Action = JobAction.Cancel }, default);
        }
        catch (ApiException e) when (e.Error.Code == ErrorCodes.Conflict)
        {
            // It has just ended by itself.
        }
    }

    private void SayWhy(string words)
    {
        screen.Say(words);
        screen.Say(screen.Faint("it waits; Ctrl+C cancels it, --deadline says how long to wait at most"));
    }

    private void Explain(JobSummary job, TaskSummary task)
    {
        // A command that ended by itself has said what it had to say.
        if (task.State == TaskState.Finished || task.Reason is null or { Code: ReasonCodes.ExitCode })
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
        catch (ApiException e)
        {
            fault = e.Message;
            await CancelAsync(job);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or NodeUnreachableException)
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
                screen.Say(Words.Gap(chunk));
            if (chunk.Stream == LogStream.Stdout && (outputGone || fault is not null))
                continue;
            try
            {
                Stream target = chunk.Stream == LogStream.Stdout ? stdout : stderr;
                await target.WriteAsync(chunk.Data, cancel);
                await target.FlushAsync(cancel);
            }
            catch (IOException e)
            {
                // Whoever read our output (head, grep -q) has gone: the command would die of SIGPIPE if it wrote there itself.
                if (e.HResult == ExitCode.BrokenPipeError)
                    outputGone = true;
                else
                    fault = $"standard {(chunk.Stream == LogStream.Stdout ? "output" : "error")} cannot be written: {e.Message}";
                await CancelAsync(job);
            }
        }
    }
}
