using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Messages;
using Drap.Core.Nodes;
using Drap.Simulator.Swarm;
using Xunit;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>The market under load: who is large is not starved, who needs many gets them, and nobody shouts.</summary>
public sealed class LoadTests
{
    private static readonly NodeResources OneCore = new() { MilliCpus = 1000, MemoryBytes = 1L << 30, DiskBytes = 1L << 40 };
    private static readonly NodeResources EightCores = new() { MilliCpus = 8000, MemoryBytes = 8L << 30, DiskBytes = 1L << 40 };

    public static TheoryData<ulong> Seeds => [.. Enumerable.Range(1, 10).Select(i => (ulong)i)];

    [Theory]
    [MemberData(nameof(Seeds))]
    public void At_95_percent_load_an_eight_core_task_starts_within_three_times_the_longest_small_one(ulong seed)
    {
        var longest = TimeSpan.FromSeconds(5);
        var swarm = new SimulatedSwarm(seed, EightCores, EightCores, EightCores, EightCores);
        JobId large = default;
        swarm.RunsLike = (task, _) => (task.Job == large ? TimeSpan.FromSeconds(1) : Drawn(seed, task, TimeSpan.FromSeconds(1), longest), 0);
        swarm.RunFor(TimeSpan.FromSeconds(1));
        // Tasks of 3 s in the mean on 32 cores: one each 98.7 ms makes 95 %. Each is a job of its own, from 1 to 4 come at once.
        var prng = new Prng(seed);
        var stream = new SmallTasks(swarm, prng, TimeSpan.FromMilliseconds(98.7));
        swarm.RunFor(TimeSpan.FromSeconds(20));
        Assert.InRange(swarm.Workers.Values.Sum(w => w.Running), 24, 32);

        large = swarm.Submit(OfCores("large", 8000));
        Instant submitted = swarm.Simulation.Now;
        bool ended = swarm.Simulation.RunUntil(() => swarm.Executions.ContainsKey(new TaskId(large, 1)), submitted + longest * 6);
        stream.Stop();
        Assert.True(ended, $"seed {seed}: it never ran");
        Assert.True(swarm.Executions[new TaskId(large, 1)][0].From - submitted <= longest * 3,
            $"seed {seed}: it waited {swarm.Executions[new TaskId(large, 1)][0].From - submitted}");
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void What_has_waited_long_does_not_pass_what_its_own_user_ranks_higher(ulong seed)
    {
        var swarm = new SimulatedSwarm(seed, OneCore) { RunsLike = (task, _) => (TimeSpan.FromSeconds(task.Number == 1 ? 10 : 1), 0) };
        swarm.RunFor(TimeSpan.FromSeconds(1));
        swarm.Submit(Jobs.One(Jobs.Segment("first", 1) with { Estimate = TimeSpan.FromSeconds(2) }));
        swarm.RunFor(TimeSpan.FromMilliseconds(500));
        // Ten times the usual wait, and the longest that runs, are over when the other comes: it is patient, and the worker is kept for it.
        JobId patient = swarm.Submit(Jobs.Of("patient", 1));
        swarm.RunFor(TimeSpan.FromSeconds(6));
        JobId urgent = swarm.Submit(Jobs.One(Jobs.Segment("urgent", 1) with { Priority = 50 }));
        // What no machine can ever take is no reason to wait.
        swarm.Submit(OfCores("vast", 64_000) with { Segments = [OfCores("vast", 64_000).Segments[0] with { Priority = 100 }] });
        bool ended = swarm.Simulation.RunUntil(() => swarm.Executions.ContainsKey(new TaskId(patient, 1)), swarm.Simulation.Now + TimeSpan.FromSeconds(30));
        Assert.True(ended, $"seed {seed}: it never ran");
        Assert.True(swarm.Executions.ContainsKey(new TaskId(urgent, 1)), $"seed {seed}: the urgent one still waits");
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Behind_a_backlog_without_end_an_eight_core_task_starts_within_three_times_the_longest_small_one(ulong seed)
    {
        var longest = TimeSpan.FromSeconds(5);
        var swarm = new SimulatedSwarm(seed, EightCores, EightCores, EightCores);
        JobId large = default;
        swarm.RunsLike = (task, _) => (task.Job == large ? TimeSpan.FromSeconds(1) : Drawn(seed, task, TimeSpan.FromMilliseconds(500), longest), 0);
        swarm.RunFor(TimeSpan.FromSeconds(1));
        swarm.Submit(Jobs.Of("small", 2000));
        swarm.RunFor(TimeSpan.FromSeconds(12));
        Assert.InRange(swarm.Workers.Values.Sum(w => w.Running), 21, 24);

        large = swarm.Submit(OfCores("large", 8000));
        Instant submitted = swarm.Simulation.Now;
        bool ended = swarm.Simulation.RunUntil(() => swarm.Executions.ContainsKey(new TaskId(large, 1)), submitted + longest * 6);
        Assert.True(ended, $"seed {seed}: it never ran");
        Assert.True(swarm.Executions[new TaskId(large, 1)][0].From - submitted <= longest * 3,
            $"seed {seed}: it waited {swarm.Executions[new TaskId(large, 1)][0].From - submitted}");
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void The_tail_of_a_job_of_short_tasks_waits_for_no_second_ad(ulong seed)
    {
        // Lines of unlike length at the end: one worker's tasks take three times as long, so that the other stands idle first and steals.
        var swarm = new SimulatedSwarm(seed, OneCore, OneCore);
        SimulatedWorker slow = swarm.Workers.OrderBy(w => w.Key).First().Value;
        swarm.RunsLike = (task, worker) => (Drawn(seed, task, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(2)) * (worker == slow ? 3 : 1), 0);
        swarm.RunFor(TimeSpan.FromSeconds(1));
        Instant submitted = swarm.Simulation.Now;
        swarm.Submit(Jobs.Of("short", 300));
        Assert.True(swarm.RunToEnd(TimeSpan.FromSeconds(30)), $"seed {seed}");
        // 300 tasks of 1.5 ms at the rate of one and a third workers are 340 ms; a tail that waits for the next ad's turn takes a second more.
        Assert.True(swarm.Simulation.Now - submitted < TimeSpan.FromMilliseconds(800), $"seed {seed}: it took {swarm.Simulation.Now - submitted}");
    }

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Ten_gangs_that_compete_for_room_for_two_all_finish(ulong seed)
    {
        var prng = new Prng(seed);
        var swarm = new SimulatedSwarm(seed, [.. Enumerable.Repeat(OneCore, 8)]);
        swarm.RunsLike = (task, _) => (Drawn(seed, task, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(2)), 0);
        // From 2 to 4 ranks, so that two gangs fit at a time whatever they are, and three do only if they are small.
        int[] sizes = [.. Enumerable.Range(0, 10).Select(_ => 2 + prng.Below(3))];
        ImmutableArray<JobId> ids = [.. sizes.Select(size => swarm.Submit(new JobSpec
        {
            Name = "gang",
            Segments = [Jobs.Segment("g", 1) with { Count = null, Nodes = size }],
        }))];
        bool ended = swarm.RunToEnd(TimeSpan.FromMinutes(2));
        Assert.True(ended, $"seed {seed}: {swarm.Scheduler.State!.OpenJobs} gangs are left");
        for (int i = 0; i < ids.Length; i++)
        {
            Assert.True(swarm.Scheduler.State!.TryGet(ids[i], out JobRun? job));
            Assert.Equal(JobEnd.Succeeded, job.End);
            // All ranks ran at one time, each once.
            (Instant From, Instant To)[] ranks = [.. Enumerable.Range(1, sizes[i]).Select(n => Assert.Single(swarm.Executions[new TaskId(ids[i], n)]))];
            Assert.True(ranks.Max(r => r.From) <= ranks.Min(r => r.To), $"seed {seed}: gang {i} was not together");
        }
    }

    /// <summary>What a gang costs does not grow with the gangs that run beside it in its job, told and waiting for their ranks to start.</summary>
    [Fact]
    public void A_gang_is_looked_at_when_its_time_has_come_or_a_rank_has_changed()
    {
        Assert.InRange(Looks(60), 1, Looks(15) * 1.2);

        static double Looks(int gangs)
        {
            var swarm = new SimulatedSwarm(12, [.. Enumerable.Repeat(EightCores, 16)]) { ChecksInvariants = false };
            swarm.RunsLike = (task, _) => (Drawn(12, task, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3)), 0);
            swarm.Submit(new JobSpec
            {
                Name = "gangs",
                Segments = [.. Enumerable.Range(0, gangs).Select(i => Jobs.Segment($"g{i}", 1) with { Count = null, Nodes = 2 })],
            });
            Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(5)), "they did not end");
            return swarm.Scheduler.Node!.GangsLookedAt / (double)gangs;
        }
    }

