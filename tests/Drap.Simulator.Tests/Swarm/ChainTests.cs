using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>
/// What becomes ready while its job runs: it goes straight to the workers that serve the job, does not wait for the class's next turn, and costs few
/// messages all the same.
/// </summary>
public sealed class ChainTests
{
    private const int Length = 8;

    private static readonly NodeResources TwoCores = new() { MilliCpus = 2000, MemoryBytes = 4L << 30, DiskBytes = 1L << 40 };

    /// <summary>Rows of tasks, each with its own pace: the next of a row becomes ready while its segment's ad is not due for a second.</summary>
    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 4, 4)]
    [InlineData(3, 4, 8)]
    [InlineData(4, 40, 16)]
    public void The_next_of_a_row_starts_when_the_one_before_has_ended(ulong seed, int workers, int width)
    {
        SimulatedSwarm swarm = NewSwarm(seed, workers);
        JobId id = swarm.Submit(Rows(width));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)), $"seed {seed}");
        for (int task = width + 1; task <= width * Length; task++)
        {
            TimeSpan wait = swarm.Executions[new TaskId(id, task)][0].From - swarm.Executions[new TaskId(id, task - width)][0].To;
            // A round, and a sync of the disk.
            Assert.True(wait < TimeSpan.FromMilliseconds(20), $"seed {seed}: task {task} waited {wait}");
        }
    }

    /// <summary>A segment that may have few tasks at once gets its next place at each end.</summary>
    [Theory]
    [InlineData(1, 100, 1, 100)]
    [InlineData(4, 100, 4, 100)]
    [InlineData(4, 400, 3, 5)]
    [InlineData(40, 100, 4, 100)]
    public void As_many_tasks_as_may_run_at_once_do(int workers, int count, int most, int milliseconds)
    {
        SimulatedSwarm swarm = NewSwarm(32, workers);
        swarm.RunsLike = (_, _) => (TimeSpan.FromMilliseconds(milliseconds), 0);
        Instant submitted = swarm.Simulation.Now;
        swarm.Submit(Jobs.One(Jobs.Segment("s", count) with { Concurrency = most }));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(10)));
        // Of each task's time a round of messages and a sync are lost, 1.3 ms here, and where lines form a result waits up to 30 ms for others.
        double ideal = (double)count * milliseconds / most, took = (swarm.Simulation.Now - submitted).TotalMilliseconds;
        Assert.InRange(took, ideal, ideal + (count / most * (milliseconds > 50 ? 2 : 10)) + 100);
    }

    [Fact]
    public void Where_one_worker_serves_a_job_each_next_task_costs_four_messages()
    {
        SimulatedSwarm swarm = NewSwarm(33, 1);
        swarm.Submit(Jobs.One(Jobs.Segment("s", 50) with { Concurrency = 1 }));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        foreach (MessageKind kind in (MessageKind[])[MessageKind.Ad, MessageKind.Offer, MessageKind.Confirm, MessageKind.Ack])
            Assert.Equal(50, swarm.Messages[kind]);
        Assert.DoesNotContain(MessageKind.Refusal, swarm.Messages.Keys);
        Assert.DoesNotContain(MessageKind.Closed, swarm.Messages.Keys);
    }

    [Fact]
    public void Of_many_that_serve_a_job_two_are_asked_for_a_place()
    {
        SimulatedSwarm swarm = NewSwarm(34, 20);
        swarm.Submit(Jobs.One(Jobs.Segment("s", 100) with { Concurrency = 1 }));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        // One ad for all to begin with, and when the class's turn comes; else two messages for each task, and as many answers.
        Assert.InRange(swarm.Messages[MessageKind.Ad], 100, 1 + (2 * 99));
        Assert.InRange(swarm.Messages[MessageKind.Offer], 100, 400);
        Assert.Equal(100, swarm.Messages[MessageKind.Confirm]);
        Assert.Equal(100, swarm.Messages[MessageKind.Ack]);
    }

    /// <summary>Small jobs on far too few places: who serves them is busy, and is not asked at each end of a task.</summary>
    [Theory]
    [InlineData(41)]
    [InlineData(42)]
    public void Many_small_jobs_on_few_places_cause_no_storm(ulong seed)
    {
        SimulatedSwarm swarm = NewSwarm(seed, 4);
        JobId[] ids = [.. Enumerable.Range(0, 25).Select(_ => swarm.Submit(Rows(4)))];
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(5)), $"seed {seed}");
        double tasks = ids.Length * 4 * Length;
        string said = $"seed {seed}: {string.Join(", ", swarm.Messages.Select(m => $"{m.Key} {m.Value / tasks:0.00}"))}";
        Assert.True(swarm.Messages[MessageKind.Ad] <= 4 * tasks, said);
        Assert.True(swarm.Messages[MessageKind.Offer] <= 5 * tasks, said);
        Assert.True(swarm.Messages[MessageKind.Refusal] <= 6 * tasks, said);
        Assert.True(swarm.Messages.Values.Sum() <= 20 * tasks, said);
    }

    /// <summary>The scheduler restarts between two segments: who works for the job from before is asked first as well.</summary>
    [Fact]
    public void After_a_restart_the_next_of_a_row_starts_at_once_too()
    {
        SimulatedSwarm swarm = NewSwarm(35, 4);
        swarm.RunsLike = (task, _) => (TimeSpan.FromMilliseconds(task.Number <= 4 ? 400 + (50 * task.Number) : 100), 0);
        JobId id = swarm.Submit(Rows(4));
        swarm.RunFor(TimeSpan.FromMilliseconds(200));
        swarm.Scheduler.Crash(losePower: true);
        swarm.Scheduler.Start();
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        for (int task = 5; task <= 4 * Length; task++)
        {
            TimeSpan wait = swarm.Executions[new TaskId(id, task)][0].From - swarm.Executions[new TaskId(id, task - 4)][0].To;
            Assert.True(wait < TimeSpan.FromMilliseconds(20), $"task {task} waited {wait}");
        }
    }

    /// <summary>
    /// A worker asks for more of what its line has, and is told that nothing is wanted: the job is held. It hears of it when it is released, not only
    /// when the ad that named the tasks is old, or the tasks have waited for so long that they are called patient.
    /// </summary>
    [Fact]
    public void Who_was_told_that_nothing_is_wanted_hears_of_it_when_it_is_again()
    {
        SimulatedSwarm swarm = NewSwarm(36, 1);
        swarm.RunsLike = (_, _) => (TimeSpan.FromMilliseconds(10), 0);
        var lines = new HashSet<AdId>();
        int deaf = 0;
        swarm.Sent = (_, _, message) =>
        {
            if (message is Offer { Entries: [{ Count: 0, Backlog: > 0 }] } offer)
                lines.Add(offer.Ad);
            deaf += message is Closed closed && lines.Contains(closed.Ad) ? 1 : 0;
        };
        JobId id = swarm.Submit(Jobs.Of("held", 2000));
        swarm.RunFor(TimeSpan.FromSeconds(2));
        swarm.Scheduler.Act(id, JobDeed.Hold);
        swarm.RunFor(TimeSpan.FromSeconds(2));
        Assert.InRange(deaf, 1, 100);
        Assert.InRange(swarm.Executions.Count, 100, 1000);
        int before = swarm.Executions.Count;
        swarm.Scheduler.Act(id, JobDeed.Release);
        swarm.RunFor(TimeSpan.FromMilliseconds(20));
        Assert.True(swarm.Executions.Count > before, "nothing ran after it was released");
        Assert.True(swarm.RunToEnd(TimeSpan.FromSeconds(20)));
    }

    private static SimulatedSwarm NewSwarm(ulong seed, int workers)
    {
        var swarm = new SimulatedSwarm(seed, [.. Enumerable.Repeat(TwoCores, workers)]);
        swarm.RunsLike = (task, _) => (new TimeSpan(new Prng(seed + (ulong)(task.Number * 7919)).Between(50, 150) * TimeSpan.TicksPerMillisecond), 0);
        swarm.RunFor(TimeSpan.FromSeconds(1));
        return swarm;
    }

    /// <summary>Rows of <see cref="Length"/> tasks, each of which needs the one before it in its row.</summary>
    private static JobSpec Rows(int width) => new()
    {
        Name = "rows",
        Segments = [.. Enumerable.Range(0, Length).Select(i => Jobs.Segment($"s{i}", width) with { Needs = Before(i) })],
    };

    private static ImmutableArray<NeedSpec> Before(int segment) => segment == 0 ? [] : [new NeedSpec { Segment = $"s{segment - 1}", Tasks = "same" }];
}
