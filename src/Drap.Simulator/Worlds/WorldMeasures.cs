using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Execution;
using Drap.Core.Jobs;
using Drap.Core.Market;
using Drap.Core.Messages;

namespace Drap.Simulator.Worlds;

/// <summary>What is seen of a world from outside its machines. Not thread-safe.</summary>
internal sealed class WorldMeasures(World world)
{
    /// <summary>Stretches of time that a course is cut into, about: as many as a plot shows.</summary>
    private const int MomentsWanted = 240;

    /// <summary>Compute units up to which a worker is small.</summary>
    private const int SmallMax = 10;

    private readonly Dictionary<JobId, JobTrack> jobs = [];
    private readonly List<float> waits = [], placements = [];
    private readonly List<float> recent = [];
    private readonly List<Moment> course = [];
    private readonly SortedDictionary<int, PartySum> parties = [];
    private readonly long allMilli = world.Scenario.Workers.Sum(w => w.Count * w.Cpu.Milli), allGpus = world.Scenario.Workers.Sum(w => (long)w.Count * (w.Gpu?.Count ?? 0));
    private long tasks, succeeded, failed, again;
    private long runningMilli, runningGpus, running, waitingMilli, waitingGpus, waiting;
    private Instant integratedTo = world.Start, momentFrom = world.Start;
    private double momentCpu, momentGpu, measuredCpu, measuredGpu, measuredSeconds;
    private double askSum, askUnits, momentAsk, momentUnits;
    private long ads, momentMessages;
    private long[] handledAtWarm = [], handledAtEnd = [];
    private Instant endedAt = Instant.Never;

    private sealed class JobTrack
    {
        public required int Ordinal { get; init; }

        public required ulong Number { get; init; }

        public required int Source { get; init; }

        public required WorldScheduler Scheduler { get; init; }

        public required Instant At { get; init; }

        public required ResourceRequest Request { get; init; }

        public required byte[] Started { get; init; }

        public required bool IsMeasured { get; init; }

        public required int Free { get; init; }

        public required int First { get; init; }

        public bool IsOver { get; set; }
    }

    private sealed class PartySum
    {
        public long Tasks, Started;
        public double WaitSeconds, RunSeconds;
    }

    /// <summary>Whether the end of each task that was submitted is known.</summary>
    public bool IsComplete => tasks == succeeded + failed;

    /// <summary>Which kind of work a job is of.</summary>
    public int SourceOf(JobId job) => jobs[job].Source;

    /// <summary>The how many-th job of all it is.</summary>
    public ulong NumberOf(JobId job) => jobs[job].Number;

    /// <summary>The how many-th job of its source it is, from 0; of a trace.</summary>
    public int OrdinalOf(JobId job) => jobs[job].Ordinal;

    /// <summary>A job was submitted.</summary>
    /// <param name="id">The job.</param>
    /// <param name="source">Which kind of work it is.</param>
    /// <param name="ordinal">The how many-th of a trace it is.</param>
    /// <param name="to">Whose it is.</param>
    /// <param name="first">Tasks that wait for nothing.</param>
    /// <param name="count">All of its tasks.</param>
    /// <param name="request">What each needs.</param>
    public void Submitted(JobId id, int source, int ordinal, WorldScheduler to, int first, int count, ResourceRequest request)
    {
        long gpus = request.Gpu?.Count ?? 0;
        // Places that are neither taken nor wanted by those that came before.
        long free = gpus > 0 ? (allGpus - runningGpus - waitingGpus) / gpus
            : request.MilliCpus > 0 ? (allMilli - runningMilli - waitingMilli) / request.MilliCpus : count;
        jobs.Add(id, new JobTrack
        {
            Ordinal = ordinal, Number = (ulong)jobs.Count, Source = source, Scheduler = to, At = world.Now, Request = request, Started = new byte[count],
            IsMeasured = world.Now >= world.Start + world.Scenario.WarmUp, Free = (int)Math.Clamp(free, 0, first), First = first,
        });
        tasks += count;
        waiting += count;
        waitingMilli += count * request.MilliCpus;
        waitingGpus += count * gpus;
        PartyOf(to).Tasks += count;
    }

