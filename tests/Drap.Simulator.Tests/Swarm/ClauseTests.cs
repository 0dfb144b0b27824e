using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>
/// What docs/protocol/messages.md says of messages that come twice, late or not at all, played against the machines. The streams (MSG-60 to
/// MSG-62) and quotes (MSG-31) change nothing that a swarm could lose, and are tried with their codecs.
/// </summary>
public sealed class ClauseTests
{
    private static readonly NodeResources Small = new() { MilliCpus = 1000, MemoryBytes = 1L << 30, DiskBytes = 1L << 40 };
    private static readonly ImmutableArray<TimeSpan> Once = [TimeSpan.Zero];
    private static readonly ImmutableArray<TimeSpan> Twice = [TimeSpan.Zero, TimeSpan.FromMilliseconds(5)];
    private static readonly ImmutableArray<TimeSpan> Late = [TimeSpan.FromMilliseconds(800)];

    /// <summary>Every kind that one machine sends to another on the path of a task, all of them doubled: each task still runs once.</summary>
    [Theory]
    [InlineData(MessageKind.Offer)]
    [InlineData(MessageKind.Refusal)]
    [InlineData(MessageKind.Confirm)]
    [InlineData(MessageKind.Ack)]
    [InlineData(MessageKind.Nack)]
    [InlineData(MessageKind.Heartbeat)]
    [InlineData(MessageKind.HeartbeatReply)]
    [InlineData(MessageKind.Notice)]
    [InlineData(MessageKind.Result)]
    [InlineData(MessageKind.ResultAck)]
    [InlineData(MessageKind.Closed)]
    [InlineData(MessageKind.Steal)]
    public void Clause_MSG_20_to_51_a_duplicate_changes_nothing(MessageKind kind)
    {
        SimulatedSwarm swarm = Swarm((_, message) => MessageCodec.KindOf(message) == kind ? Twice : Once);
        JobRun job = Finish(swarm, Jobs.Of("twice", 12));
        Assert.Equal(12, swarm.Executions.Count);
        Assert.All(swarm.Executions.Values, runs => Assert.Single(runs));
        Assert.All(Enumerable.Range(1, 12), number => Assert.Equal(1, job.Tasks.Attempts(number)));
    }

    /// <summary>The first of each kind is lost: what the clause names brings the job to its end all the same.</summary>
    [Theory]
    [InlineData(MessageKind.Offer)]
    [InlineData(MessageKind.Refusal)]
    [InlineData(MessageKind.Confirm)]
    [InlineData(MessageKind.Ack)]
    [InlineData(MessageKind.Heartbeat)]
    [InlineData(MessageKind.HeartbeatReply)]
    [InlineData(MessageKind.Notice)]
    [InlineData(MessageKind.Result)]
    [InlineData(MessageKind.ResultAck)]
    [InlineData(MessageKind.Closed)]
    public void Clause_MSG_20_to_51_a_lost_one_is_made_up_for(MessageKind kind)
    {
        int lost = 0;
        SimulatedSwarm swarm = Swarm((_, message) => MessageCodec.KindOf(message) == kind && lost++ < 2 ? [] : Once);
        JobRun job = Finish(swarm, Jobs.Of("lost", 12));
        Assert.Equal(12, job.Tasks.CountOf(TaskState.Succeeded));
        AssertNothingLeft(swarm);
    }

    [Fact]
    public void Clause_MSG_24_a_lost_confirmation_is_sent_again_until_it_is_answered()
    {
        int confirms = 0;
        SimulatedSwarm swarm = Swarm((_, message) => message is Confirm && confirms++ == 0 ? [] : Once);
        JobRun job = Finish(swarm, Jobs.Of("one", 1));
        // The hold has lapsed by then, which the answer says: the task is placed anew, and nothing counts as its failure.
        Assert.Equal(1, swarm.Messages[MessageKind.Nack]);
        Assert.Equal(2, job.Tasks.Attempts(1));
        Assert.Equal(0, job.Tasks.Failures(1));
        Assert.Single(swarm.Executions[new TaskId(job.Id, 1)]);
    }

