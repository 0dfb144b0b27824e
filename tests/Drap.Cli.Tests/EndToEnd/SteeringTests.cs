using System.Text.Json;
using Drap.Api;
using Xunit;

namespace Drap.Tests.Cli.EndToEnd;

public sealed class SteeredSwarm() : DevSwarm("""
    workers:
      - {name: large, cpu: 2, memory: 1GiB, named: {token: 1} }
      - {name: small, cpu: 1, memory: 512MiB}
    """);

/// <summary>What changes the course of a job that was submitted. Tasks that are to be met under way wait for a file of the test's folder.</summary>
public sealed class SteeringTests(SteeredSwarm swarm) : IClassFixture<SteeredSwarm>
{
    [Fact]
    public async Task A_held_job_places_nothing_more_until_it_is_released()
    {
        string id = await swarm.SubmitAsync("--array", "1-4%1", "--", "sh", "-c", Until($"hold{Index}"));
        await swarm.UntilAsync(id, j => j.Tasks.Running == 1);
        Assert.Contains("hold, 3 tasks changed; it is held", await swarm.DoAsync("job", "hold", id), StringComparison.Ordinal);
        Open("hold1", "hold2", "hold3", "hold4");
        await swarm.UntilAsync(id, j => j.Tasks.Finished == 1);
        (JobSummary job, _) = await swarm.ShowAsync(id);
        Assert.Equal((JobState.Held, 3, 0), (job.State, job.Tasks.Held, job.Tasks.Running));
        Assert.Contains("its job is held; drap job release lets it go on", await swarm.DoAsync("job", "explain", id + ".2"), StringComparison.Ordinal);
        Assert.Contains("0 tasks changed", await swarm.DoAsync("job", "hold", id), StringComparison.Ordinal);
        Assert.Contains("release, 3 tasks changed", await swarm.DoAsync("job", "release", id), StringComparison.Ordinal);
        await swarm.DoAsync("job", "wait", id);
        Assert.Equal(4, (await swarm.ShowAsync(id)).Job.Tasks.Finished);
    }

    [Fact]
    public async Task Some_tasks_are_held_cancelled_and_run_again_while_others_run()
    {
        string id = await swarm.SubmitAsync("--array", "1-6%1", "--", "sh", "-c", Until("some"));
        await swarm.UntilAsync(id, j => j.Tasks.Running == 1);
        Assert.Contains("hold, 1 task changed", await swarm.DoAsync("job", "hold", "last.2"), StringComparison.Ordinal);
        Assert.Contains("cancel, 2 tasks changed", await swarm.DoAsync("job", "cancel", id + ".4-5"), StringComparison.Ordinal);
        Open("some");
        await swarm.UntilAsync(id, j => j.Tasks.Finished == 3);
        (JobSummary job, List<TaskSummary> tasks) = await swarm.ShowAsync(id);
        Assert.Equal(
            [TaskState.Finished, TaskState.Held, TaskState.Finished, TaskState.Cancelled, TaskState.Cancelled, TaskState.Finished], tasks.Select(t => t.State));
        Assert.Equal((2, 1), (job.Tasks.Cancelled, job.Tasks.Held));
        await swarm.DoAsync("job", "release", id + ".2");
        // Its end is that of a job of which something was cancelled.
        Assert.Equal((JobState.Cancelled, 4), await EndAsync(3, id));
        Assert.Contains("rerun, 2 tasks changed", await swarm.DoAsync("job", "rerun", id, "--failed"), StringComparison.Ordinal);
        Assert.Equal((JobState.Finished, 6), await EndAsync(0, id));
    }

    [Fact]
    public async Task Failed_tasks_alone_run_again()
    {
        string id = await swarm.SubmitAsync("--retries", "0", "--array", "1-3", "--", "sh", "-c", $"echo try $DRAP_ATTEMPT; test {Index} != 2 || test -e {Place("mended")}");
        Assert.Equal((JobState.Failed, 2), await EndAsync(3, id));
        Assert.Contains("task 2 failed: exit code 1", await swarm.DoAsync("job", "show", id), StringComparison.Ordinal);
        Open("mended");
        Assert.Contains("rerun, 1 task changed", await swarm.DoAsync("job", "rerun", id, "--failed"), StringComparison.Ordinal);
        Assert.Equal((JobState.Finished, 3), await EndAsync(0, id));
        (_, List<TaskSummary> tasks) = await swarm.ShowAsync(id);
        Assert.Equal(["Accepted", "Failed Accepted", "Accepted"], tasks.Select(Ends));
        Assert.Equal("try 2\n", await swarm.DoAsync("job", "logs", id + ".2"));
        Assert.Equal("try 1\n", await swarm.DoAsync("job", "logs", id + ".2", "--attempt", "1"));
        // Without the word all run again.
        Assert.Contains("rerun, 3 tasks changed", await swarm.DoAsync("job", "rerun", id), StringComparison.Ordinal);
        await EndAsync(0, id);
        Assert.Equal(["Superseded Accepted", "Failed Superseded Accepted", "Superseded Accepted"], (await swarm.ShowAsync(id)).Tasks.Select(Ends));
    }

