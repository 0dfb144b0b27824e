using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>Finished means safe (docs/protocol/blobs.md): a result counts when its outputs lie on a node besides the worker that made them.</summary>
public sealed class SafeOutputTests
{
    private static readonly NodeResources Small = new() { MilliCpus = 1000, MemoryBytes = 1L << 30, DiskBytes = 1L << 40 };

    /// <summary>Whether the outputs are on their way, or have just come, as the result's worker dies for good.</summary>
    [Theory]
    [InlineData(1, 2)]
    [InlineData(5, 1)]
    public void Clause_SAFE_1_outputs_that_die_with_their_worker_are_made_again_and_those_that_came_are_not(int milliseconds, int runs)
    {
        var swarm = new SimulatedSwarm(21, Small, Small);
        JobId id = swarm.Submit(Making());
        OnResult(swarm, worker => swarm.Simulation.After(TimeSpan.FromMilliseconds(milliseconds), worker.Crash));
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        JobRun job = Job(swarm, id);
        Assert.Equal(JobEnd.Succeeded, job.End);
        Assert.Equal(runs, swarm.Executions[new TaskId(id, 1)].Count);
        Assert.All(job.Tasks.Outputs(1), o => Assert.Contains(o.Content, swarm.Blobs.Here));
        Assert.Equal(0, job.Tasks.Failures(1));
    }

    [Fact]
    public void Clause_SAFE_1_nothing_is_acknowledged_or_told_before_its_outputs_are_here()
    {
        var swarm = new SimulatedSwarm(22, Small);
        JobId id = swarm.Submit(Making());
        int acks = 0;
        swarm.Sent = (_, _, message) =>
        {
            if (message is not ResultAck)
                return;
            acks++;
            Assert.All(Job(swarm, id).Tasks.Outputs(1), o => Assert.Contains(o.Content, swarm.Blobs.Here));
        };
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        swarm.RunFor(TimeSpan.FromSeconds(1));
        Assert.True(acks > 0);
    }

