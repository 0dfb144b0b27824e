using System.Collections.Immutable;
using System.Reflection;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Leases;
using Drap.Core.Market.Pricing;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Network;
using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>
/// Defects that the closest relatives of this system have had, each kept out by a test over the machines that run in a node. The numbers
/// are those of the survey of the field. What is not here cannot occur here: there are no gateways (9) and no relays (10) in the swarm of one
/// process; nothing averages models (11) or streams tensors (12). That the first steps of the README end without an error line (15) only
/// the whole program can show, and its own tests see to it.
/// </summary>
public sealed class FieldDefectsTests
{
    private const long GiB = 1L << 30;

    private static NodeResources Cores(int cores) => new() { MilliCpus = cores * 1000, MemoryBytes = cores * GiB, DiskBytes = 1L << 40 };

    private static NodeResources WithGpu(int cores, long gpuBytes) => Cores(cores) with { Gpus = [new GpuDevice(0, "T4", gpuBytes)] };

    // 1. A worker that is larger in one dimension and smaller in another answered, won, and got the job.
    [Fact]
    public void A_worker_that_is_too_small_in_one_dimension_never_wins_however_large_the_others_are()
    {
        var swarm = new SimulatedSwarm(1, WithGpu(16, 16 * GiB));
        SimulatedWorker right = swarm.AddWorker(Dear(WithGpu(2, 24 * GiB)));
        JobId[] ids = [.. Enumerable.Range(0, 20).Select(_ => swarm.Submit(Asking(new ResourcesSpec { Cpu = new Cores(2000), Gpu = new GpuSpec { Memory = new ByteSize(24 * GiB) } })))];
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        Assert.Equal(20, right.Launched);
        Assert.Equal(20, swarm.Workers.Values.Sum(w => w.Launched));
        Assert.All(ids, id => Assert.Equal(JobEnd.Succeeded, JobOf(swarm, id).End));
    }

    // 1. And where nobody fits, it said nothing.
    [Fact]
    public void Who_is_too_small_says_in_which_dimension_and_the_task_waits()
    {
        var swarm = new SimulatedSwarm(2, WithGpu(16, 16 * GiB), Cores(64));
        JobId id = swarm.Submit(Asking(new ResourcesSpec { Cpu = new Cores(2000), Gpu = new GpuSpec { Memory = new ByteSize(24 * GiB) } }));
        swarm.RunFor(TimeSpan.FromSeconds(5));
        GroupStanding standing = Assert.Single(Explain(swarm, id));
        // The second has no device and does not listen where devices are asked for: what it would say follows from what it owns.
        Assert.Single(standing.Audience);
        Assert.Equal(2, standing.Answers.Count);
        Assert.All(standing.Answers, answer =>
        {
            Assert.Equal(RefusalReason.TooSmall, answer.Refusal!.Reason);
            Assert.Equal(["gpu"], answer.Refusal.Shortages.Select(s => s.Dimension.Split('.', ' ', '_')[0]).Distinct());
        });
        Assert.Equal(JobEnd.None, JobOf(swarm, id).End);
        Assert.Equal(0, swarm.Workers.Values.Sum(w => w.Launched));
    }

    // 1. The scheduler never compared an offer with what it had asked for.
    [Fact]
    public void An_offer_beyond_what_its_worker_says_that_it_owns_does_not_win()
    {
        var swarm = new SimulatedSwarm(3, Cores(4));
        var liar = new Stranger(swarm, owns: Cores(1), entry => entry with { Ask = new Price(1) });
        JobId four = swarm.Submit(Asking(new ResourcesSpec { Cpu = new Cores(4000) }));
        JobId many = swarm.Submit(Jobs.Of("many", 8));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        Assert.Equal(JobEnd.Succeeded, JobOf(swarm, four).End);
        Assert.Equal(JobEnd.Succeeded, JobOf(swarm, many).End);
        Assert.True(liar.Offers > 0);
        Assert.All(liar.Confirmed, c => Assert.True(c.Tasks.Length == 1 && c.Works[0].Job == many));
    }