    [Fact]
    public async Task A_task_that_is_taken_back_is_placed_anew()
    {
        string id = await swarm.SubmitAsync("--", "sh", "-c", Until("again"));
        await swarm.UntilAsync(id, j => j.Tasks.Running == 1);
        Assert.Contains("requeue, 1 task changed", await swarm.DoAsync("job", "requeue", id + ".1"), StringComparison.Ordinal);
        await DevSwarm.SoonAsync("a second attempt", async () => (await swarm.ShowAsync(id)).Tasks[0] is { Attempts: >= 2, State: TaskState.Running });
        Open("again");
        Assert.Equal((JobState.Finished, 1), await EndAsync(0, id));
        TaskSummary task = (await swarm.ShowAsync(id)).Tasks[0];
        Assert.Equal((AttemptState.Cancelled, "Accepted"), (task.History[0].State, Ends(task)));
        Assert.Contains("only rerun is possible", (await swarm.RunAsync("job", "requeue", id)).Err, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_later_job_of_higher_priority_goes_first()
    {
        string[] token = ["--resource", "token=1"];
        string first = await swarm.SubmitAsync([.. token, "--", "sh", "-c", Until("token")]);
        await swarm.UntilAsync(first, j => j.Tasks.Running == 1);
        string second = await swarm.SubmitAsync([.. token, "--", "sh", "-c", $"echo second >> {Place("order")}"]);
        string third = await swarm.SubmitAsync([.. token, "--", "sh", "-c", $"echo third >> {Place("order")}"]);
        Assert.Contains("token: needs 1, has 0 (later it could)", await swarm.DoAsync("job", "explain", second), StringComparison.Ordinal);
        Assert.Contains("set, 1 task changed", await swarm.DoAsync("job", "set", third, "--priority", "50"), StringComparison.Ordinal);
        Open("token");
        await EndAsync(0, second);
        await EndAsync(0, third);
        Assert.Equal("third\nsecond\n", swarm.Read("order"));
        Assert.Equal(50, (await swarm.ShowAsync(third)).Job.Priority);
    }

    [Fact]
    public async Task New_values_hold_for_what_comes()
    {
        string id = await swarm.SubmitAsync("--array", "1-5%1", "--retries", "0", "--", "sh", "-c", $"{Until("values")}; test {Index} != 1 || test $DRAP_ATTEMPT = 2");
        await swarm.UntilAsync(id, j => j.Tasks.Running == 1);
        await swarm.DoAsync("job", "set", id, "--retries", "1", "--budget", "2.5", "--concurrency", "2");
        await swarm.UntilAsync(id, j => j.Tasks.Running == 2);
        Assert.Equal("2.5", (await swarm.ShowAsync(id)).Job.Budget.ToString());
        Open("values");
        Assert.Equal((JobState.Finished, 5), await EndAsync(0, id));
        Assert.Equal("Failed Accepted", Ends((await swarm.ShowAsync(id)).Tasks[0]));
        DrapProgram.Ended late = await swarm.RunAsync("job", "set", id, "--priority", "1");
        Assert.Equal(1, late.Code);
        Assert.Contains("has ended", late.Err, StringComparison.Ordinal);
        DrapProgram.Ended wrong = await swarm.RunAsync("job", "set", id, "--priority", "1000");
        Assert.Equal(2, wrong.Code);
        Assert.Contains("from -100 to 100", wrong.Err, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Selectors_mean_jobs_and_tasks_in_every_way_that_is_documented()
    {
        string other = await swarm.SubmitAsync("--name", "other", "--", "true");
        string id = await swarm.SubmitAsync("--name", "many", "--array", "1-30", "--", "sh", "-c", $"echo {Index}");
        await EndAsync(0, id);
        JsonElement shown = await swarm.JsonAsync("job", "show", "last");
        int number = shown.GetProperty("job").GetProperty("number").GetInt32();
        Assert.Equal(30, shown.GetProperty("tasks").GetArrayLength());
        int same = id.Zip(other).TakeWhile(p => p.First == p.Second).Count();
        foreach (string job in (string[])["last", $"{number}", id, id[..8]])
        {
            shown = await swarm.JsonAsync("job", "show", job + ".3-5,20");
            Assert.Equal(id, shown.GetProperty("job").GetProperty("id").GetString());
            Assert.Equal([3, 4, 5, 20], shown.GetProperty("tasks").EnumerateArray().Select(t => t.GetProperty("number").GetInt32()));
        }
        Assert.Equal("7\n", await swarm.DoAsync("job", "logs", "last.7"));
        Assert.Equal("2: 2\n3: 3\n", await swarm.DoAsync("job", "logs", $"{number}.2-3"));
        if (same > 0)
            Assert.Contains("more than one job begins with", (await swarm.RunAsync("job", "show", id[..same])).Err, StringComparison.Ordinal);
        DrapProgram.Ended none = await swarm.RunAsync("job", "cancel", "last.31");
        Assert.Equal(1, none.Code);
        Assert.Contains("the job has no tasks 31-31", none.Err, StringComparison.Ordinal);
        Assert.Equal(1, (await swarm.RunAsync("job", "show", "99999")).Code);
        Assert.Equal(2, (await swarm.RunAsync("job", "show", "last.x")).Code);
    }

    /// <summary>How a task's own attempts ended; those that a busy machine made the scheduler give up are left out.</summary>
    private static string Ends(TaskSummary task) => string.Join(' ', task.History.Where(a => a.State is AttemptState.Accepted or AttemptState.Failed or AttemptState.Superseded).Select(a => a.State));

    private const string Index = "$DRAP_INDEX";

    /// <summary>A file's path, for a script.</summary>
    private string Place(string name) => Path.Combine(swarm.Folder, name);

    /// <summary>A script that waits for a file.</summary>
    private string Until(string name) => $"until [ -e {Place(name)} ]; do sleep 0.02; done";

    private void Open(params string[] names) => Array.ForEach(names, n => swarm.File(n, ""));

    /// <summary>Waits for a job's end by the command, which says how it was; how many of its tasks finished.</summary>
    private async Task<(JobState State, int Finished)> EndAsync(int code, string id)
    {
        await swarm.EndAsync(code, "job", "wait", id);
        JobSummary job = (await swarm.ShowAsync(id)).Job;
        return (job.State, job.Tasks.Finished);
    }
}
