using Drap.Api.Json;
using Drap.Cli.Commands;
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
        return await JobWatch.ToEndAsync(node, job, time, e =>
        {
            if (e.Message is { } words)
                progress.Note(words);
            if (e.Job is { } summary)
                progress.Show(summary, e.Segments ?? []);
        }, progress.Note, cancel);
    }

    /// <summary>Where results go when nobody said it.</summary>
    public static string UsualFolder(Invocation call, JobId job) => Path.GetFullPath(Path.Combine("results", job.ToString()), call.Context.CurrentFolder);

    /// <summary>
    /// Fetches what a finished job made to <paramref name="outFolder"/>, or to where its submit wants it, if either is named; and writes the job's
    /// document or a few lines with what to type next.
    /// </summary>
    public async Task<int> ReportAsync(JobSummary job, string? outFolder, CancellationToken cancel)
    {
        JobDocument document = await node.JobAsync(job.Id, cancel);
        string? results = null;
        int items = 0;
        if (job.State == JobState.Finished)
        {
            string? folder = outFolder ?? document.OutFolder;
            ResultsDocument made = folder is null ? await node.ResultsAsync(job.Id, cancel) : await node.DeliverAsync(job.Id, folder, cancel);
            items = made.Items.Length;
            results = items > 0 ? made.Folder : null;
        }
        document = document with { Results = results };
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
            screen.Say(items == 0 ? "  it has no results"
                : results is null ? $"  {Words.Count(items, "result")}; drap job results {name} fetches them" : $"  {Words.Count(items, "result")} in {results}");
            screen.Say(screen.Faint($"  next: drap job show {name} · drap job logs {name} · drap usage {name}"));
        }
        else
        {
            screen.Say(screen.Faint($"  next: drap job explain {name} · drap job logs {name} · drap job rerun {name} --failed"));
        }
    }
}