    // 2. An offer of nothing scored best.
    [Fact]
    public void An_offer_of_nothing_is_no_message_and_a_worker_that_owns_nothing_gets_nothing()
    {
        var swarm = new SimulatedSwarm(4, new NodeResources());
        SimulatedWorker right = swarm.AddWorker(Dear(Cores(1)));
        swarm.Submit(Jobs.Of("many", 5));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        Assert.Equal(5, right.Launched);
        Assert.Equal(5, swarm.Workers.Values.Sum(w => w.Launched));
        Assert.False(CanTravel(OfferOf(entry => entry with { Count = 0 })));
        Assert.True(CanTravel(OfferOf(entry => entry)));
    }

    // 2. Whoever is free costs nothing, which is legal; it is still no reason to take more than it has.
    [Fact]
    public void A_worker_that_asks_nothing_wins_what_it_has_room_for_and_no_more()
    {
        var swarm = new SimulatedSwarm(5, Cores(4)) { RunsLike = (_, _) => (TimeSpan.FromSeconds(5), 0) };
        SimulatedWorker free = swarm.AddWorker(Options(Cores(2)) with { Pricing = new PricingOptions { OwnerPermille = 0 } });
        swarm.RunFor(TimeSpan.FromSeconds(1));
        swarm.Submit(Jobs.Of("many", 4));
        swarm.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(2, free.Running);
        Assert.Equal(4, swarm.Workers.Values.Sum(w => w.Running));
    }

    // 3. A claim of a billion gigabytes, or a price below zero, won.
    [Fact]
    public void A_claim_has_a_bound_and_gains_nothing()
    {
        Assert.False(CanTravel(OfferOf(entry => entry with { Ask = new Price(-1) })));
        Assert.False(CanTravel(OfferOf(entry => entry with { Ask = new Price(Price.LimitMax.MicroPerHour + 1) })));
        Assert.False(CanTravel(Saying(new NodeResources { MemoryBytes = ResourceRequest.AmountMax + 1 })));
        Assert.False(CanTravel(Saying(new NodeResources { MilliCpus = -1 })));

        var swarm = new SimulatedSwarm(6, Cores(16));
        var boaster = new Stranger(swarm, owns: new NodeResources { MilliCpus = ResourceRequest.AmountMax, MemoryBytes = ResourceRequest.AmountMax },
            entry => entry with { Ask = new Price(entry.Ask.MicroPerHour * 2) });
        swarm.RunFor(TimeSpan.FromSeconds(1));
        swarm.Submit(Jobs.Of("few", 4));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        Assert.True(boaster.Offers > 0);
        Assert.Empty(boaster.Confirmed);
        Assert.Equal(4, swarm.Workers.Values.Sum(w => w.Launched));
    }

    // 4. Work that wants no device was counted by devices: 0 / 0 made a batch of 4 294 967 295.
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Work_without_devices_is_counted_by_what_it_does_want(bool hasDevices)
    {
        var swarm = new SimulatedSwarm(7, hasDevices ? WithGpu(4, 16 * GiB) : Cores(4)) { RunsLike = (_, _) => (TimeSpan.FromMilliseconds(300), 0) };
        int most = 0, offered = 0;
        swarm.Sent = (_, _, message) =>
        {
            most = Math.Max(most, swarm.Workers.Values.Sum(w => w.Running));
            if (message is Offer offer)
                offered = Math.Max(offered, offer.Entries.Max(e => e.Count));
        };
        swarm.Submit(Jobs.Of("many", 50));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        Assert.Equal(50, swarm.Executions.Count);
        Assert.InRange(offered, 1, 4);
        Assert.InRange(most, 1, 4);
    }

