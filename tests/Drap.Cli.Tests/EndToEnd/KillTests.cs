using System.Diagnostics;
using System.Globalization;
using Drap.Api;
using Drap.Client;
using Drap.Core.Journal;
using Drap.Core.Jobs;
using Drap.Core.Nodes;
using Drap.Node.Home;
using Drap.Node.Service;
using Drap.Node.Storage;
using Xunit;
using TaskState = Drap.Api.TaskState;

namespace Drap.Tests.Cli.EndToEnd;

/// <summary>
/// The node is killed again and again in the middle of one job, at points drawn from a seed. Each execution of a task writes its fence into a
/// file beside drap, so that what really ran can be held against what the node said before it died.
/// </summary>
public sealed class KillTests
{
    private const int Tasks = 1000;

    /// <summary>One task in so many waits a moment between its mark and its end, so that every kill finds some under way.</summary>
    private const int SlowEvery = 16;

    private static readonly string job = $$$"""
        name: marks
        params: {marks: {type: path}}
        segments:
          - name: mark
            count: {{{Tasks}}}
            command: 'echo $DRAP_FENCE >> ${{ quote(params.marks) }}/$DRAP_INDEX; [ $((DRAP_INDEX % {{{SlowEvery}}})) -ne 0 ] || sleep 0.1; echo ${{ index }} > ${{ outputs.n }}'
            outputs: {n: n}
          - name: all
            inputs: {n: {from: mark.n}}
            command: 'cat ${{ inputs.n }}/* > ${{ outputs.all }}'
            outputs: {all: all}
        """;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_node_that_is_killed_in_the_middle_of_a_job_runs_no_finished_task_again_and_loses_no_result()
    {
        ulong seed = ulong.TryParse(System.Environment.GetEnvironmentVariable("DRAP_KILL_SEED"), CultureInfo.InvariantCulture, out ulong given)
            ? given : (ulong)Stopwatch.GetTimestamp();
        TestContext.Current.TestOutputHelper!.WriteLine($"DRAP_KILL_SEED={seed}");
        var random = new Prng(seed);
        await using var drap = new DrapProgram();
        var marks = new Marks(Directory.CreateDirectory(Path.Combine(drap.Folder, "marks")).FullName);
        string file = drap.File("job.yaml", job);

        // The node is the process of `run` itself: both die.
        using (Process run = drap.Start(input: false, "run", file, "--param", "marks=" + marks.Folder))
        {
            await KillAsync(drap, marks, 50 + random.Below(150), run.Id, random);
            await run.WaitForExitAsync(Cancel);
        }
        // The node is in the background, and a client waits for the job: it says so and ends.
        foreach (int from in (int[])[250, 450])
        {
            using Process wait = drap.Start(input: false, "job", "wait", "last");
            Task<string> output = wait.StandardOutput.ReadToEndAsync(Cancel), error = wait.StandardError.ReadToEndAsync(Cancel);
            await KillAsync(drap, marks, from + random.Below(150), null, random);
            DrapProgram.Ended left = await DrapProgram.EndAsync(wait, output, error);
            Assert.Equal(1, left.Code);
            Assert.Contains("does not answer", left.Err, StringComparison.Ordinal);
            Assert.Contains("its jobs are kept", left.Err, StringComparison.Ordinal);
        }
        // Just as it begins: it has the lock, and may or may not have begun an epoch, ended what was left, or placed anything.
        using (Process wait = drap.Start(input: false, "job", "wait", "last"))
        {
            int? before = drap.Holder;
            int node = await drap.NewHolderAsync(before);
            await Task.Delay(TimeSpan.FromMilliseconds(random.Below(300)), Cancel);
            DrapProgram.Kill(node);
            wait.Kill();
            await wait.WaitForExitAsync(Cancel);
            await marks.NoteAsync(drap, null);
        }

        DrapProgram.Ended ended = await drap.RunAsync("job", "wait", "last", "-o", "json");
        Assert.True(ended.Code == 0, ended.Err);
        DrapProgram.Ended results = await drap.RunAsync("job", "results", "last", "--out", "out");
        Assert.True(results.Code == 0, results.Err);
        Assert.Equal(
            Enumerable.Range(0, Tasks), (await File.ReadAllLinesAsync(Path.Combine(drap.Folder, "out", "all"), Cancel)).Select(l => int.Parse(l, CultureInfo.InvariantCulture)));
        await drap.StopAsync();
        marks.CheckAtEnd();
        await CheckJournalAsync(drap);
        Traces.AssertNone(drap.Home.Folder.Path);
    }

