using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>Stories of jobs that once did not end, or ended wrongly: each is told as short as it could be.</summary>
public sealed class RecoveryTests
{
    private static readonly NodeResources Small = new() { MilliCpus = 1000, MemoryBytes = 1L << 30, DiskBytes = 1L << 40 };
    private static readonly NodeResources Large = new() { MilliCpus = 8000, MemoryBytes = 8L << 30, DiskBytes = 1L << 40 };

    /// <summary>Attempts that a task may lose to faults of nodes.</summary>
    private const int LostMax = 64;

    [Fact]
    public void A_task_that_failed_just_before_a_crash_is_tried_again_after_it()
    {
        int runs = 0;
        var swarm = new SimulatedSwarm(1, Small) { RunsLike = (_, _) => (TimeSpan.FromMilliseconds(10), runs++ == 0 ? 1 : 0) };
        JobId id = swarm.Submit(Jobs.Of("fails", 1));
        Assert.True(swarm.Simulation.RunUntil(() => swarm.Messages.ContainsKey(MessageKind.ResultAck), Instant.Zero + TimeSpan.FromSeconds(10)));
        swarm.Scheduler.Crash(losePower: false);
        swarm.Scheduler.Start();
        Assert.Equal(JobEnd.Succeeded, EndOf(swarm, id).End);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void What_a_dead_worker_ran_is_placed_again_soon_after_its_connection_closed_or_after_a_silence(bool isClosed)
    {
        var swarm = new SimulatedSwarm(6, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(1), 0) };
        JobId id = swarm.Submit(Jobs.Of("pair", 2));
        Assert.True(swarm.Simulation.RunUntil(() => swarm.Workers.Values.All(w => w.Running == 1), Instant.Zero + TimeSpan.FromSeconds(10)));
        SimulatedWorker dead = swarm.Workers.Values.First();
        Instant killed = swarm.Simulation.Now;
        dead.Crash();
        if (isClosed)
            swarm.Scheduler.Post(new SchedulerInput.PeerGone(dead.Peer));
        JobRun job = EndOf(swarm, id);
        Assert.Equal(2, job.Tasks.CountOf(TaskState.Succeeded));
        Assert.Equal([1, 2], swarm.Executions.Values.Select(runs => runs.Count).Order());
        Instant again = swarm.Executions.Values.SelectMany(runs => runs).Max(r => r.From);
        // The other worker is free a second after the begin of its first task.
        Assert.InRange((again - killed).TotalSeconds, 0.4, isClosed ? 1.1 : 4);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    [InlineData(300)]
    public void A_worker_that_lost_only_its_connection_is_asked_and_keeps_its_task(int backAfter)
    {
        var swarm = new SimulatedSwarm(7, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(10), 0) };
        JobId id = swarm.Submit(Jobs.Of("one", 1));
        Assert.True(swarm.Simulation.RunUntil(() => swarm.Workers.Values.Any(w => w.Running == 1), Instant.Zero + TimeSpan.FromSeconds(10)));
        swarm.Copies = (_, _, message) => [message is Probe ? TimeSpan.FromMilliseconds(backAfter) : TimeSpan.Zero];
        for (int i = 0; i < 3; i++)
        {
            swarm.Scheduler.Post(new SchedulerInput.PeerGone(swarm.Workers.Values.Single(w => w.Running == 1).Peer));
            swarm.RunFor(TimeSpan.FromMilliseconds(990));
        }
        Assert.Equal(JobEnd.Succeeded, EndOf(swarm, id).End);
        Assert.Single(Assert.Single(swarm.Executions.Values));
        Assert.Empty(swarm.Scheduler.Observations.OfType<SchedulerObservation.Suspected>());
    }

