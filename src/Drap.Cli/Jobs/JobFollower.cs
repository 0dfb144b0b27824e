using Drap.Api.Json;
using Drap.Cli.Output;
using Drap.Client;

namespace Drap.Cli.Jobs;

/// <summary>Goes with a job to its end, and says what came of it.</summary>
internal sealed class JobFollower(INodeService node, Screen screen, TimeProvider time)
{
    /// <summary>Shows the job until it has ended; cancelled, it throws and the job goes on.</summary>
    public async Task<JobSummary> FollowAsync(JobId job, CancellationToken cancel)
    {
        using var progress = new JobProgress(screen, time);
        JobSummary? last = null;
        await foreach (JobEvent e in node.WatchAsync(job, cancel))
        {
            if (e.Message is { } words)
                progress.Note(words);
            if (e.Job is not { } summary)
                continue;
            progress.Show(summary, e.Segments ?? []);
            last = summary;
        }
        return last!;
    }

    /// <summary>Fetches what a finished job made, and writes the job's document or a few lines with what to type next.</summary>
    public async Task<int> ReportAsync(JobSummary job, string? outFolder, CancellationToken cancel)
    {
        string? results = null;
        int items = 0;
        if (job.State == JobState.Finished && outFolder is not null)
        {
            ResultsDocument delivered = await node.DeliverAsync(job.Id, outFolder, cancel);
            items = delivered.Items.Length;
            results = items > 0 ? delivered.Folder : null;
        }
        JobDocument document = await node.JobAsync(job.Id, cancel) with { Results = results };
        var tasks = new List<TaskSummary>();
        if (screen.Format is OutputFormat.Json or OutputFormat.Yaml)
            await foreach (TaskSummary task in node.AllTasksAsync(job.Id, history: false, cancel))
                tasks.Add(task);
        document = document with { Tasks = [.. tasks] };
        screen.Write(document, ApiJson.Indented.JobDocument, _ => { }, () => results is null ? [job.Id.ToString()] : [results]);
        Say(document.Job, results, items);
        return ExitCode.Of(job);
    }

    private void Say(JobSummary job, string? results, int items)
    {
        string name = Words.Name(job);
        string took = job.EndedAt is { } end ? " in " + Words.Of(end - job.SubmittedAt) : "";
        string head = $"job {name} {job.Name}: {Words.Of(job.State)}{took}, {Words.Count(job.Tasks.Total, "task")}, cost {job.Cost} credits";
        screen.Say(job.State == JobState.Finished ? screen.Green(head) : screen.Red(head));
        if (job.Reason is { } reason)
            screen.Say($"  {reason.Message}");
        if (job.State == JobState.Finished)
        {
            screen.Say(results is null ? "  it has no results" : $"  {Words.Count(items, "result")} in {results}");
            screen.Say(screen.Faint($"  next: drap job show {name} · drap job logs {name} · drap usage {name}"));
        }
        else
        {
            screen.Say(screen.Faint($"  next: drap job explain {name} · drap job logs {name} · drap job rerun {name} --failed"));
        }
    }
}