    /// <summary>An attempt began.</summary>
    public void Started(LaunchOrder order)
    {
        JobTrack job = jobs[order.Job];
        Integrate();
        long gpus = job.Request.Gpu?.Count ?? 0;
        running++;
        runningMilli += job.Request.MilliCpus;
        runningGpus += gpus;
        int task = order.Attempt.Task.Number - 1;
        if (job.Started[task] < byte.MaxValue)
            job.Started[task]++;
        if (job.Started[task] > 1)
        {
            again++;
            return;
        }
        waiting--;
        waitingMilli -= job.Request.MilliCpus;
        waitingGpus -= gpus;
        // What waits for other tasks has no time of its own.
        if (task >= job.First)
            return;
        float ms = (float)(world.Now - job.At).TotalMilliseconds;
        recent.Add(ms);
        PartySum party = PartyOf(job.Scheduler);
        party.Started++;
        party.WaitSeconds += ms / 1000;
        if (!job.IsMeasured)
            return;
        waits.Add(ms);
        if (task < job.Free)
            placements.Add(ms);
    }

    /// <summary>An attempt ended, or went with its worker.</summary>
    public void Ended(LaunchOrder order, TimeSpan wall, bool isWell)
    {
        JobTrack job = jobs[order.Job];
        Integrate();
        running--;
        runningMilli -= job.Request.MilliCpus;
        runningGpus -= job.Request.Gpu?.Count ?? 0;
        if (isWell)
            PartyOf(job.Scheduler).RunSeconds += wall.TotalSeconds;
    }

    /// <summary>A job is over.</summary>
    public void Over(JobRun run)
    {
        JobTrack job = jobs[run.Id];
        if (job.IsOver)
            return;
        job.IsOver = true;
        for (int number = 1; number <= run.Tasks.Count; number++)
        {
            bool isWell = run.Tasks.State(number) == TaskState.Succeeded;
            succeeded += isWell ? 1 : 0;
            failed += isWell ? 0 : 1;
            if (job.Started[number - 1] > 0)
                continue;
            waiting--;
            waitingMilli -= job.Request.MilliCpus;
            waitingGpus -= job.Request.Gpu?.Count ?? 0;
        }
    }

    /// <summary>Tasks were given out at a price.</summary>
    public void Confirmed(Confirm confirm)
    {
        foreach (Assignment task in confirm.Tasks)
        {
            Work work = confirm.Works[task.Work];
            double cores = Math.Max(jobs[work.Job].Request.MilliCpus, 1) / 1000.0;
            momentAsk += work.Ask.MicroPerHour / 1e6;
            momentUnits += cores;
            askSum += work.Ask.MicroPerHour / 1e6;
            askUnits += cores;
        }
    }

    /// <summary>An ad went out.</summary>
    public void Advertised(Ad ad) => ads += ad.QuoteOnly ? 0 : 1;

    /// <summary>Looks at the world, about once a second.</summary>
    public void Sample()
    {
        Integrate();
        Instant warm = world.Start + world.Scenario.WarmUp, end = world.Start + world.Scenario.Duration;
        if (handledAtWarm.Length == 0 && world.Now >= warm)
            handledAtWarm = [.. world.Network.Handled];
        if (endedAt == Instant.Never && world.Now >= end)
            EndWindow();
        TimeSpan stretch = TimeSpan.FromSeconds(Math.Max(1, Math.Ceiling(world.Scenario.Duration.TotalSeconds / MomentsWanted)));
        if (world.Now - momentFrom >= stretch)
            EndMoment();
    }

    /// <summary>How far it is.</summary>
    public ScenarioProgress Progress() => new(world.Now - world.Start, tasks, succeeded + failed, waiting, running, world.Simulation.Happened);

    /// <summary>What was seen.</summary>
    public ScenarioResult Result()
    {
        Integrate();
        if (endedAt == Instant.Never)
            EndWindow();
        long all = world.Network.Sent.Sum();
        int[] small = [.. world.Workers.Where(w => Audience.ComputeUnits(w.Options.Resources) <= SmallMax).Select(w => w.Index)];
        double seconds = Math.Max((endedAt - (world.Start + world.Scenario.WarmUp)).TotalSeconds, 1);
        float[] sorted = [.. waits.Order()];
        Party[] people = [.. world.Schedulers.Select(s => Describe(s, PartyOf(s)))];
        return new ScenarioResult
        {
            Name = world.Scenario.Name,
            Description = world.Scenario.Description,
            Seed = world.Scenario.Seed,
            Hash = world.Simulation.Trace.ToString(),
            Workers = world.Workers.Count,
            Schedulers = world.Schedulers.Count,
            Jobs = jobs.Count,
            Tasks = tasks,
            Succeeded = succeeded,
            Failed = failed,
            Lost = tasks - succeeded - failed,
            Again = again,
            PlacementMs = SpreadOf([.. placements.Order()]),
            WaitMs = SpreadOf(sorted),
            Utilisation = new Use(measuredSeconds == 0 ? 0 : measuredCpu / measuredSeconds, measuredSeconds == 0 ? 0 : measuredGpu / measuredSeconds),
            PricePerCoreHour = askUnits == 0 ? 0 : askSum / askUnits,
            Paid = people.Sum(p => p.Paid),
            Fairness = Jain([.. people.Where(p => p.Tasks > 0).Select(p => p.Slowdown)]),
            MessagesPerWorker = small.Length == 0 || handledAtWarm.Length == 0 ? 0 : small.Average(i => (double)(handledAtEnd[i] - handledAtWarm[i])) / seconds,
            MessagesPerTask = tasks == 0 ? 0 : (double)all / tasks,
            Messages = Enumerable.Range(1, world.Network.Sent.Length - 1).Where(k => world.Network.Sent[k] > 0)
                .ToImmutableSortedDictionary(k => ((MessageKind)k).ToString(), k => world.Network.Sent[k], StringComparer.Ordinal),
            Bytes = world.Network.Bytes,
            Audience = ads == 0 ? 0 : (double)world.Network.Sent[(int)MessageKind.Ad] / ads,
            Events = world.Simulation.Happened,
            VirtualS = (world.Now - world.Start).TotalSeconds,
            Course = [.. course],
            Distribution = [.. Steps(sorted)],
            Parties = [.. people],
        };
    }