    [Fact]
    public void Clause_MSG_24_a_late_confirmation_finds_its_offer_over()
    {
        int confirms = 0;
        SimulatedSwarm swarm = Swarm((_, message) => message is Confirm && confirms++ == 0 ? [TimeSpan.FromSeconds(5)] : message is Confirm && confirms < 4 ? [] : Once);
        JobRun job = Finish(swarm, Jobs.Of("one", 1));
        Assert.True(swarm.Messages[MessageKind.Nack] > 0);
        Assert.Equal(0, job.Tasks.Failures(1));
        Assert.Single(swarm.Executions[new TaskId(job.Id, 1)]);
    }

    [Fact]
    public void Clause_MSG_25_a_lost_ack_is_said_by_the_same_answer_again()
    {
        int acks = 0;
        SimulatedSwarm swarm = Swarm((_, message) => message is Ack && acks++ == 0 ? [] : Once);
        swarm.RunsLike = (_, _) => (TimeSpan.FromSeconds(3), 0);
        JobRun job = Finish(swarm, Jobs.Of("one", 1));
        Assert.Equal(2, acks);
        Assert.Equal(1, job.Tasks.Attempts(1));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Clause_MSG_27_a_lost_or_doubled_go_starts_each_member_once(bool isLost)
    {
        int gos = 0;
        SimulatedSwarm swarm = Swarm((_, message) => message is Go ? isLost && gos++ < 3 ? [] : Twice : Once);
        JobRun job = Finish(swarm, Gang(3));
        Assert.All(Enumerable.Range(1, 3), number => Assert.Single(swarm.Executions[new TaskId(job.Id, number)]));
    }

    [Fact]
    public void Clause_MSG_28_a_lost_release_leaves_no_phantom()
    {
        // Of a gang's three confirmations one never comes, so that the other two members are released; the release is lost.
        PeerId? deaf = null;
        SimulatedSwarm swarm = Swarm((to, message) => (message is Confirm && (deaf ??= to) == to) || message is Release ? [] : Once);
        swarm.Submit(Gang(3));
        swarm.RunFor(TimeSpan.FromSeconds(10));
        swarm.Workers[deaf!.Value].Crash();
        deaf = default(PeerId);
        swarm.RunFor(TimeSpan.FromSeconds(60));
        swarm.Copies = null;
        swarm.Workers.Values.Single(w => w.Node is null).Start();
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(10)));
        AssertNothingLeft(swarm);
    }

    [Fact]
    public void Clause_MSG_40_heartbeats_may_be_lost_for_twenty_seconds()
    {
        SimulatedSwarm swarm = Swarm((_, _) => Once);
        Instant end = swarm.Simulation.Now + TimeSpan.FromSeconds(20);
        swarm.Copies = (_, _, message) => message is Heartbeat && swarm.Simulation.Now < end ? [] : Once;
        swarm.RunsLike = (_, _) => (TimeSpan.FromSeconds(25), 0);
        JobId id = swarm.Submit(Jobs.Of("one", 1));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(5)));
        Assert.Equal(1, swarm.Executions[new TaskId(id, 1)].Count(r => r.To - r.From == TimeSpan.FromSeconds(25)));
    }

    [Fact]
    public void Clause_MSG_42_and_43_a_late_answer_of_an_earlier_round_loses_nothing()
    {
        // Each answer comes once more, ten seconds late: by then other attempts run, of which it knows nothing.
        SimulatedSwarm swarm = Swarm((_, message) => message is ReconcileReply ? [TimeSpan.Zero, TimeSpan.FromSeconds(10)] : Once);
        swarm.RunsLike = (_, _) => (TimeSpan.FromSeconds(7), 0);
        JobId id = swarm.Submit(Jobs.Of("many", 12));
        for (int i = 0; i < 6; i++)
        {
            swarm.RunFor(TimeSpan.FromSeconds(4));
            swarm.Scheduler.Crash(losePower: false);
            swarm.RunFor(TimeSpan.FromSeconds(1));
            swarm.Scheduler.Start();
        }
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(5)));
        Assert.All(Enumerable.Range(1, 12), number => Assert.Single(swarm.Executions[new TaskId(id, number)]));
    }

    [Fact]
    public void Clause_MSG_43_a_lost_answer_is_asked_for_again()
    {
        int replies = 0;
        SimulatedSwarm swarm = Swarm((_, message) => message is ReconcileReply && replies++ < 4 ? [] : Once);
        swarm.RunsLike = (_, _) => (TimeSpan.FromSeconds(30), 0);
        JobId id = swarm.Submit(Jobs.Of("long", 3));
        swarm.RunFor(TimeSpan.FromSeconds(4));
        swarm.Scheduler.Crash(losePower: true);
        swarm.Scheduler.Start();
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(5)));
        Assert.True(replies > 4);
        Assert.All(Enumerable.Range(1, 3), number => Assert.Single(swarm.Executions[new TaskId(id, number)]));
    }

    [Fact]
    public void Clause_MSG_47_a_lost_cancellation_is_sent_again()
    {
        int cancels = 0;
        SimulatedSwarm swarm = Swarm((_, message) => message is Cancel && cancels++ < 3 ? [] : Once);
        swarm.RunsLike = (_, _) => (TimeSpan.FromHours(5), 0);
        JobId id = swarm.Submit(Jobs.Of("endless", 2));
        swarm.RunFor(TimeSpan.FromSeconds(3));
        swarm.Scheduler.Act(id, JobDeed.Cancel);
        swarm.RunFor(TimeSpan.FromSeconds(10));
        Assert.All(swarm.Workers.Values, worker => Assert.Equal(0, worker.Running));
        AssertNothingLeft(swarm);
    }

    [Fact]
    public void Clause_MSG_50_a_late_result_of_an_attempt_that_was_given_up_counts()
    {
        SimulatedSwarm swarm = Swarm((_, _) => Once);
        swarm.RunsLike = (_, _) => (TimeSpan.FromSeconds(40), 0);
        JobId id = swarm.Submit(Jobs.Of("one", 1));
        swarm.RunFor(TimeSpan.FromSeconds(2));
        SimulatedWorker first = swarm.Workers.Values.Single(w => w.Running == 1);
        foreach (SimulatedWorker other in swarm.Workers.Values.Where(w => w != first))
            other.Crash();
        swarm.Network.Partition(1, first.Peer.ToString());
        swarm.RunFor(TimeSpan.FromSeconds(37));
        Assert.Empty(swarm.Scheduler.State!.Open);
        swarm.RunFor(TimeSpan.FromSeconds(5));
        swarm.Network.Heal();
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(2)));
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        Assert.Equal(JobEnd.Succeeded, job.End);
        Assert.Single(swarm.Executions[new TaskId(id, 1)]);
    }

    [Fact]
    public void Clause_MSG_51_a_late_acknowledgement_keeps_the_result_until_then()
    {
        SimulatedSwarm swarm = Swarm((_, message) => message is ResultAck ? Late : Once);
        JobRun job = Finish(swarm, Jobs.Of("late", 4));
        Assert.Equal(4, job.Tasks.CountOf(TaskState.Succeeded));
        AssertNothingLeft(swarm);
    }

    private static SimulatedSwarm Swarm(Func<PeerId, Message, ImmutableArray<TimeSpan>> copies)
    {
        var swarm = new SimulatedSwarm(11, Small, Small, Small);
        swarm.Copies = (_, to, message) => copies(to, message);
        swarm.RunFor(TimeSpan.FromSeconds(1));
        return swarm;
    }

    private static JobSpec Gang(int ranks) => new() { Name = "gang", Segments = [Jobs.Segment("g", 1) with { Count = null, Nodes = ranks }] };

    private static JobRun Finish(SimulatedSwarm swarm, JobSpec spec)
    {
        JobId id = swarm.Submit(spec);
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(10)));
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        Assert.Equal(JobEnd.Succeeded, job.End);
        return job;
    }

    private static void AssertNothingLeft(SimulatedSwarm swarm)
    {
        swarm.RunFor(TimeSpan.FromMinutes(2));
        Assert.Empty(swarm.Scheduler.State!.Open);
        Assert.All(swarm.Workers.Values, worker =>
        {
            Assert.Equal(0, worker.Node!.Attempts);
            Assert.Equal(0, worker.Node.Results);
        });
    }
}