    // 5. Instants crossed the wire, and clocks differ.
    [Fact]
    public void No_message_has_a_field_that_is_an_instant()
    {
        var seen = new HashSet<Type>();
        var open = new Queue<Type>(typeof(Message).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Message))));
        Assert.True(open.Count > 20);
        while (open.TryDequeue(out Type? type))
        {
            if (!seen.Add(type))
                continue;
            Assert.DoesNotContain(type, (Type[])[typeof(Instant), typeof(UtcTime), typeof(DateTime), typeof(DateTimeOffset)]);
            foreach (Type argument in type.GetGenericArguments())
                open.Enqueue(argument);
            if (type.Namespace is { } name && name.StartsWith("Drap", StringComparison.Ordinal))
                foreach (PropertyInfo property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
                    open.Enqueue(property.PropertyType);
        }
        Assert.Contains(typeof(TimeSpan), seen);
    }

    // 5. The scheduler subtracted its own clock from the worker's.
    [Fact]
    public void Clocks_that_differ_by_years_change_nothing()
    {
        Assert.Equal(Run(TimeSpan.Zero), Run(TimeSpan.FromDays(3650)));
        Assert.Equal(Run(TimeSpan.Zero), Run(TimeSpan.FromDays(-3650)));

        static List<string> Run(TimeSpan skew)
        {
            var swarm = new SimulatedSwarm(8, Cores(2), Cores(2)) { RunsLike = (task, _) => (TimeSpan.FromSeconds(10 + task.Number * 7), 0) };
            foreach (SimulatedWorker worker in swarm.Workers.Values)
                worker.ClockSkew = skew;
            swarm.Submit(Jobs.Of("many", 12));
            Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(10)));
            return [.. swarm.Executions.Select(e => $"{e.Key.Number}: {string.Join(' ', e.Value)}"), .. swarm.Messages.Select(m => $"{m.Key} {m.Value}")];
        }
    }

    // 6. A dispatch took the first lease of its sender, whatever it was for.
    [Fact]
    public void A_confirmation_makes_leases_only_for_the_offer_that_it_names_of_the_scheduler_that_got_it()
    {
        var swarm = new SimulatedSwarm(9, Cores(2));
        PeerId thief = PeerOf(77);
        Confirm? stolen = null;
        swarm.Sent = (from, to, message) =>
        {
            if (message is not Confirm confirm || stolen is not null)
                return;
            // It comes to the worker before the right one does, from someone else, in its own name.
            stolen = confirm with { Scheduler = thief };
            swarm.Workers[to].Post(new WorkerInput.Received(thief, stolen));
        };
        var nacks = new List<NackReason>();
        JobId id = swarm.Submit(Jobs.Of("one", 1));
        swarm.Sent += (from, to, message) =>
        {
            if (to == thief && message is Nack nack)
                nacks.Add(nack.Reason);
        };
        Assert.True(swarm.RunToEnd(TimeSpan.FromSeconds(10)));
        Assert.NotNull(stolen);
        Assert.Equal([NackReason.UnknownOffer], nacks);
        Assert.Equal(1, swarm.Workers.Values.Sum(w => w.Launched));
        Assert.Single(swarm.Executions[new TaskId(id, 1)]);
    }

    // 6. Renewing did not look whether the lease was over.
    [Fact]
    public void A_lease_that_is_over_is_not_renewed_and_its_successor_starts_after_it()
    {
        var swarm = new SimulatedSwarm(10, Cores(1), Cores(1)) { RunsLike = (_, _) => (TimeSpan.FromSeconds(60), 0) };
        JobId id = swarm.Submit(new JobSpec { Name = "alone", Segments = [Jobs.Segment("s", 1) with { Exclusive = true }] });
        swarm.RunFor(TimeSpan.FromSeconds(5));
        SimulatedWorker first = swarm.Workers.Values.Single(w => w.Running == 1);
        string scheduler = swarm.Scheduler.Peer.ToString(), worker = first.Peer.ToString();
        swarm.Network.Cut(scheduler, worker);
        swarm.RunFor(LeaseBook.LeaseTime);
        Assert.Equal(0, first.Running);
        swarm.Network.Mend(scheduler, worker);
        swarm.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(0, first.Running);
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(5)));
        List<(Instant From, Instant To)> runs = swarm.Executions[new TaskId(id, 1)];
        Assert.Equal(2, runs.Count);
        Assert.True(runs[0].To - runs[0].From <= LeaseBook.LeaseTime + TimeSpan.FromSeconds(5));
        Assert.True(runs[1].From >= runs[0].To);
        Assert.Equal(JobEnd.Succeeded, JobOf(swarm, id).End);
    }

    // 6. Results were not matched to what had been leased.
    [Fact]
    public void A_result_counts_only_for_the_attempt_and_from_the_worker_that_it_was_given_to()
    {
        var swarm = new SimulatedSwarm(11, Cores(1), Cores(1)) { RunsLike = (_, _) => (TimeSpan.FromSeconds(5), 0) };
        JobId id = swarm.Submit(Jobs.Of("one", 1));
        swarm.RunFor(TimeSpan.FromSeconds(2));
        var right = new AttemptId(new TaskId(id, 1), new Fence(swarm.Scheduler.State!.Epoch, 1));
        PeerId other = swarm.Workers.Values.Single(w => w.Running == 0).Peer;
        var never = new AttemptId(right.Task, new Fence(right.Fence.Epoch, 2));
        foreach ((PeerId from, AttemptId attempt) in new[] { (other, right), (PeerOf(78), right), (other, never), (other, new AttemptId(new TaskId(id, 2), right.Fence)) })
        {
            var result = new AttemptResult { Attempt = attempt, Outcome = Outcome.Succeeded, Wall = TimeSpan.FromHours(1) };
            swarm.Scheduler.Post(new SchedulerInput.Received(from, new Result(swarm.Scheduler.Peer, [result])));
        }
        swarm.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(TaskState.Placed, JobOf(swarm, id).Tasks.State(1));
        Assert.True(swarm.RunToEnd(TimeSpan.FromSeconds(10)));
        Assert.Equal(TimeSpan.FromSeconds(5), Assert.Single(swarm.Executions[right.Task]) is var (from2, to2) ? to2 - from2 : default);
    }

    // 7. Workers bid on ads that were long over.
    [Fact]
    public void An_ad_that_no_longer_stands_gets_no_offer()
    {
        var swarm = new SimulatedSwarm(12, Cores(1)) { RunsLike = (task, _) => (TimeSpan.FromSeconds(40), 0) };
        swarm.Submit(Jobs.Of("first", 1));
        swarm.RunFor(TimeSpan.FromSeconds(1));
        JobId second = swarm.Submit(Jobs.Of("second", 1));
        swarm.RunFor(TimeSpan.FromSeconds(1));
        SimulatedWorker worker = swarm.Workers.Values.Single();
        string scheduler = swarm.Scheduler.Peer.ToString();
        swarm.Network.Cut(scheduler, worker.Peer.ToString());
        long offers = swarm.Messages[MessageKind.Offer];
        swarm.RunFor(TimeSpan.FromSeconds(60));
        Assert.Equal(0, worker.Running);
        Assert.Equal(offers, swarm.Messages[MessageKind.Offer]);
        swarm.Network.Mend(scheduler, worker.Peer.ToString());
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(3)));
        Assert.Equal(JobEnd.Succeeded, JobOf(swarm, second).End);
    }

    // 7. The scheduler's side of it.
    [Fact]
    public void An_offer_to_an_ad_that_is_over_is_told_so_and_wins_nothing()
    {
        var swarm = new SimulatedSwarm(13, Cores(1)) { RunsLike = (_, _) => (TimeSpan.FromMinutes(5), 0) };
        swarm.Submit(Jobs.Of("many", 2));
        swarm.RunFor(TimeSpan.FromSeconds(2));
        PeerId late = PeerOf(79);
        var told = new List<Message>();
        swarm.Sent = (_, to, message) =>
        {
            if (to == late)
                told.Add(message);
        };
        swarm.Scheduler.Post(new SchedulerInput.Received(late, OfferOf(entry => entry with { Ask = Price.Zero })));
        swarm.RunFor(TimeSpan.FromSeconds(1));
        Assert.IsType<Closed>(Assert.Single(told));
    }

    // 8. A burst of more messages than a queue held was dropped, and nobody knew.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void A_burst_that_no_queue_holds_is_counted_and_made_good(ulong seed)
    {
        var swarm = new SimulatedSwarm(seed, [.. Enumerable.Repeat(Cores(2), 40)]) { RunsLike = (_, _) => (TimeSpan.FromMilliseconds(200), 0) };
        // All have the same distance, so that forty answers come in one instant.
        swarm.Scheduler.QueueMax = 5;
        JobId[] ids = [.. Enumerable.Range(0, 30).Select(_ => swarm.Submit(Jobs.Of("burst", 10)))];
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(10)), $"seed {seed}: {swarm.Scheduler.State!.OpenJobs} jobs are left");
        Assert.True(swarm.Scheduler.Refused > 0);
        foreach (JobId id in ids)
            Assert.Equal(10, JobOf(swarm, id).Tasks.CountOf(TaskState.Succeeded));
    }

    // 8. And so is what a bad network drops, doubles and turns round.
    [Fact]
    public void A_network_that_loses_a_tenth_and_reorders_the_rest_loses_no_task()
    {
        var swarm = new SimulatedSwarm(14, Cores(4), Cores(4)) { RunsLike = (_, _) => (TimeSpan.FromMilliseconds(200), 0) };
        swarm.Network.DefaultConditions = new LinkConditions
        {
            Latency = TimeSpan.FromMilliseconds(5), Jitter = TimeSpan.FromMilliseconds(20), LossPerMillion = 100_000, IsOrdered = false,
        };
        JobId id = swarm.Submit(Jobs.Of("many", 100));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(10)));
        Assert.Equal(100, JobOf(swarm, id).Tasks.CountOf(TaskState.Succeeded));
    }

    // 13. What was assigned counted as done, and was lost with its worker.
    [Fact]
    public void A_task_is_done_when_its_result_is_taken_not_when_it_is_given_out()
    {
        var swarm = new SimulatedSwarm(15, Cores(4), Cores(4)) { RunsLike = (_, _) => (TimeSpan.FromSeconds(10), 0) };
        JobId id = swarm.Submit(Jobs.Of("many", 8));
        swarm.RunFor(TimeSpan.FromSeconds(5));
        SimulatedWorker victim = swarm.Workers.Values.First(w => w.Running > 0);
        int lost = victim.Running;
        victim.Crash();
        Assert.Equal(0, JobOf(swarm, id).Tasks.CountOf(TaskState.Succeeded));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(5)));
        Assert.Equal(8, JobOf(swarm, id).Tasks.CountOf(TaskState.Succeeded));
        Assert.Equal(lost, swarm.Executions.Count(e => e.Value.Count == 2));
    }

    // 13. The check of an index was off by one.
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(257)]
    public void Each_of_so_many_tasks_runs_once_from_the_first_to_the_last(int count)
    {
        var swarm = new SimulatedSwarm(16, Cores(8));
        JobId id = swarm.Submit(Jobs.Of("many", count));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        Assert.Equal(Enumerable.Range(1, count).Select(n => new TaskId(id, n)), swarm.Executions.Keys);
        Assert.All(swarm.Executions.Values, runs => Assert.Single(runs));
    }

    // 14. Nobody there was an empty list, and a panic.
    [Fact]
    public void With_no_worker_at_all_a_job_waits_with_a_reason_and_starts_when_one_joins()
    {
        var swarm = new SimulatedSwarm(17);
        JobId id = swarm.Submit(Jobs.Of("one", 1));
        swarm.RunFor(TimeSpan.FromMinutes(2));
        Assert.Equal(JobEnd.None, JobOf(swarm, id).End);
        GroupStanding standing = Assert.Single(Explain(swarm, id));
        Assert.Empty(standing.Audience);
        Assert.Empty(standing.Answers);
        Assert.InRange(swarm.Messages.GetValueOrDefault(MessageKind.Ad), 0, 8);

        swarm.AddWorker(Options(Cores(1)));
        Instant joined = swarm.Simulation.Now;
        Assert.True(swarm.RunToEnd(TimeSpan.FromSeconds(30)));
        Assert.InRange(swarm.Executions[new TaskId(id, 1)][0].From - joined, TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
    }

    private static JobSpec Asking(ResourcesSpec resources) => new() { Name = "asks", Segments = [Jobs.Segment("s", 1) with { Resources = resources }] };

    private static WorkerOptions Options(NodeResources resources) => new()
    {
        Name = "another",
        Resources = resources,
        Traits = new NodeTraits { Architecture = "x86_64", Drivers = ["dotnet", "process"], Handlers = ["noop"] },
    };

    /// <summary>One that costs a half more than the others, so that it wins only for want of another.</summary>
    private static WorkerOptions Dear(NodeResources resources) => Options(resources) with { Pricing = new PricingOptions { OwnerPermille = 1500 } };

    private static JobRun JobOf(SimulatedSwarm swarm, JobId id)
    {
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        return job;
    }

    private static ImmutableArray<GroupStanding> Explain(SimulatedSwarm swarm, JobId id)
    {
        JobRun job = JobOf(swarm, id);
        return swarm.Scheduler.Node!.Explain(job, job.Segments[0]);
    }

    private static Offer OfferOf(Func<OfferEntry, OfferEntry> change) => new()
    {
        Id = new OfferId(new Prng(1).NextUuid()),
        Ad = new AdId(new Prng(2).NextUuid()),
        Entries = [change(new OfferEntry { Group = 1, Count = 1, Ask = Price.Zero, Firm = true })],
        Valid = TimeSpan.FromSeconds(1),
    };

    private static ProbeReply Saying(NodeResources owns) => new(0, new NodeState { Name = "x", Total = owns, Free = owns, Traits = new NodeTraits() });

    private static bool CanTravel(Message message) => MessageCodec.TryEncode(message, new System.Buffers.ArrayBufferWriter<byte>(), out _);

    private static PeerId PeerOf(byte number)
    {
        Span<byte> key = stackalloc byte[32];
        key.Fill(number);
        return PeerId.FromEd25519(key);
    }

    /// <summary>Someone with a worker of its own making: says what it owns and offers on every ad, whatever it asks for.</summary>
    private sealed class Stranger
    {
        private readonly SimulatedSwarm swarm;
        private readonly PeerId self = PeerOf(99);
        private readonly Prng prng = new(99);
        private readonly Func<OfferEntry, OfferEntry> says;

        public Stranger(SimulatedSwarm swarm, NodeResources owns, Func<OfferEntry, OfferEntry> says)
        {
            (this.swarm, this.says) = (swarm, says);
            Tell(Saying(owns));
            swarm.Sent = (from, to, message) =>
            {
                if (message is Ad ad)
                    swarm.Simulation.After(TimeSpan.FromMicroseconds(150), () => Answer(ad));
                else if (to == self && message is Confirm confirm)
                    Take(confirm);
            };
        }

        public int Offers { get; private set; }

        public List<Confirm> Confirmed { get; } = [];

        private void Tell(Message message) => swarm.Scheduler.Post(new SchedulerInput.Received(self, message));

        private void Answer(Ad ad)
        {
            Offers++;
            Tell(new Offer
            {
                Id = new OfferId(prng.NextUuid()), Ad = ad.Id, Valid = TimeSpan.FromSeconds(1),
                Entries = [.. ad.Groups.Select(g => says(new OfferEntry { Group = g.Id, Count = g.Count, Ask = g.Bid, Firm = true }))],
            });
        }

        /// <summary>Does what it was given, at once.</summary>
        private void Take(Confirm confirm)
        {
            Confirmed.Add(confirm);
            var results = confirm.Tasks.Select(t => new AttemptResult
            {
                Attempt = new AttemptId(new TaskId(confirm.Works[t.Work].Job, t.Number), new Fence(confirm.Epoch, t.Attempt)),
                Outcome = Outcome.Succeeded,
            });
            swarm.Simulation.After(TimeSpan.FromMilliseconds(1), () =>
            {
                Tell(new Ack(confirm.Offer));
                Tell(new Result(confirm.Scheduler, [.. results]));
            });
        }
    }
}