    [Fact]
    public void A_hundred_thousand_tasks_on_eight_slots_cause_no_storm_of_ads()
    {
        int tasks = Environment.GetEnvironmentVariable("DRAP_TEST_ALL") == "1" ? 100_000 : 20_000;
        var swarm = new SimulatedSwarm(3, EightCores) { RunsLike = (_, _) => (TimeSpan.FromMilliseconds(10), 0) };
        swarm.RunFor(TimeSpan.FromSeconds(1));
        JobId id = swarm.Submit(Jobs.Of("storm", tasks));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(10)));
        Assert.True(swarm.Scheduler.State!.TryGet(id, out JobRun? job));
        Assert.Equal(tasks, job.Tasks.CountOf(TaskState.Succeeded));
        // An ad stands for 30 s; the next one follows it.
        double seconds = (swarm.Simulation.Now - Instant.Zero).TotalSeconds;
        Assert.InRange(swarm.Messages[MessageKind.Ad], 1, 2 + (long)(seconds / 29));
        // Eight slots of 10 ms are busy for a known time: nothing of it is lost to talk.
        Assert.InRange(seconds, tasks / 800.0, tasks / 800.0 * 1.05 + 2);
        long placing = swarm.Messages[MessageKind.Ad] + swarm.Messages[MessageKind.Offer] + swarm.Messages[MessageKind.Confirm] + swarm.Messages[MessageKind.Ack];
        Assert.InRange(placing, 1, tasks / 2);
        Assert.InRange(swarm.Messages.Values.Sum(), 1, tasks);
    }

    [Fact]
    public void Each_placement_costs_four_messages_and_those_who_lose_are_told_nothing()
    {
        var swarm = new SimulatedSwarm(9, EightCores, EightCores, EightCores, EightCores);
        var said = new List<(PeerId From, PeerId To, Message Message)>();
        swarm.RunFor(TimeSpan.FromSeconds(1));
        swarm.Sent = (sender, receiver, message) => said.Add((sender, receiver, message));
        for (int i = 0; i < 20; i++)
        {
            said.Clear();
            swarm.Submit(Jobs.Of("one", 1));
            swarm.RunFor(TimeSpan.FromMilliseconds(500));
            Assert.Equal(0, swarm.Scheduler.State!.OpenJobs);
            Ad ad = Assert.IsType<Ad>(Assert.Single(said, m => m.Message is Ad).Message);
            Assert.Equal(swarm.Workers.Keys.Order(), said.Where(m => m.Message is Offer o && o.Ad == ad.Id || m.Message is Refusal r && r.Ad == ad.Id).Select(m => m.From).Order());
            PeerId winner = Assert.Single(said, m => m.Message is Confirm).To;
            Assert.Equal(winner, Assert.Single(said, m => m.Message is Ack).From);
            // Who lost may ask once more, a second later: then it is told that the ad is closed. Nothing else goes to it.
            foreach ((PeerId _, PeerId to, Message message) in said.Where(m => m.From == swarm.Scheduler.Peer && m.To != winner && m.Message is not Ad))
                Assert.Contains(said, m => m.From == to && m.Message is Offer o && message is Closed closed && o.Ad == closed.Ad && o.Ad != ad.Id);
        }
    }

    [Fact]
    public void A_gang_costs_one_message_more()
    {
        var swarm = new SimulatedSwarm(10, OneCore, OneCore, OneCore);
        swarm.RunFor(TimeSpan.FromSeconds(1));
        swarm.Submit(new JobSpec { Name = "gang", Segments = [Jobs.Segment("g", 1) with { Count = null, Nodes = 3 }] });
        Assert.True(swarm.RunToEnd(TimeSpan.FromSeconds(10)));
        Assert.Equal(1, swarm.Messages[MessageKind.Ad]);
        foreach (MessageKind kind in (MessageKind[])[MessageKind.Offer, MessageKind.Confirm, MessageKind.Ack, MessageKind.Go])
            Assert.Equal(3, swarm.Messages[kind]);
    }

    [Fact]
    public void In_an_audience_of_a_hundred_a_placed_task_draws_at_most_five_offers_and_losers_get_no_message()
    {
        var swarm = new SimulatedSwarm(11, [.. Enumerable.Repeat(EightCores, 100)]) { RunsLike = (_, _) => (TimeSpan.FromSeconds(1), 0) };
        var confirmed = new HashSet<PeerId>();
        var told = new HashSet<PeerId>();
        swarm.RunFor(TimeSpan.FromSeconds(1));
        swarm.Sent = (from, to, message) =>
        {
            if (message is Confirm)
                confirmed.Add(to);
            else if (from == swarm.Scheduler.Peer && message is not Ad)
                told.Add(to);
        };
        for (int i = 0; i < 500; i++)
        {
            swarm.Submit(Jobs.Of("one", 1));
            swarm.RunFor(TimeSpan.FromMilliseconds(20));
        }
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(1)));
        Assert.Equal(500, swarm.Workers.Values.Sum(w => w.Launched));
        Assert.InRange(swarm.Messages[MessageKind.Offer], 500, 5 * 500);
        Assert.InRange(swarm.Messages[MessageKind.Confirm], 1, 500);
        Assert.InRange(swarm.Messages[MessageKind.Ack], 1, 500);
        Assert.InRange(swarm.Messages[MessageKind.Ad], 1, 500);
        Assert.Subset(confirmed, told);
    }

    /// <summary>
    /// What a task costs does not grow with the jobs that wait beside it, no slot stands idle while they do, and none of them waits for much
    /// longer than its turn. 2 000 with <c>./test --all</c>.
    /// </summary>
    [Fact]
    public void A_thousand_open_jobs_cost_what_their_tasks_cost()
    {
        Crowd few = RunJobs(250), many = RunJobs(Environment.GetEnvironmentVariable("DRAP_TEST_ALL") == "1" ? 2_000 : 1_000);
        Assert.InRange(many.Looks, 1, 3);
        Assert.InRange(many.Looks, 0, few.Looks * 1.2);
        Assert.InRange(many.Messages, 0, few.Messages * 1.2);
        Assert.InRange(many.Idle, 0, 0.15);
        Assert.InRange(many.Passed, 0, 1024);
    }

    /// <summary>Jobs of ten tasks on 32 slots, all submitted at once.</summary>
    private static Crowd RunJobs(int jobs)
    {
        var swarm = new SimulatedSwarm(7, EightCores, EightCores, EightCores, EightCores) { ChecksInvariants = false };
        swarm.RunsLike = (task, _) => (Drawn(7, task, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(200)), 0);
        swarm.RunFor(TimeSpan.FromSeconds(1));
        Instant begin = swarm.Simulation.Now;
        JobId[] ids = [.. Enumerable.Range(0, jobs).Select(_ => swarm.Submit(Jobs.Of("small", 10)))];
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(30)), "they did not end");
        double tasks = jobs * 10;
        Assert.Equal(tasks, swarm.Workers.Values.Sum(w => w.Launched));
        TimeSpan ran = TimeSpan.FromTicks(swarm.Executions.Values.Sum(runs => runs.Sum(r => (r.To - r.From).Ticks)));
        int[] ends = [.. swarm.Executions.GroupBy(e => e.Key.Job).Select(j => (Job: Array.IndexOf(ids, j.Key), Last: j.Max(e => e.Value[^1].To)))
            .OrderBy(j => j.Last).Select(j => j.Job)];
        return new Crowd(swarm.Scheduler.Node!.GroupsLookedAt / tasks, swarm.Messages.Values.Sum() / tasks,
            1 - ran / ((swarm.Simulation.Now - begin) * 32), ends.Select((job, place) => place - job).Max());
    }

    /// <summary>What a crowd of jobs cost.</summary>
    /// <param name="Looks">Groups looked at for each task.</param>
    /// <param name="Messages">Messages for each task.</param>
    /// <param name="Idle">The part of the slots' time in which nothing ran.</param>
    /// <param name="Passed">The most jobs that ended before one that was submitted earlier.</param>
    private sealed record Crowd(double Looks, double Messages, double Idle, int Passed);

    private static JobSpec OfCores(string name, int milliCores) => new()
    {
        Name = name,
        Segments = [Jobs.Segment("l", 1) with { Resources = new ResourcesSpec { Cpu = new Cores(milliCores) } }],
    };

    /// <summary>Endless processor work of every length, in one job or in many, never takes the core without which nobody could use the free device.</summary>
    [Theory]
    [InlineData(1, 1, 5)]
    [InlineData(2, 1, 2_000)]
    [InlineData(3, 30, 5)]
    [InlineData(4, 30, 2_000)]
    [InlineData(5, 200, 40)]
    public void Work_that_wants_only_processors_never_strands_a_device(ulong seed, int jobs, int longest)
    {
        var swarm = new SimulatedSwarm(seed, new NodeResources
        {
            MilliCpus = 4000, MemoryBytes = 16L << 30, DiskBytes = 1L << 40, Gpus = [new GpuDevice(0, "h200", 100L << 30)],
        }) { ChecksInvariants = false };
        SimulatedWorker worker = swarm.Workers.Values.Single();
        JobId wants = default;
        long most = 0;
        swarm.RunsLike = (task, _) =>
        {
            if (task.Job != wants && worker.Orders.All(o => o.Grant.Devices.IsEmpty))
                most = Math.Max(most, 1000 + worker.Orders.Sum(o => o.Grant.Request.MilliCpus));
            return (Drawn(seed, task, TimeSpan.FromMilliseconds(1), TimeSpan.FromMilliseconds(longest)), 0);
        };
        for (int i = 0; i < jobs; i++)
        {
            swarm.Submit(Jobs.Of("small", 20_000 / jobs));
            swarm.RunFor(TimeSpan.FromMilliseconds(50));
        }
        swarm.RunFor(TimeSpan.FromSeconds(5));
        for (int i = 0; i < 5; i++)
        {
            wants = swarm.Submit(Jobs.One(Jobs.Segment("device", 1) with
            {
                Resources = new ResourcesSpec { Cpu = new Cores(1000), Gpu = new GpuSpec { Count = 1 } },
            }));
            Instant submitted = swarm.Simulation.Now;
            Assert.True(swarm.Simulation.RunUntil(() => swarm.Executions.ContainsKey(new TaskId(wants, 1)), submitted + TimeSpan.FromMinutes(1)), "it never ran");
            Assert.True(swarm.Executions[new TaskId(wants, 1)][0].From - submitted < TimeSpan.FromMilliseconds(500),
                $"it waited {swarm.Executions[new TaskId(wants, 1)][0].From - submitted}");
        }
        Assert.Equal(3000, most);
    }

    /// <summary>Results of a megabyte and more in one batch, 16 MiB in all: each message and each record stays within its bound.</summary>
    [Fact]
    public void Tasks_with_a_thousand_outputs_each_end_at_once()
    {
        var swarm = new SimulatedSwarm(21, new NodeResources { MilliCpus = 250_000, MemoryBytes = 1L << 40, DiskBytes = 1L << 40 }) { ChecksInvariants = false };
        ImmutableSortedDictionary<string, OutputSpec> outputs = JobJson.EmptyMap<OutputSpec>()
            .AddRange(Enumerable.Range(0, 1000).Select(i => KeyValuePair.Create($"an-output-with-a-name-of-some-length-{i}", new OutputSpec { Path = $"o{i}" })));
        JobId id = swarm.Submit(Jobs.One(Jobs.Segment("many", 200) with { Outputs = outputs }));
        Assert.True(swarm.RunToEnd(TimeSpan.FromMinutes(5)));
        (_, SchedulerState made) = StateRecords.Of(swarm.Scheduler.State!);
        Assert.True(made.TryGet(id, out JobRun? job));
        Assert.Equal(1000, job.Tasks.Outputs(200).Length);
    }

    /// <summary>A time for this task that does not depend on when or where it runs.</summary>
    private static TimeSpan Drawn(ulong seed, TaskId task, TimeSpan least, TimeSpan most)
    {
        ulong mixed = seed * 0x9E3779B97F4A7C15UL;
        foreach (char c in task.ToString())
            mixed = (mixed ^ c) * 0x100000001B3UL;
        return new TimeSpan(new Prng(mixed).Between(least.Ticks, most.Ticks));
    }

    /// <summary>Submits small jobs for ever, at a mean rate.</summary>
    private sealed class SmallTasks
    {
        private readonly SimulatedSwarm swarm;
        private readonly Prng prng;
        private readonly TimeSpan every;
        private bool stopped;

        public SmallTasks(SimulatedSwarm swarm, Prng prng, TimeSpan every)
        {
            (this.swarm, this.prng, this.every) = (swarm, prng, every);
            Next();
        }

        public void Stop() => stopped = true;

        private void Next()
        {
            if (stopped)
                return;
            int count = 1 + prng.Below(4);
            swarm.Submit(Jobs.Of("small", count));
            // Between nothing and twice the mean.
            swarm.Simulation.After(new TimeSpan(prng.Between(0, 2 * every.Ticks * count)), Next);
        }
    }
}
