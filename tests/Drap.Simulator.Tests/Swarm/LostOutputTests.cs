using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>Outputs that are nowhere to be had when something needs them: who made them runs again (docs/protocol/records.md, REC-8).</summary>
public sealed class LostOutputTests
{
    private static readonly NodeResources Small = new() { MilliCpus = 1000, MemoryBytes = 1L << 30, DiskBytes = 1L << 40 };
    private static readonly NodeResources Large = new() { MilliCpus = 8000, MemoryBytes = 8L << 30, DiskBytes = 1L << 40 };

    /// <summary>Five make, one gathers; of the five the outputs of two are lost before. Whether the second making is like the first makes no difference.</summary>
    [Theory]
    [InlineData(1, true, false)]
    [InlineData(2, false, false)]
    [InlineData(3, true, true)]
    [InlineData(4, false, true)]
    public void Who_made_what_is_lost_runs_again_and_nobody_else(ulong seed, bool isRepeatable, bool crashes)
    {
        var swarm = new SimulatedSwarm(seed, Large, Small);
        swarm.Blobs.IsRepeatable = isRepeatable;
        JobId id = swarm.Submit(new JobSpec { Name = "gather", Segments = [Making("make", 5), Taking("take", "make", "all")] });
        bool isLost = false;
        // At the moment in which the gatherer is confirmed.
        swarm.Sent = (_, _, message) =>
        {
            if (isLost || message is not Confirm { Tasks: [{ Number: 6 }] })
                return;
            isLost = true;
            Lose(swarm, id, 2, 4);
        };
        if (crashes)
        {
            Assert.True(swarm.Simulation.RunUntil(() => HasLost(swarm, id, 2), Instant.Zero + TimeSpan.FromMinutes(1)));
            swarm.RunFor(TimeSpan.FromMilliseconds(5));
            swarm.Scheduler.Crash(losePower: true);
            swarm.Scheduler.Start();
        }
        JobRun job = EndOf(swarm, id);
        Assert.True(job.End == JobEnd.Succeeded, job.Reason);
        Assert.Equal([1, 2, 1, 2, 1, 1], Enumerable.Range(1, 6).Select(n => swarm.Executions[new TaskId(id, n)].Count));
        Assert.Equal([0, 1, 0, 1, 0, 0], Enumerable.Range(1, 6).Select(job.Tasks.Losses));
        // Neither the losses nor the gatherer's vain attempt are failures.
        Assert.All(Enumerable.Range(1, 6), n => Assert.Equal(0, job.Tasks.Failures(n)));
        Assert.Equal([(1, Verdict.Superseded, "its outputs were lost")], job.Tasks.History(2).Take(1).Select(p => (p.Number, p.Verdict, p.Detail)));
        Assert.All(job.Tasks.Outputs(2), o => Assert.Contains(o.Content, swarm.Blobs.Here));
    }

    [Fact]
    public void What_is_lost_all_the_way_up_is_made_again_from_the_top()
    {
        var swarm = new SimulatedSwarm(5, Small);
        JobId id = swarm.Submit(new JobSpec
        {
            Name = "chain", Segments = [Making("a", 1), Taking("b", "a", "0") with { Outputs = Output }, Taking("c", "b", "0") with { Outputs = Output }, Taking("d", "c", "0")],
        });
        Once(swarm, id, 4, () => Lose(swarm, id, 1, 2, 3));
        Assert.Equal(JobEnd.Succeeded, EndOf(swarm, id).End);
        Assert.Equal([2, 2, 2, 1], Enumerable.Range(1, 4).Select(n => swarm.Executions[new TaskId(id, n)].Count));
    }

    [Fact]
    public void A_producer_whose_outputs_are_lost_again_and_again_fails_and_says_why()
    {
        var swarm = new SimulatedSwarm(6, Small);
        JobId id = swarm.Submit(new JobSpec { Name = "sieve", Segments = [Making("make", 1), Taking("take", "make", "0")] });
        swarm.Sent = (_, _, message) =>
        {
            if (message is Confirm { Tasks: [{ Number: 2 }] })
                Lose(swarm, id, 1);
        };
        JobRun job = EndOf(swarm, id);
        Assert.Equal(JobEnd.Failed, job.End);
        Assert.Equal(4, swarm.Executions[new TaskId(id, 1)].Count);
        Assert.Equal(TaskState.Failed, job.Tasks.State(1));
        Assert.Equal(TaskState.Skipped, job.Tasks.State(2));
        Assert.Equal("task 1 failed: its outputs were lost 4 times: where they are kept nothing stays", job.Reason);
    }