    /// <summary>Kills the home's node once at least so many tasks have ended and a moment later, and notes what it had accepted by then.</summary>
    private static async Task KillAsync(DrapProgram drap, Marks marks, int ended, int? process, Prng random)
    {
        using DrapClient node = await drap.ConnectAsync();
        JobId id = await JobAsync(node);
        await foreach (JobEvent e in node.EventsAsync(id, tasks: false, Cancel))
        {
            Assert.False(e.Job!.State.HasEnded(), $"the job has {e.Job.State} before {ended} tasks had ended");
            if (e.Job.Tasks.Finished >= ended)
                break;
        }
        await Task.Delay(TimeSpan.FromMilliseconds(random.Below(30)), Cancel);
        TaskListDocument told = await node.TasksAsync(id, 1, Tasks + 1, history: false, Cancel);
        DrapProgram.Kill(process ?? drap.Holder!.Value);
        await marks.NoteAsync(drap, told);
    }

    private static async Task<JobId> JobAsync(DrapClient node)
    {
        while (true)
        {
            if ((await node.JobsAsync(openOnly: false, 1, Cancel)).Jobs is [{ } only])
                return only.Id;
            await Task.Delay(5, Cancel);
        }
    }

    private static async Task CheckJournalAsync(DrapProgram drap)
    {
        INodeService node = await new StoppedHome().OpenAsync(drap.Home.Folder, Cancel);
        JobSummary job = Assert.Single((await node.JobsAsync(openOnly: false, 10, Cancel)).Jobs);
        Assert.Equal((JobState.Finished, Tasks + 1, Tasks + 1), (job.State, job.Tasks.Total, job.Tasks.Finished));
        long cost = 0;
        await foreach (TaskSummary task in node.AllTasksAsync(job.Id, history: true, Cancel))
        {
            Assert.Single(task.History, a => a.State == AttemptState.Accepted);
            Assert.Equal(task.Cost.Micro, task.History.Sum(a => a.Cost.Micro));
            cost += task.Cost.Micro;
        }
        Assert.Equal(job.Cost.Micro, cost);
        // And in the records themselves, where an end is what a result was accepted by.
        var ends = new Ends();
        using FileJournalStorage storage = FileJournalStorage.OpenDirectory(drap.Home.Folder.JournalFolder);
        JournalLog.Open(storage, new JournalOptions(1), ends).Dispose();
        Assert.Equal(Enumerable.Range(1, Tasks + 1), ends.Accepted.Order());
    }

    /// <summary>What tasks wrote down of themselves, and what must not change any more.</summary>
    private sealed class Marks(string folder)
    {
        private readonly Dictionary<int, string[]> final = [];
        private readonly int[] mayRunAgain = new int[Tasks];

        public string Folder => folder;

        /// <summary>After a kill: notes the executions of all tasks whose end the journal has, and which may be begun once more.</summary>
        public async Task NoteAsync(DrapProgram drap, TaskListDocument? told)
        {
            INodeService journal = await new StoppedHome().OpenAsync(drap.Home.Folder, Cancel);
            JobSummary job = Assert.Single((await journal.JobsAsync(openOnly: false, 10, Cancel)).Jobs);
            Dictionary<int, TaskState> states = [];
            await foreach (TaskSummary task in journal.AllTasksAsync(job.Id, history: false, Cancel))
                states[task.Index] = task.Segment == "mark" ? task.State : states[task.Index];
            foreach (TaskSummary task in told?.Tasks ?? [])
                if (task is { Segment: "mark", State: TaskState.Finished })
                    Assert.True(states[task.Index] == TaskState.Finished, $"task {task.Number} was said to have finished, and the journal has it as {states[task.Index]}");
            for (int i = 0; i < Tasks; i++)
            {
                if (states[i] == TaskState.Finished)
                    final.TryAdd(i, Read(i));
                else if (states[i] == TaskState.Running)
                    mayRunAgain[i]++;
            }
        }

        public void CheckAtEnd()
        {
            for (int i = 0; i < Tasks; i++)
            {
                string[] fences = Read(i);
                if (final.TryGetValue(i, out string[]? before))
                    Assert.True(before.SequenceEqual(fences), $"task {i} had finished with the executions {string.Join(' ', before)} and ran again: {string.Join(' ', fences)}");
                Assert.InRange(fences.Length, 1, 1 + mayRunAgain[i]);
                Assert.Equal(fences.Distinct().OrderBy(f => long.Parse(f, CultureInfo.InvariantCulture)), fences);
            }
        }

        private string[] Read(int index) => File.Exists(Path.Combine(folder, $"{index}")) ? File.ReadAllLines(Path.Combine(folder, $"{index}")) : [];
    }

    /// <summary>The tasks of accepted ends, as often as there is one.</summary>
    private sealed class Ends : IJournalReplay
    {
        public List<int> Accepted { get; } = [];

        public void Snapshot(long sequence, in JournalRecord record) => Assert.Fail("a journal of this size has no snapshot");

        public void Record(long sequence, in JournalRecord record)
        {
            Assert.True(SchedulerRecords.TryRead(record, out SchedulerRecord? read, out string? error), error);
            if (read is SchedulerRecord.Ended ended)
                Accepted.AddRange(ended.Attempts.Where(a => a.Verdict == Verdict.Accepted).Select(a => a.Result.Attempt.Task.Number));
        }
    }
}