    [Fact]
    public void Copies_that_must_agree_are_placed_after_a_crash_that_came_between_them()
    {
        var swarm = new SimulatedSwarm(2, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(5), 0) };
        JobId id = swarm.Submit(Jobs.One(Jobs.Segment("s", 1) with { Accept = new AcceptRule(2, 3) }));
        swarm.RunFor(TimeSpan.FromSeconds(2));
        swarm.Scheduler.Crash(losePower: true);
        swarm.Scheduler.Start();
        swarm.AddWorker(swarm.Workers.Values.Single().Options with { Name = "w2" });
        Assert.Equal(JobEnd.Succeeded, EndOf(swarm, id).End);
    }

    [Fact]
    public void A_gang_whose_go_was_lost_with_the_scheduler_starts_when_it_is_back()
    {
        var swarm = new SimulatedSwarm(3, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(1), 0) };
        bool isDeaf = true;
        swarm.Copies = (_, _, message) => message is Go && isDeaf ? [] : [TimeSpan.Zero];
        JobId id = swarm.Submit(Gang(2));
        swarm.RunFor(TimeSpan.FromMilliseconds(900));
        Assert.True(swarm.Messages.ContainsKey(MessageKind.Go));
        swarm.Scheduler.Crash(losePower: false);
        isDeaf = false;
        swarm.Scheduler.Start();
        Assert.Equal(JobEnd.Succeeded, EndOf(swarm, id).End);
        Assert.Equal(2, swarm.Workers.Values.Sum(w => w.Launched));
    }

    [Fact]
    public void A_gang_whose_rank_fails_for_good_fails_as_a_whole()
    {
        var swarm = new SimulatedSwarm(4, Small, Small) { RunsLike = (task, _) => (TimeSpan.FromSeconds(task.Number), task.Number == 1 ? 1 : 0) };
        JobRun job = EndOf(swarm, swarm.Submit(Gang(2)));
        Assert.Equal(JobEnd.Failed, job.End);
        Assert.Equal(2, job.Tasks.CountOf(TaskState.Failed));
    }

    [Fact]
    public void A_gang_of_which_one_rank_is_cancelled_is_cancelled()
    {
        var swarm = new SimulatedSwarm(5, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromHours(1), 0) };
        JobId id = swarm.Submit(Gang(2));
        swarm.RunFor(TimeSpan.FromSeconds(2));
        swarm.Scheduler.Act(id, JobDeed.Cancel, new TaskSpan(1, 1));
        Assert.Equal(2, EndOf(swarm, id).Tasks.CountOf(TaskState.Cancelled));
    }

    [Fact]
    public void A_gang_that_loses_a_member_with_its_worker_runs_again()
    {
        var swarm = new SimulatedSwarm(6, Small, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(60), 0) };
        JobId id = swarm.Submit(Gang(2));
        swarm.RunFor(TimeSpan.FromSeconds(2));
        swarm.Workers.Values.First(w => w.Running == 1).Crash();
        JobRun job = EndOf(swarm, id);
        Assert.True(job.End == JobEnd.Succeeded, job.Reason);
    }

    [Fact]
    public void A_job_whose_budget_is_used_up_fails_and_says_so()
    {
        var swarm = new SimulatedSwarm(7, Small) { RunsLike = (_, _) => (TimeSpan.FromMinutes(10), 0) };
        JobRun job = EndOf(swarm, swarm.Submit(Jobs.Of("poor", 20) with { Budget = new Credits(10_000) }));
        Assert.Equal(JobEnd.Failed, job.End);
        Assert.Contains("budget", job.Reason, StringComparison.Ordinal);
        Assert.True(job.Spent <= new Credits(10_000));
    }

    [Fact]
    public void A_task_that_was_placed_in_time_is_placed_again_after_its_deadline()
    {
        var swarm = new SimulatedSwarm(8, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(20), 0) };
        JobId id = swarm.Submit(Jobs.One(Jobs.Segment("s", 1) with { Deadline = TimeSpan.FromSeconds(5) }));
        swarm.RunFor(TimeSpan.FromSeconds(10));
        swarm.Workers.Values.Single(w => w.Running == 1).Crash();
        Assert.Equal(JobEnd.Succeeded, EndOf(swarm, id).End);
    }

    [Fact]
    public void An_exclusive_task_that_is_taken_back_waits_for_its_old_attempt()
    {
        var swarm = new SimulatedSwarm(9, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(10), 0) };
        swarm.Copies = (_, _, message) => message is Cancel ? [TimeSpan.FromSeconds(3)] : [TimeSpan.Zero];
        JobId id = swarm.Submit(Jobs.One(Jobs.Segment("s", 1) with { Exclusive = true }));
        swarm.RunFor(TimeSpan.FromSeconds(2));
        swarm.Scheduler.Act(id, JobDeed.Requeue);
        Assert.Equal(JobEnd.Succeeded, EndOf(swarm, id).End);
        List<(Instant From, Instant To)> runs = [.. swarm.Executions[new TaskId(id, 1)]];
        Assert.Equal(2, runs.Count);
        Assert.True(runs[0].To <= runs[1].From);
    }

    [Fact]
    public void A_duplicate_of_an_old_result_does_not_end_a_task_that_runs_again()
    {
        var swarm = new SimulatedSwarm(10, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(5), 0) };
        swarm.Copies = (_, _, message) => message is Result ? [TimeSpan.Zero, TimeSpan.FromSeconds(2)] : [TimeSpan.Zero];
        JobId id = swarm.Submit(Jobs.Of("again", 1));
        EndOf(swarm, id);
        swarm.Scheduler.Act(id, JobDeed.Rerun);
        swarm.RunFor(TimeSpan.FromMilliseconds(100));
        EndOf(swarm, id);
        Assert.Equal(2, swarm.Executions[new TaskId(id, 1)].Count);
    }

    [Fact]
    public void A_deadline_is_not_missed_by_a_tick_of_the_wall_clock()
    {
        var swarm = new SimulatedSwarm(11, Small);
        swarm.Simulation.RunUntil(swarm.Simulation.Now + TimeSpan.FromTicks(7_777));
        JobRun job = EndOf(swarm, swarm.Submit(Jobs.One(
            Jobs.Segment("s", 1) with { Deadline = TimeSpan.FromSeconds(2), Resources = new ResourcesSpec { Cpu = new Cores(64_000) } })));
        Assert.Equal(JobEnd.NotPlaced, job.End);
    }

    [Fact]
    public void Two_of_three_on_one_machine_agree_in_the_end()
    {
        var swarm = new SimulatedSwarm(12, Large);
        Assert.Equal(JobEnd.Succeeded, EndOf(swarm, swarm.Submit(Jobs.One(Jobs.Segment("s", 1) with { Accept = new AcceptRule(2, 3) }))).End);
    }

    /// <summary>It gets TERM, of which it takes eight seconds; the node that stops says at once that it goes.</summary>
    [Theory]
    [InlineData(8, false)]
    [InlineData(8, true)]
    public void An_exclusive_task_on_a_node_that_stops_waits_for_its_end(int seconds, bool isSilent)
    {
        var swarm = new SimulatedSwarm(13, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(20), 0) };
        JobId id = swarm.Submit(Jobs.One(Jobs.Segment("s", 1) with { Exclusive = true }));
        swarm.RunFor(TimeSpan.FromSeconds(2));
        SimulatedWorker leaves = swarm.Workers.Values.Single(w => w.Running == 1);
        leaves.HeedsTermAfter = TimeSpan.FromSeconds(seconds);
        // Nobody hears how it ended: then its lease's end says so.
        swarm.Copies = (from, _, message) => isSilent && from == leaves.Peer && message is Result ? [] : [TimeSpan.Zero];
        leaves.Post(new WorkerInput.Drain(TimeSpan.Zero));
        swarm.RunFor(TimeSpan.FromSeconds(seconds + 1));
        Assert.Equal(0, leaves.Running);
        if (isSilent)
            leaves.Crash();
        Assert.Equal(JobEnd.Succeeded, EndOf(swarm, id).End);
        List<(Instant From, Instant To)> runs = swarm.Executions[new TaskId(id, 1)];
        Assert.Equal(2, runs.Count);
        Assert.True(runs[0].To <= runs[1].From, $"the first ran until {runs[0].To}, the second from {runs[1].From}");
    }

    /// <summary>Taken out of its line for another worker more often than faults are borne, it has still been tried but once.</summary>
    [Fact]
    public void A_task_that_is_taken_out_of_its_line_again_and_again_is_neither_lost_nor_tried()
    {
        // Tasks of 5 ms stand in lines; the thirtieth blocks them for twenty minutes.
        var swarm = new SimulatedSwarm(14, Small) { RunsLike = (task, _) => (task.Number == 30 ? TimeSpan.FromMinutes(20) : TimeSpan.FromMilliseconds(5), 0) };
        JobId id = swarm.Submit(Jobs.Of("line", 40));
        swarm.RunFor(TimeSpan.FromSeconds(10));
        SimulatedWorker worker = swarm.Workers.Values.Single();
        for (int i = 0; i < 80; i++)
        {
            Assert.True(swarm.Simulation.RunUntil(() => swarm.Scheduler.Node!.AttemptsOf(new TaskId(id, 31)).Count == 1, swarm.Simulation.Now + TimeSpan.FromSeconds(40)));
            swarm.RunFor(TimeSpan.FromMilliseconds(100));
            worker.Post(new WorkerInput.Received(swarm.Scheduler.Peer, new Steal([swarm.Scheduler.Node!.AttemptsOf(new TaskId(id, 31))[0].Id])));
            swarm.RunFor(TimeSpan.FromMilliseconds(10));
        }
        JobRun job = EndOf(swarm, id);
        Assert.True(job.End == JobEnd.Succeeded, job.Reason);
        Assert.True(job.Tasks.Attempts(31) > 80, $"only {job.Tasks.Attempts(31)} attempts");
        Assert.Equal((1, 0), (job.Tasks.Tries(31), job.Tasks.Faults(31)));
        Assert.Empty(job.Tasks.History(31));
    }

    [Fact]
    public void A_task_that_kills_each_node_that_it_meets_is_given_up_and_says_why()
    {
        var swarm = new SimulatedSwarm(15, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(30), 0) };
        JobId id = swarm.Submit(Jobs.Of("kills", 1));
        SimulatedWorker worker = swarm.Workers.Values.Single();
        while (!swarm.Simulation.RunUntil(() => worker.Running == 1, swarm.Simulation.Now + TimeSpan.FromMinutes(10)) ? !IsOver() : true)
        {
            worker.Crash();
            swarm.RunFor(TimeSpan.FromSeconds(1));
            worker.Start();
        }
        JobRun job = EndOf(swarm, id);
        Assert.Equal(LostMax + 1, job.Tasks.Tries(1));
        Assert.StartsWith($"task 1 failed: given up: {LostMax + 1} attempts were lost by no fault of its own; of the last: ", job.Reason, StringComparison.Ordinal);

        bool IsOver() => swarm.Scheduler.State!.OpenJobs == 0;
    }

    /// <summary>Nobody says the time between: what is counted from a job's submit follows the clock that nobody sets.</summary>
    [Fact]
    public void A_wall_clock_that_is_set_moves_no_deadline_and_is_followed_in_what_people_read()
    {
        var swarm = new SimulatedSwarm(16, Small);
        JobId id = swarm.Submit(Jobs.One(Jobs.Segment("s", 1) with { Deadline = TimeSpan.FromSeconds(60), Resources = new ResourcesSpec { Cpu = new Cores(64_000) } }));
        UtcTime submitted = swarm.Utc;
        swarm.RunFor(TimeSpan.FromSeconds(10));
        swarm.Scheduler.Post(new SchedulerInput.Utc(swarm.Utc + TimeSpan.FromDays(365)));
        swarm.RunFor(TimeSpan.FromSeconds(49));
        Assert.Equal(1, swarm.Scheduler.State!.OpenJobs);
        swarm.RunFor(TimeSpan.FromSeconds(2));
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        Assert.Equal(JobEnd.NotPlaced, job.End);
        Assert.Equal(submitted + TimeSpan.FromDays(365) + TimeSpan.FromSeconds(60), job.EndedAt);
    }

    [Fact]
    public void A_job_of_which_something_is_still_being_ended_is_not_forgotten()
    {
        var state = new SchedulerState();
        var id = new JobId(Guid.Parse("00000000-0000-4000-8000-000000000001"));
        PeerId worker = PeerId.FromEd25519(new byte[32]);
        var attempt = new AttemptId(new TaskId(id, 1), new Fence(new Epoch(1), 1));
        var begin = new UtcTime(1_780_000_000_000);
        UtcTime later = begin + SchedulerState.HistoryAge + TimeSpan.FromDays(1);
        state.Apply(new SchedulerRecord.Submitted(id, 1, Principal.Local, begin, [.. JobJson.Write(JobForm.Complete(Jobs.Of("old", 1)))], "", []));
        state.Apply(new SchedulerRecord.Placed(id, worker, "w", Price.Zero, begin, [attempt]));
        Assert.Null(state.Expired(later));
        state.Apply(new SchedulerRecord.JobOver(id, begin, JobEnd.Cancelled, "1 of 1 tasks were cancelled"));
        Assert.Null(state.Expired(later));
        var result = new AttemptResult { Attempt = attempt, Outcome = Outcome.Cancelled };
        state.Apply(new SchedulerRecord.Ended(id, begin, [new EndedAttempt(result, Verdict.Superseded, worker, Credits.Zero)]));
        Assert.Null(state.Expired(begin + SchedulerState.HistoryAge));
        Assert.Equal(id, state.Expired(later)?.Id);
        state.Apply(new SchedulerRecord.Forgotten(id));
        Assert.Null(state.Expired(later));
        Assert.Empty(state.Open);
    }

    private static JobSpec Gang(int ranks) => Jobs.One(Jobs.Segment("g", 1) with { Count = null, Nodes = ranks });

    private static JobRun EndOf(SimulatedSwarm swarm, JobId id)
    {
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(4)));
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        return job;
    }
}