    [Fact]
    public void An_input_that_the_job_brought_and_that_is_lost_fails_its_task()
    {
        var swarm = new SimulatedSwarm(7, Small);
        Cid brought = swarm.Blobs.Add("brought");
        SegmentSpec take = Jobs.Segment("take", 1) with { Inputs = JobJson.EmptyMap<InputSpec>().Add("i", new InputSpec { Cid = brought.ToString() }), Retries = 1 };
        swarm.Blobs.Lose(brought);
        JobRun job = EndOf(swarm, swarm.Submit(Jobs.One(take)));
        Assert.Equal(JobEnd.Failed, job.End);
        Assert.Equal("task 1 failed: an input is not to be had", job.Reason);
        Assert.Equal(2, job.Tasks.Failures(1));
        Assert.Equal(0, job.Spent.Micro);
    }

    [Fact]
    public void A_gang_of_which_one_rank_left_what_is_lost_runs_again_as_a_whole()
    {
        var swarm = new SimulatedSwarm(8, Small, Small);
        JobId id = swarm.Submit(new JobSpec { Name = "gang", Segments = [Making("make", 1) with { Count = null, Nodes = 2 }, Taking("take", "make", "0")] });
        Once(swarm, id, 3, () => Lose(swarm, id, 1));
        Assert.Equal(JobEnd.Succeeded, EndOf(swarm, id).End);
        Assert.Equal([2, 2, 1], Enumerable.Range(1, 3).Select(n => swarm.Executions[new TaskId(id, n)].Count));
    }

    /// <summary>Two of three copies must agree; the copies begin one after the other, and between them the input is lost.</summary>
    [Fact]
    public void A_copy_that_found_its_input_is_not_stopped_by_one_that_did_not()
    {
        var swarm = new SimulatedSwarm(9, Small, Small, Small) { RunsLike = (task, _) => (TimeSpan.FromSeconds(task.Number * 2), 0) };
        JobId id = swarm.Submit(new JobSpec { Name = "copies", Segments = [Making("make", 1), Taking("take", "make", "0") with { Accept = new AcceptRule(3, 3) }] });
        Assert.True(swarm.Simulation.RunUntil(() => swarm.Workers.Values.Any(w => w.Orders.Any(o => o.Attempt.Task.Number == 2)), Instant.Zero + TimeSpan.FromMinutes(1)));
        Lose(swarm, id, 1);
        swarm.Workers.Values.First(w => w.Running == 1).Crash();
        JobRun job = EndOf(swarm, id);
        Assert.True(job.End == JobEnd.Succeeded, job.Reason);
    }

    /// <summary>While the producer runs again somebody cancels it: who needs it is skipped, and not left to wait.</summary>
    [Fact]
    public void A_consumer_whose_producer_is_cancelled_as_it_runs_again_is_skipped()
    {
        var swarm = new SimulatedSwarm(10, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(1), 0) };
        JobId id = swarm.Submit(new JobSpec { Name = "cancel", Segments = [Making("make", 1), Taking("take", "make", "0")] });
        Once(swarm, id, 2, () => Lose(swarm, id, 1));
        Assert.True(swarm.Simulation.RunUntil(() => HasLost(swarm, id, 1), Instant.Zero + TimeSpan.FromMinutes(1)));
        swarm.Scheduler.Act(id, JobDeed.Cancel, new TaskSpan(1, 1));
        JobRun job = EndOf(swarm, id);
        Assert.Equal((TaskState.Cancelled, TaskState.Skipped), (job.Tasks.State(1), job.Tasks.State(2)));
    }

    private static ImmutableSortedDictionary<string, OutputSpec> Output => JobJson.EmptyMap<OutputSpec>().Add("o", new OutputSpec { Path = "o" });

    private static SegmentSpec Making(string name, int count) => Jobs.Segment(name, count) with { Outputs = Output };

    private static SegmentSpec Taking(string name, string from, string tasks) =>
        Jobs.Segment(name, 1) with { Inputs = JobJson.EmptyMap<InputSpec>().Add("i", new InputSpec { From = $"{from}.o", Tasks = tasks }) };

    private static void Once(SimulatedSwarm swarm, JobId id, int number, Action what)
    {
        bool isDone = false;
        swarm.Sent = (_, _, message) =>
        {
            if (isDone || message is not Confirm confirm || confirm.Works[0].Job != id || confirm.Tasks[0].Number != number)
                return;
            isDone = true;
            what();
        };
    }

    private static void Lose(SimulatedSwarm swarm, JobId id, params ReadOnlySpan<int> tasks)
    {
        foreach (int task in tasks)
            foreach (TaskOutput output in Job(swarm, id).Tasks.Outputs(task))
                swarm.Blobs.Lose(output.Content);
    }

    private static bool HasLost(SimulatedSwarm swarm, JobId id, int task) =>
        swarm.Scheduler.State!.TryGet(id, out JobRun? job) && job.Tasks.Losses(task) > 0;

    private static JobRun Job(SimulatedSwarm swarm, JobId id)
    {
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        return job;
    }

    private static JobRun EndOf(SimulatedSwarm swarm, JobId id)
    {
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        return Job(swarm, id);
    }
}
