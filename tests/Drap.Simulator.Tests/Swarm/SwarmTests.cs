using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>The scheduler's and the workers' machines together, in virtual time.</summary>
public sealed class SwarmTests
{
    private static readonly NodeResources Small = new() { MilliCpus = 1000, MemoryBytes = 1L << 30, DiskBytes = 1L << 40 };
    private static readonly NodeResources Large = new() { MilliCpus = 8000, MemoryBytes = 8L << 30, DiskBytes = 1L << 40 };

    [Fact]
    public void One_task_is_placed_and_ends()
    {
        var swarm = new SimulatedSwarm(1, Small, Small);
        JobId id = swarm.Submit(Jobs.Of("one", 1));
        Assert.True(swarm.RunToEnd(TimeSpan.FromSeconds(10)));
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        Assert.Equal(JobEnd.Succeeded, job.End);
        Assert.Equal(1, swarm.Workers.Values.Sum(w => w.Launched));
        Assert.Single(swarm.Executions);
    }

    [Fact]
    public void A_task_costs_at_most_four_messages_on_its_winning_path()
    {
        var swarm = new SimulatedSwarm(2, Large);
        swarm.RunFor(TimeSpan.FromSeconds(1));
        swarm.Submit(Jobs.Of("many", 1));
        Assert.True(swarm.RunToEnd(TimeSpan.FromSeconds(10)));
        Assert.Equal(1, swarm.Messages[MessageKind.Ad]);
        Assert.Equal(1, swarm.Messages[MessageKind.Offer]);
        Assert.Equal(1, swarm.Messages[MessageKind.Confirm]);
        Assert.Equal(1, swarm.Messages[MessageKind.Ack]);
    }

    [Theory]
    [InlineData(1, 20_000)]
    [InlineData(400, 10)]
    public void Two_hundred_workers_run_thousands_of_tasks(int jobs, int tasks)
    {
        var nodes = new NodeResources[200];
        Array.Fill(nodes, Large);
        var swarm = new SimulatedSwarm(13, nodes) { ChecksInvariants = false };
        swarm.RunFor(TimeSpan.FromSeconds(1));
        for (int i = 0; i < jobs; i++)
            swarm.Submit(Jobs.Of("many", tasks));
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        Assert.Equal(jobs * tasks, swarm.Executions.Count);
        Assert.InRange(swarm.Messages[MessageKind.Offer], 1, jobs * tasks);
    }

    [Fact]
    public void A_failed_task_is_tried_again_and_then_fails_its_job()
    {
        var swarm = new SimulatedSwarm(4, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromMilliseconds(10), 3) };
        JobId id = swarm.Submit(Jobs.Of("fails", 1));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        Assert.Equal(JobEnd.Failed, job.End);
        Assert.Equal(3, job.Tasks.Attempts(1));
        Assert.Equal(3, job.Tasks.ExitCode(1));
    }

    [Fact]
    public void A_task_whose_worker_dies_runs_elsewhere()
    {
        var swarm = new SimulatedSwarm(5, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(20), 0) };
        JobId id = swarm.Submit(Jobs.Of("dies", 1));
        swarm.RunFor(TimeSpan.FromSeconds(2));
        swarm.Workers.Values.Single(w => w.Running == 1).Crash();
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(2)));
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        Assert.Equal(JobEnd.Succeeded, job.End);
        Assert.Equal(2, job.Tasks.Attempts(1));
        Assert.Equal(0, job.Tasks.Failures(1));
    }

    [Fact]
    public void Needs_are_kept_to()
    {
        var swarm = new SimulatedSwarm(6, Large);
        var spec = new JobSpec
        {
            Name = "dag",
            Segments = [Jobs.Segment("a", 5), Jobs.Segment("b", 3) with { Needs = [new NeedSpec { Segment = "a" }] }],
        };
        JobId id = swarm.Submit(spec);
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        Instant lastOfA = Enumerable.Range(1, 5).Max(n => swarm.Executions[new TaskId(id, n)][0].To);
        Instant firstOfB = Enumerable.Range(6, 3).Min(n => swarm.Executions[new TaskId(id, n)][0].From);
        Assert.True(lastOfA <= firstOfB);
    }

    [Fact]
    public void The_scheduler_may_crash_at_any_storage_call_and_loses_nothing()
    {
        bool all = Environment.GetEnvironmentVariable("DRAP_TEST_ALL") == "1";
        for (int call = 1; call < (all ? 400 : 60); call += all ? 1 : 7)
            CrashAt(call, losePower: call % 2 == 0);
    }

    private static void CrashAt(int call, bool losePower)
    {
        var swarm = new SimulatedSwarm((ulong)(1000 + call), Small, Small) { RunsLike = (_, _) => (TimeSpan.FromMilliseconds(30), 0) };
        long before = swarm.Scheduler.Storage.Calls;
        swarm.Scheduler.Storage.CrashAtCall = before + call;
        JobId id = swarm.Submit(Jobs.Of("crash", 20));
        HashSet<TaskId> told = [];
        bool wasTaken = false;
        try
        {
            swarm.RunToEnd(TimeSpan.FromMinutes(1));
        }
        catch (Storage.SimulatedCrashException)
        {
            told = [.. swarm.Scheduler.Told];
            wasTaken = swarm.Scheduler.Taken.Contains(id);
            swarm.Scheduler.Storage.CrashAtCall = 0;
            swarm.Scheduler.Crash(losePower);
            swarm.Scheduler.Start();
        }
        swarm.RunToEnd(TimeSpan.FromMinutes(3));
        bool known = swarm.Scheduler.State!.TryGet(id, out JobRun? job);
        Assert.True(known || !wasTaken, $"call {call}: the job was taken and is lost");
        if (!known)
            return;
        Assert.Equal(JobEnd.Succeeded, job!.End);
        foreach (TaskId task in told)
            Assert.Single(swarm.Executions[task]);
    }
}

/// <summary>Jobs for tests.</summary>
internal static class Jobs
{
    public static JobSpec Of(string name, int count) => new() { Name = name, Segments = [Segment("s", count)] };

    public static JobSpec One(SegmentSpec segment) => new() { Name = "one", Segments = [segment] };

    public static SegmentSpec Segment(string name, int count) => new() { Name = name, Count = count, Command = CommandSpec.Program("true") };
}