    private PartySum PartyOf(WorldScheduler scheduler)
    {
        if (!parties.TryGetValue(scheduler.Index, out PartySum? sum))
            parties[scheduler.Index] = sum = new PartySum();
        return sum;
    }

    private static Party Describe(WorldScheduler scheduler, PartySum sum)
    {
        double paid = scheduler.State?.Jobs.Sum(j => j.Spent.Micro / 1e6) ?? 0;
        double slowdown = sum.RunSeconds == 0 ? 1 : (sum.WaitSeconds + sum.RunSeconds) / sum.RunSeconds;
        return new Party(scheduler.Name, sum.Tasks, sum.Started == 0 ? 0 : sum.WaitSeconds * 1000 / sum.Started, slowdown, paid);
    }

    private void EndWindow()
    {
        endedAt = world.Now;
        handledAtEnd = [.. world.Network.Handled];
    }

    private void EndMoment()
    {
        double seconds = (world.Now - momentFrom).TotalSeconds;
        long handled = world.Network.Handled.Sum();
        recent.Sort();
        course.Add(new Moment(
            (world.Now - world.Start).TotalSeconds, allMilli == 0 ? 0 : momentCpu / seconds, allGpus == 0 ? 0 : momentGpu / seconds, waiting,
            momentUnits == 0 ? 0 : momentAsk / momentUnits, (handled - momentMessages) / seconds / world.Network.Handled.Count,
            world.Workers.Count(w => w.IsUp), At(recent, 0.5), At(recent, 0.99)));
        recent.Clear();
        (momentFrom, momentMessages, momentCpu, momentGpu, momentAsk, momentUnits) = (world.Now, handled, 0, 0, 0, 0);
    }

    /// <summary>Adds what was busy since the last change.</summary>
    private void Integrate()
    {
        double seconds = (world.Now - integratedTo).TotalSeconds;
        if (seconds <= 0)
            return;
        double cpu = allMilli == 0 ? 0 : seconds * runningMilli / allMilli, gpu = allGpus == 0 ? 0 : seconds * runningGpus / allGpus;
        momentCpu += cpu;
        momentGpu += gpu;
        if (integratedTo >= world.Start + world.Scenario.WarmUp && world.Now <= world.Start + world.Scenario.Duration)
        {
            measuredCpu += cpu;
            measuredGpu += gpu;
            measuredSeconds += seconds;
        }
        integratedTo = world.Now;
    }

    private static Spread SpreadOf(float[] sorted) => new(sorted.Length, At(sorted, 0.5), At(sorted, 0.9), At(sorted, 0.99), sorted.Length == 0 ? 0 : sorted[^1]);

    private static double At(IReadOnlyList<float> sorted, double share) => sorted.Count == 0 ? 0 : sorted[Math.Min((int)(share * sorted.Count), sorted.Count - 1)];

    /// <summary>Four steps an octave from a millisecond on.</summary>
    private static IEnumerable<Share> Steps(float[] sorted)
    {
        if (sorted.Length == 0)
            yield break;
        for (double ms = 1; ; ms *= Math.Pow(2, 0.25))
        {
            int index = Array.BinarySearch(sorted, (float)ms);
            int below = index < 0 ? ~index : index;
            yield return new Share(ms, (double)below / sorted.Length);
            if (below == sorted.Length)
                yield break;
        }
    }

    /// <summary>Jain, Chiu and Hawe, 1984.</summary>
    private static double Jain(double[] values) => values.Length == 0 ? 1 : Math.Pow(values.Sum(), 2) / (values.Length * values.Sum(v => v * v));
}
