using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Health;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>
/// Two workers, of which one lies: it says nothing of its own, and a liar speaks in its place. Whatever it says, each task has one accepted end on the honest one, and the scheduler
/// counts what it refused, or keeps away from the liar, with the reason.
/// </summary>
public sealed class HostileWorkerTests
{
    private static readonly NodeResources Small = new() { MilliCpus = 2000, MemoryBytes = 1L << 30, DiskBytes = 1L << 40 };
    private static readonly ImmutableArray<TimeSpan> Once = [TimeSpan.Zero];
    private static int offers;

    [Fact]
    public void Who_offers_what_it_cannot_keep_is_kept_away_with_the_reason()
    {
        // A thousand places for next to nothing, and each confirmation is refused: the place is gone.
        (SimulatedSwarm swarm, PeerId liar) = Swarm(1, (message, say) =>
        {
            if (message is Ad { QuoteOnly: false } ad)
                say(OfferOn(ad));
            else if (message is Confirm confirm)
                say(new Nack(confirm.Offer, NackReason.Gone, []));
        });
        JobRun job = Finish(swarm, "nothing", 40);
        // It learns nothing of it either: what it offered it was asked for, and no more.
        Assert.All(Enumerable.Range(1, 40), number => Assert.NotEqual(liar, NodeOf(swarm, job, number)));
        JobId second = swarm.Submit(Jobs.Of("again", 400));
        Assert.True(swarm.Simulation.RunUntil(() => swarm.Scheduler.Node!.KeptAway(liar, swarm.Simulation.Now) is not null, swarm.Simulation.Now + TimeSpan.FromMinutes(5)));
        Assert.Contains("confirmations in a row of what it had offered", swarm.Scheduler.Node!.KeptAway(liar, swarm.Simulation.Now)!.Value.Reason, StringComparison.Ordinal);
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(10)));
        Assert.Equal(JobEnd.Succeeded, Job(swarm, second).End);
    }

    [Fact]
    public void Who_takes_tasks_and_says_nothing_more_is_suspected_and_its_tasks_run_elsewhere()
    {
        (SimulatedSwarm swarm, PeerId liar) = Swarm(2, (message, say) =>
        {
            if (message is Ad { QuoteOnly: false } ad)
                say(OfferOn(ad));
            else if (message is Confirm confirm)
                say(new Ack(confirm.Offer));
        });
        JobRun job = Finish(swarm, "silent", 12);
        Assert.Contains(swarm.Scheduler.Observations, o => o is SchedulerObservation.Suspected suspected && suspected.Worker == liar);
        Assert.Equal(12, job.Tasks.CountOf(TaskState.Succeeded));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Who_renews_for_ever_what_it_does_not_run_or_never_ends_loses_it(bool saysItBegan)
    {
        var held = new List<AttemptId>();
        (SimulatedSwarm swarm, PeerId liar) = Swarm(3, (message, say) =>
        {
            switch (message)
            {
                case Ad { QuoteOnly: false } ad:
                    say(OfferOn(ad));
                    break;
                case Confirm confirm:
                    held.AddRange(confirm.Tasks.Select(t => new AttemptId(new TaskId(confirm.Works[t.Work].Job, t.Number), new Fence(confirm.Epoch, t.Attempt))));
                    say(new Ack(confirm.Offer));
                    if (saysItBegan)
                        say(new Notice(NoticeKind.Started, [.. held], TimeSpan.Zero));
                    break;
                case Heartbeat beat:
                    ulong set = held.Aggregate(0UL, LeaseSetHash.Toggle);
                    say(new HeartbeatReply(beat.Number, set, []));
                    break;
                case Cancel or Release or Steal:
                    break;
            }
        });
        JobSpec spec = Jobs.Of("stuck", 6);
        JobId id = swarm.Submit(spec with { Segments = [spec.Segments[0] with { Timeout = TimeSpan.FromMinutes(1) }] });
        Assert.True(swarm.RunToEnd(TimeSpan.FromHours(1)));
        Assert.Equal(JobEnd.Succeeded, Job(swarm, id).End);
        Assert.NotEmpty(held);
        Complaint complaint = swarm.Scheduler.Node!.ComplaintOf(liar)!;
        Assert.Equal(saysItBegan ? "it did not end a task that had passed its time-out" : "it did not begin a task within 15 minutes", complaint.Last);
    }

    [Fact]
    public void Results_of_what_it_does_not_hold_and_logs_of_others_are_refused_and_counted()
    {
        (SimulatedSwarm swarm, PeerId liar) = Swarm(4, (_, _) => { });
        swarm.RunsLike = (_, _) => (TimeSpan.FromSeconds(20), 0);
        JobId id = swarm.Submit(Jobs.Of("others", 2));
        swarm.RunFor(TimeSpan.FromSeconds(5));
        JobRun job = Job(swarm, id);
        Assert.Equal(2, job.Tasks.CountOf(TaskState.Placed));
        int logs = swarm.Scheduler.Logs;
        foreach (AttemptId attempt in swarm.Scheduler.State!.Open.Keys.Order().ToArray())
        {
            Say(swarm, liar, new Result(swarm.Scheduler.Peer, [new AttemptResult { Attempt = attempt, Outcome = Outcome.Succeeded, Wall = TimeSpan.FromHours(1) }]));
            Say(swarm, liar, new LogChunk(attempt, 1, 0, [1, 2, 3]));
            Say(swarm, liar, new StdinCredit(attempt, 1 << 20));
            Say(swarm, liar, new Notice(NoticeKind.Returned, [attempt], TimeSpan.Zero));
            Say(swarm, liar, new Notice(NoticeKind.Leaving, [attempt], TimeSpan.Zero));
            // One that was never placed, and one of another epoch to come.
            Say(swarm, liar, new Result(swarm.Scheduler.Peer, [new AttemptResult { Attempt = attempt with { Fence = new Fence(attempt.Fence.Epoch, 99) }, Outcome = Outcome.Succeeded }]));
            Say(swarm, liar, new Receipt(new Principal("p"), [new ReceiptEntry(attempt, Price.LimitMax, TimeSpan.FromDays(1), Credits.LimitMax)]));
        }
        swarm.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(2, job.Tasks.CountOf(TaskState.Placed));
        Assert.Equal(Credits.Zero, job.Spent);
        Assert.Equal(logs, swarm.Scheduler.Logs);
        Assert.Equal(8, swarm.Scheduler.Node!.ComplaintOf(liar)!.Count);
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(5)));
        Assert.All(Enumerable.Range(1, 2), number => Assert.Single(swarm.Executions[new TaskId(id, number)]));
    }

    /// <summary>The bill itself: <see cref="MoneyTests.A_bill_that_is_too_high_is_refused_and_our_own_account_stands"/>; here what is paid for a time that was made up.</summary>
    [Fact]
    public void Who_says_that_a_task_took_longer_than_it_was_away_is_paid_for_that_at_most()
    {
        var swarm = new SimulatedSwarm(5, Small) { RunsLike = (_, _) => (TimeSpan.FromSeconds(5), 0) };
        swarm.Copies = (from, _, message) =>
        {
            if (message is not Result result || result.Entries[0].Wall == TimeSpan.FromDays(300))
                return Once;
            swarm.Scheduler.Post(new SchedulerInput.Received(from, result with { Entries = [.. result.Entries.Select(e => e with { Wall = TimeSpan.FromDays(300) })] }));
            return [];
        };
        JobRun job = Finish(swarm, "long", 1);
        Assert.InRange(job.Spent.Micro, 1, job.Tasks.Price(1).For(TimeSpan.FromSeconds(6)).Micro);
    }

    private static (SimulatedSwarm Swarm, PeerId Liar) Swarm(ulong seed, Action<Message, Action<Message>> answer)
    {
        var swarm = new SimulatedSwarm(seed, Small, Small);
        PeerId liar = swarm.Workers.Keys.Order().First();
        swarm.Copies = (from, to, message) =>
        {
            // Nothing of what the machine of that worker says goes out, nor reaches it; what the liar hears it answers.
            if (to == liar)
                answer(message, said => Say(swarm, liar, said));
            return from == liar || to == liar ? [] : Once;
        };
        // What is published goes to all who hear it.
        swarm.Sent = (from, to, message) =>
        {
            if (from == to)
                answer(message, said => Say(swarm, liar, said));
        };
        return (swarm, liar);
    }

    private static void Say(SimulatedSwarm swarm, PeerId liar, Message message) => swarm.Scheduler.Post(new SchedulerInput.Received(liar, message));

    private static Offer OfferOn(Ad ad) => new()
    {
        Id = new OfferId(new Guid(Interlocked.Increment(ref offers), 0, 0, new byte[8])), Ad = ad.Id, Valid = TimeSpan.FromSeconds(2),
        Entries = [.. ad.Groups.Select(g => new OfferEntry { Group = g.Id, Count = 1000, Ask = new Price(1), Firm = true, Guaranteed = TimeSpan.FromDays(1) })],
    };

    private static JobRun Finish(SimulatedSwarm swarm, string name, int count)
    {
        JobId id = swarm.Submit(Jobs.Of(name, count));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(30)));
        JobRun job = Job(swarm, id);
        Assert.Equal(JobEnd.Succeeded, job.End);
        return job;
    }

    private static PeerId NodeOf(SimulatedSwarm swarm, JobRun job, int number) => swarm.Scheduler.State!.Node(job.Tasks.Node(number)).Peer;

    private static JobRun Job(SimulatedSwarm swarm, JobId id)
    {
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        return job;
    }
}