    /// <summary>The worker comes back before it counts as lost: it has result and outputs on its disk, and nothing runs again.</summary>
    [Fact]
    public void Clause_SAFE_3_a_worker_that_comes_back_delivers_what_it_had()
    {
        var swarm = new SimulatedSwarm(23, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(5), 0) };
        JobId id = swarm.Submit(Making());
        OnResult(swarm, worker =>
        {
            swarm.Simulation.After(TimeSpan.FromMilliseconds(1), worker.Crash);
            swarm.Simulation.After(TimeSpan.FromMilliseconds(300), worker.Start);
        });
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        Assert.Equal(JobEnd.Succeeded, Job(swarm, id).End);
        Assert.Single(swarm.Executions[new TaskId(id, 1)]);
    }

    /// <summary>A result that comes again while its outputs are on their way changes nothing; nor does its attempt's lease set.</summary>
    [Fact]
    public void A_result_that_comes_twice_is_fetched_and_counted_once()
    {
        var swarm = new SimulatedSwarm(24, Small, Small)
        {
            Copies = (_, _, message) => message is Result ? [TimeSpan.Zero, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(50)] : [TimeSpan.Zero],
        };
        JobId id = swarm.Submit(Making() with { Segments = [Segment() with { Count = 20 }] });
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        Assert.Equal(JobEnd.Succeeded, Job(swarm, id).End);
        Assert.All(Enumerable.Range(1, 20), n => Assert.Single(swarm.Executions[new TaskId(id, n)]));
        Assert.DoesNotContain(swarm.Scheduler.Observations, o => o is SchedulerObservation.BadMessage);
    }

    /// <summary>What a worker claims to have made and has not is a fault of its node.</summary>
    [Fact]
    public void Clause_SAFE_3_outputs_that_are_not_there_fail_the_node_not_the_task()
    {
        var swarm = new SimulatedSwarm(25, Small, Small);
        JobId id = swarm.Submit(Making());
        bool isLost = false;
        OnResult(swarm, worker =>
        {
            isLost = true;
            swarm.Blobs.Spoil(worker.Peer);
        });
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        JobRun job = Job(swarm, id);
        Assert.True(isLost);
        Assert.Equal(JobEnd.Succeeded, job.End);
        Assert.Equal((0, 1), (job.Tasks.Failures(1), job.Tasks.Faults(1)));
        Assert.StartsWith("its outputs could not be had from w", job.Tasks.History(1)[0].Detail, StringComparison.Ordinal);
    }

    /// <summary>So many copies as are asked for, none at the worker that made them, no two on one machine, before the result counts.</summary>
    [Theory]
    [InlineData(1, 0)]
    [InlineData(2, 1)]
    [InlineData(3, 2)]
    public void Clause_SAFE_4_copies_lie_on_other_machines_before_a_result_counts(int durability, int copies)
    {
        var swarm = new SimulatedSwarm(27, Small, Small, Small, Small);
        // w1 and w2 are one machine.
        swarm.Scheduler.LetWorkersKeep(name => name == "w2" ? "w1" : name);
        JobId id = swarm.Submit(Jobs.One(Segment() with { Count = 12, Durability = durability }));
        int acks = 0;
        swarm.Sent = (_, to, message) =>
        {
            if (message is not ResultAck ack)
                return;
            foreach (AttemptId attempt in ack.Attempts)
            {
                acks++;
                foreach (TaskOutput output in Job(swarm, id).Tasks.Outputs(attempt.Task.Number))
                {
                    ImmutableArray<PeerId> keepers = swarm.Blobs.KeepersOf(output.Content);
                    Assert.Equal(copies, keepers.Length);
                    string[] machines = [.. keepers.Append(to).Select(k => swarm.Workers[k].Options.Name.Replace("w2", "w1", StringComparison.Ordinal))];
                    Assert.Equal(machines.Distinct().Count(), machines.Length);
                }
            }
        };
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        swarm.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(JobEnd.Succeeded, Job(swarm, id).End);
        Assert.True(acks >= 12, $"{acks} results were acknowledged");
    }

    /// <summary>Keepers die as copies are on their way to them: others keep them; where there are too few, what there is must do.</summary>
    [Theory]
    [InlineData(4, 2)]
    [InlineData(3, 1)]
    [InlineData(1, 0)]
    public void Clause_SAFE_4_who_cannot_keep_a_copy_is_replaced_while_there_is_another(int workers, int copies)
    {
        var swarm = new SimulatedSwarm(28, [.. Enumerable.Repeat(Small, workers)]);
        swarm.Scheduler.LetWorkersKeep(name => name);
        JobId id = swarm.Submit(Jobs.One(Segment() with { Durability = 3 }));
        OnResult(swarm, worker =>
        {
            if (workers > 1)
                swarm.Workers.Values.First(w => w != worker).Crash();
        });
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        JobRun job = Job(swarm, id);
        Assert.Equal(JobEnd.Succeeded, job.End);
        Assert.Single(swarm.Executions[new TaskId(id, 1)]);
        Assert.Equal(copies, swarm.Blobs.KeepersOf(Assert.Single(job.Tasks.Outputs(1)).Content).Length);
    }

    /// <summary>What a task takes may be read by who has its lease, from its confirmation to its end, and by nobody else.</summary>
    [Fact]
    public void Clause_BLOB_8_a_lease_names_what_its_task_takes()
    {
        var swarm = new SimulatedSwarm(26, Small, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(2), 0) };
        Cid brought = swarm.Blobs.Add("brought"), unused = swarm.Blobs.Add("unused");
        SegmentSpec take = Jobs.Segment("take", 1) with
        {
            Inputs = JobJson.EmptyMap<InputSpec>().Add("a", new InputSpec { Cid = brought.ToString() }).Add("b", new InputSpec { From = "make.o" }),
        };
        JobId id = swarm.Submit(new JobSpec { Name = "reads", Segments = [Segment() with { Outputs = Segment().Outputs.Add("p", new OutputSpec { Path = "p" }) }, take] });
        PeerId? taker = null;
        swarm.Sent = (_, to, message) =>
        {
            if (message is Confirm { Tasks: [{ Number: 2 }] })
                taker = to;
        };
        Assert.True(swarm.Simulation.RunUntil(() => taker is not null, Instant.Zero + TimeSpan.FromMinutes(1)));
        ImmutableArray<TaskOutput> made = Job(swarm, id).Tasks.Outputs(1);
        SchedulerNode node = swarm.Scheduler.Node!;
        foreach (PeerId worker in swarm.Workers.Keys)
        {
            Assert.Equal(worker == taker, node.LeaseNames(worker, brought));
            Assert.Equal(worker == taker, node.LeaseNames(worker, made.Single(o => o.Name == "o").Content));
            Assert.False(node.LeaseNames(worker, made.Single(o => o.Name == "p").Content));
            Assert.False(node.LeaseNames(worker, unused));
        }
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        Assert.False(node.LeaseNames(taker!.Value, brought));
    }

    private static SegmentSpec Segment() => Jobs.Segment("make", 1) with { Outputs = JobJson.EmptyMap<OutputSpec>().Add("o", new OutputSpec { Path = "o" }) };

    private static JobSpec Making() => Jobs.One(Segment());

    /// <summary>Does something to the worker that sends the first result.</summary>
    private static void OnResult(SimulatedSwarm swarm, Action<SimulatedWorker> what)
    {
        bool isDone = false;
        swarm.Sent = (from, _, message) =>
        {
            if (isDone || message is not Result)
                return;
            isDone = true;
            what(swarm.Workers[from]);
        };
    }

    private static JobRun Job(SimulatedSwarm swarm, JobId id)
    {
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        return job;
    }
}
