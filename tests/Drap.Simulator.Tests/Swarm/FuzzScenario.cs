using System.Globalization;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Core.Nodes;
using Drap.Simulator.Network;
using Drap.Simulator.Storage;
using Drap.Simulator.Swarm;

namespace Drap.Simulator.Tests.Swarm;

/// <summary>One swarm whose every option and accident follows from its seed, and what must hold of it.</summary>
internal sealed class FuzzScenario
{
    /// <summary>Below the margin of a lease's end: only so long may a message take for exclusive tasks to be exclusive.</summary>
    private static readonly TimeSpan SlowestMessage = TimeSpan.FromMilliseconds(900);

    /// <summary>Virtual time in which all must end after the last fault: back-offs of five minutes, leases, and the tasks themselves.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromHours(6);

    private readonly ulong seed;
    private readonly Prng prng;
    private readonly SimulatedSwarm swarm;
    private readonly TimeSpan faultTime;
    private readonly bool isCalm;
    private readonly List<SimulatedWorker> workers = [];
    private readonly SortedDictionary<JobId, Watched> jobs = [];
    private readonly Dictionary<TaskId, int> told = [];
    private readonly List<string> story = [];
    private int planned;

    public FuzzScenario(ulong seed)
    {
        this.seed = seed;
        prng = new Prng(seed * 0x9E3779B97F4A7C15 + 1);
        var nodes = new NodeResources[1 + prng.Below(6)];
        for (int i = 0; i < nodes.Length; i++)
        {
            int cores = Draw(1, 2, 4, 8);
            nodes[i] = new NodeResources { MilliCpus = cores * 1000, MemoryBytes = (long)cores << 30, DiskBytes = 1L << 40 };
        }
        swarm = new SimulatedSwarm(seed, nodes) { RunsLike = RunsLike };
        workers.AddRange(swarm.Workers.Values.OrderBy(w => w.Options.Name, StringComparer.Ordinal));
        faultTime = TimeSpan.FromSeconds(20 + prng.Below(120));
        isCalm = prng.Chance(1, 5);
        Say($"{nodes.Length} workers of {string.Join(", ", nodes.Select(n => n.MilliCpus / 1000))} cores; faults for {faultTime.TotalSeconds:0} s");
    }

    /// <summary>Runs it; the trace's value, which is the same for the same seed.</summary>
    public ulong Run()
    {
        DrawNetwork();
        for (int i = 1 + prng.Below(6); i > 0; i--)
            Later(() => Submit(DrawJob()), early: true);
        for (int i = prng.Below(8); i > 0; i--)
            Later(Meddle);
        swarm.Blobs.IsRepeatable = prng.Chance(1, 2);
        for (int i = prng.Below(3); i > 0; i--)
            Later(LoseBlobs);
        if (!isCalm)
        {
            for (int i = prng.Below(4); i > 0; i--)
                Later(CrashWorker);
            for (int i = prng.Below(4); i > 0; i--)
                Later(CrashScheduler);
            for (int i = prng.Below(3); i > 0; i--)
                Later(CutOff);
        }
        Proceed(() => false, swarm.Simulation.Now + faultTime);
        Heal();
        if (!Proceed(() => planned == 0 && IsOver(), swarm.Simulation.Now + Patience))
            throw Wrong($"not all has ended: {Standing()}");
        CheckEnd();
        return swarm.Simulation.Trace.Value;
    }

    private int Draw(params ReadOnlySpan<int> of) => of[prng.Below(of.Length)];

    private TimeSpan Millis(int least, int most) => TimeSpan.FromMilliseconds(prng.Between(least, most));

    private void Say(string what) => story.Add(string.Create(CultureInfo.InvariantCulture, $"{(swarm.Simulation.Now - Instant.Zero).TotalSeconds,9:0.000}  {what}"));

    private InvalidOperationException Wrong(string what) => new($"{what}\n{string.Join('\n', story)}");

    private void Later(Action what, bool early = false)
    {
        planned++;
        swarm.Simulation.After(Millis(0, (int)faultTime.TotalMilliseconds / (early ? 2 : 1)), () =>
        {
            planned--;
            what();
        });
    }

    private void DrawNetwork()
    {
        int latency = Draw(0, 1, 20, 150);
        swarm.Network.DefaultConditions = new LinkConditions
        {
            Latency = TimeSpan.FromMilliseconds(latency) + TimeSpan.FromMicroseconds(100),
            Jitter = TimeSpan.FromMilliseconds(Draw(0, 1, latency)),
            IsOrdered = prng.Chance(1, 2),
            LossPerMillion = isCalm ? 0 : Draw(0, 0, 10_000, 100_000),
            DuplicatePerMillion = Draw(0, 10_000, 100_000),
            ReorderPerMillion = Draw(0, 50_000),
            ReorderDelay = SlowestMessage - TimeSpan.FromMilliseconds(2 * latency + 10),
        };
        Say(swarm.Network.DefaultConditions.ToString());
    }

    private JobSpec DrawJob()
    {
        var segments = new SegmentSpec[1 + prng.Below(3)];
        for (int i = 0; i < segments.Length; i++)
        {
            segments[i] = DrawSegment($"s{i}");
            if (i == 0 || prng.Chance(1, 3))
                continue;
            SegmentSpec producer = segments[prng.Below(i)];
            int own = JobForm.TaskCount(segments[i]), its = JobForm.TaskCount(producer);
            string pick = Draw(0, 1, 2) switch
            {
                0 => "all",
                1 when own == its => "same",
                _ => $"${{{{ index % {its} }}}}",
            };
            if (prng.Chance(1, 2))
            {
                segments[i] = segments[i] with { Needs = [new NeedSpec { Segment = producer.Name, Tasks = pick }] };
                continue;
            }
            segments[i] = segments[i] with { Inputs = JobJson.EmptyMap<InputSpec>().Add("i", new InputSpec { From = $"{producer.Name}.o", Tasks = pick }) };
            int made = Array.IndexOf(segments, producer);
            segments[made] = producer with { Outputs = JobJson.EmptyMap<OutputSpec>().Add("o", new OutputSpec { Path = "o" }) };
        }
        return new JobSpec
        {
            Name = "fuzz",
            Segments = [.. segments],
            MaxFails = prng.Chance(1, 4) ? prng.Below(3) : null,
            Budget = prng.Chance(1, 5) ? new Credits(prng.Between(1, 20_000)) : null,
        };
    }

    private SegmentSpec DrawSegment(string name)
    {
        SegmentSpec segment = Jobs.Segment(name, 1 + prng.Below(prng.Chance(1, 6) ? 60 : 12)) with { Priority = prng.Below(3), Retries = prng.Below(4) };
        switch (prng.Below(8))
        {
            case 0:
                segment = segment with { Count = null, Nodes = 1 + prng.Below(workers.Count) };
                break;
            case 1:
                segment = segment with { Exclusive = true };
                break;
            case 2 when workers.Count >= 3:
                segment = segment with { Accept = new AcceptRule(2, 3) };
                break;
            case 3:
                segment = segment with { Alternatives = [new AlternativeSpec { Resources = new ResourcesSpec { Cpu = new Cores(500) } }] };
                break;
        }
        if (segment.Nodes is null)
        {
            if (prng.Chance(1, 6))
                segment = segment with { Concurrency = 1 + prng.Below(4) };
            if (prng.Chance(1, 5))
                segment = segment with { Resources = new ResourcesSpec { Cpu = new Cores((int)workers.Max(w => w.Options.Resources.MilliCpus)) } };
            if (prng.Chance(1, 6))
                segment = segment with { Resources = new ResourcesSpec { Cpu = new Cores(Draw(100, 250)) } };
        }
        if (prng.Chance(1, 8))
            segment = segment with { Deadline = Millis(100, 60_000) };
        if (prng.Chance(1, 8))
            segment = segment with { Estimate = Millis(1, 10_000) };
        if (prng.Chance(1, 10))
            segment = segment with { OnSchedulerLost = OnSchedulerLost.Stop };
        return segment;
    }

    private void Submit(JobSpec spec)
    {
        JobId id = swarm.Submit(spec);
        jobs.Add(id, new Watched(spec, Draw(1, 30, 500, 5_000, 40_000), Draw(0, 0, 0, 1, 3)));
        Say($"submit {jobs.Count} {string.Join("; ", spec.Segments.Select(Describe))}, max_fails {spec.MaxFails}, budget {spec.Budget}, about {jobs[id].Millis} ms, {jobs[id].FailsOfTen} of ten fail");
    }

    private static string Describe(SegmentSpec s) =>
        $"{s.Name}: {JobForm.TaskCount(s)}{(s.Nodes is null ? "" : " ranks")}{(s.Exclusive ? " exclusive" : "")} {s.Accept} {s.Resources.Cpu} cores"
        + $"{(s.Needs.IsEmpty ? "" : $" needs {s.Needs[0].Tasks} of {s.Needs[0].Segment}")}{(s.Inputs.Count == 0 ? "" : $" takes {s.Inputs["i"].Tasks} of {s.Inputs["i"].From}")}{(s.Concurrency is { } c ? $" {c} at once" : "")}{(s.Deadline is { } d ? $" deadline {d}" : "")} retries {s.Retries}";

    /// <summary>How long a task runs and how it ends; and, since this is the moment in which it starts, whether it may.</summary>
    private (TimeSpan Time, int ExitCode) RunsLike(TaskId task, SimulatedWorker worker)
    {
        Watched job = jobs[task.Job];
        CheckStart(task, job, worker);
        TimeSpan time = TimeSpan.FromMilliseconds(1 + prng.Below(2 * job.Millis));
        return (time, prng.Below(10) < job.FailsOfTen ? 1 : 0);
    }

    private void CheckStart(TaskId task, Watched job, SimulatedWorker worker)
    {
        int segment = job.Graph.Locate(task.Number).Segment;
        int index = task.Number - job.Graph.NumberOf(segment, 0);
        foreach (JobEdge edge in job.Graph.EdgesInto(segment))
        {
            var ranges = new List<(int First, int Last)>();
            if (edge.Pick.Kind == PickKind.All)
                ranges.Add((0, job.Graph.CountOf(edge.Producer) - 1));
            else
                edge.Pick.TryChoose(index, JobForm.Number(job.Graph.Job.Segments[segment], index), job.Graph.CountOf(edge.Producer), ranges, out _);
            foreach ((int first, int last) in ranges)
                for (int i = first; i <= last; i++)
                    if (!swarm.Executions.ContainsKey(new TaskId(task.Job, job.Graph.NumberOf(edge.Producer, i))))
                        throw Wrong($"{task} starts before what it needs has run");
        }
        if (job.Spec.Segments[segment].Nodes is not null && swarm.Scheduler.State is { } state
            && state.TryGet(task.Job, out JobRun? run) && run.End == JobEnd.None && !run.Segments[segment].HasGone)
            throw Wrong($"{task} of a gang starts before the gang has gone");
        if (worker.Orders.Sum(o => o.Grant.Request.MilliCpus) > worker.Options.Resources.MilliCpus)
            throw Wrong($"{worker.Options.Name} runs more than it owns");
    }

    private void Meddle()
    {
        if (jobs.Count == 0)
            return;
        (JobId id, Watched job) = jobs.ElementAt(prng.Below(jobs.Count));
        int first = 1 + prng.Below(job.Graph.TaskCount);
        TaskSpan[] tasks = prng.Chance(1, 2) ? [] : [new TaskSpan(first, first + prng.Below(4))];
        if (prng.Chance(1, 6))
        {
            Say($"change job {id}");
            swarm.Scheduler.Post(new SchedulerInput.Change(default, id, new JobChange
            {
                Priority = prng.Below(9), Retries = prng.Below(5), Concurrency = prng.Chance(1, 2) ? 1 + prng.Below(9) : null,
            }));
            return;
        }
        var deed = (JobDeed)(1 + prng.Below(5));
        Say($"{deed} job {id} {string.Join(", ", tasks)}");
        if (deed == JobDeed.Rerun)
            foreach (TaskId task in told.Keys.Where(t => t.Job == id).ToArray())
                told.Remove(task);
        swarm.Scheduler.Act(id, deed, tasks);
        if (deed == JobDeed.Rerun)
            job.Reruns++;
    }

    private void LoseBlobs()
    {
        Cid[] lost = [.. swarm.Blobs.Here.Order().Where(_ => prng.Chance(1, 2))];
        Say($"{lost.Length} of {swarm.Blobs.Here.Count} blobs are lost");
        foreach (Cid cid in lost)
            swarm.Blobs.Lose(cid);
    }

    private void CrashWorker()
    {
        SimulatedWorker worker = workers[prng.Below(workers.Count)];
        if (worker.Node is null)
            return;
        Say($"{worker.Options.Name} crashes");
        worker.Crash();
        planned++;
        swarm.Simulation.After(Millis(0, Draw(100, 5_000, 60_000)), () =>
        {
            planned--;
            Say($"{worker.Options.Name} is back");
            worker.Start();
        });
    }

    private void CrashScheduler()
    {
        if (swarm.Scheduler.Node is null)
            return;
        if (prng.Chance(1, 2))
            swarm.Scheduler.Storage.CrashAtCall = swarm.Scheduler.Storage.Calls + 1 + prng.Below(12);
        else
            SchedulerDown(losePower: prng.Chance(1, 2));
    }

    private void SchedulerDown(bool losePower)
    {
        Say($"the scheduler crashes{(losePower ? " and loses power" : "")}");
        swarm.Scheduler.Crash(losePower);
        planned++;
        swarm.Simulation.After(Millis(0, Draw(10, 1_000, 60_000)), () =>
        {
            planned--;
            Say("the scheduler is back");
            swarm.Scheduler.Start();
            foreach (JobId id in jobs.Keys)
            {
                bool isKnown = swarm.Scheduler.State!.TryGet(id, out _);
                if (!isKnown && swarm.Scheduler.Taken.Contains(id))
                    throw Wrong($"job {id} was taken and is lost");
                if (!isKnown || prng.Chance(1, 3))
                    swarm.Resubmit(id);
            }
        });
    }

    private void CutOff()
    {
        SimulatedWorker worker = workers[prng.Below(workers.Count)];
        Say($"{worker.Options.Name} is cut off");
        swarm.Network.Partition(1, worker.Peer.ToString());
        planned++;
        swarm.Simulation.After(Millis(100, Draw(2_000, 10_000, 60_000)), () =>
        {
            planned--;
            Say($"{worker.Options.Name} is reached again");
            swarm.Network.Partition(0, worker.Peer.ToString());
        });
    }

    private void Heal()
    {
        Say("the faults end");
        swarm.Network.DefaultConditions = LinkConditions.Lan;
        swarm.Scheduler.Storage.CrashAtCall = 0;
        // Once those who are down are up again, nobody holds anything back any more.
        planned++;
        swarm.Simulation.After(TimeSpan.FromMinutes(2), () =>
        {
            planned--;
            foreach (JobId id in jobs.Keys)
            {
                swarm.Resubmit(id);
                swarm.Scheduler.Act(id, JobDeed.Release);
            }
        });
    }

    private bool Proceed(Func<bool> done, Instant until)
    {
        while (true)
        {
            try
            {
                bool isDone = swarm.Simulation.RunUntil(() => CheckStep() && done(), until);
                if (!isDone && swarm.Simulation.Now < until)
                    swarm.Simulation.RunUntil(until);
                return isDone;
            }
            catch (SimulatedCrashException)
            {
                SchedulerDown(losePower: prng.Chance(1, 2));
            }
        }
    }

    private bool CheckStep()
    {
        foreach (TaskId task in swarm.Scheduler.Told)
            if (!told.ContainsKey(task) && swarm.Scheduler.State!.TryGet(task.Job, out JobRun? job) && job.Tasks.State(task.Number) == TaskState.Succeeded)
                told[task] = job.Tasks.Attempts(task.Number);
        swarm.Scheduler.Told.Clear();
        while (swarm.Scheduler.Observations.TryDequeue(out SchedulerObservation? what))
            if (what is SchedulerObservation.BadMessage)
                throw Wrong($"the scheduler was sent what breaks the protocol: {what}");
        return true;
    }

    private bool IsOver() =>
        swarm.Scheduler.State is { OpenJobs: 0 } state && state.Jobs.Count == jobs.Count && state.Open.Count == 0
        && workers.TrueForAll(w => w is { Running: 0, Node: { Attempts: 0, Results: 0 } } && w.Node.Describe(swarm.Simulation.Now).Holds == 0);

    private string Standing()
    {
        if (swarm.Scheduler.State is not { } state)
            return "the scheduler is down";
        var lines = new List<string> { $"{state.OpenJobs} jobs open of {jobs.Count}, {planned} planned" };
        foreach (JobRun job in state.Jobs.Where(j => j.End == JobEnd.None))
            lines.Add($"job {job.Number} held {job.IsHeld} spent {job.Spent} of {job.Budget.Budget}: "
                + string.Join(", ", Enumerable.Range(1, job.Tasks.Count).Where(n => job.Tasks.State(n) is TaskState.Blocked or TaskState.Ready or TaskState.Placed or TaskState.Held)
                    .Select(n => $"{n} {job.Tasks.State(n)} after {job.Tasks.Attempts(n)} ({job.Tasks.Detail(n)})").Take(6))
                + " | " + string.Join("; ", job.Segments.SelectMany(s => swarm.Scheduler.Node!.Explain(job, s)).SelectMany(g => g.Answers.Select(a => $"{a.Offer?.Count} {a.Refusal?.Reason} {a.Verdict}")).Take(5)));
        foreach (SimulatedWorker worker in workers)
            lines.Add($"{worker.Options.Name}: {worker.Running} run, {worker.Node?.Attempts} attempts, {worker.Node?.Results} results, {worker.Node?.Describe(swarm.Simulation.Now).Holds} holds");
        lines.AddRange(state.Open.Keys.Order().Take(5).Select(a => $"open: {a} at {swarm.Workers[state.Open[a].Worker].Options.Name}, "
            + string.Join(", ", swarm.Scheduler.Node!.AttemptsOf(a.Task).Select(l => $"{l.Phase}{(l.Replaced ? " replaced" : "")} {l.Cancelled}"))));
        lines.Add(string.Join(", ", swarm.Messages.Select(m => $"{m.Key} {m.Value}")));
        return string.Join('\n', lines);
    }

    private void CheckEnd()
    {
        CheckStep();
        SchedulerState state = swarm.Scheduler.State!;
        foreach ((JobId id, Watched watched) in jobs)
        {
            if (!state.TryGet(id, out JobRun? job))
                throw Wrong($"job {id} is lost");
            if (watched.Spec.Budget is { } budget && job.Spent > budget)
                throw Wrong($"job {job.Number} spent {job.Spent} of {budget}");
            if (job.End == JobEnd.Succeeded && job.Tasks.CountOf(TaskState.Succeeded) != job.Tasks.Count)
                throw Wrong($"job {job.Number} succeeded, but not all its tasks: {string.Join(", ", Enumerable.Range(1, job.Tasks.Count).Select(n => job.Tasks.State(n)))}");
            for (int number = 1; number <= job.Tasks.Count; number++)
                CheckTask(job, number, watched);
        }
        (List<string> records, SchedulerState made) = StateRecords.Of(state);
        string? first = records.Except(StateRecords.Of(made).Records).FirstOrDefault();
        if (first is not null)
            throw Wrong($"a snapshot makes another state: it lacks {first}");
    }

    private void CheckTask(JobRun job, int number, Watched watched)
    {
        var task = new TaskId(job.Id, number);
        // What it left was lost: it ran again, and that may have ended otherwise.
        if (watched.Reruns == 0 && job.Tasks.Losses(number) == 0 && told.TryGetValue(task, out int attempts))
        {
            if (job.Tasks.State(number) != TaskState.Succeeded)
                throw Wrong($"{task} was told as succeeded and is {job.Tasks.State(number)}");
            if (job.Tasks.Attempts(number) != attempts)
                throw Wrong($"{task} was told as succeeded and was placed again");
        }
        if (watched.Reruns == 0 && job.Tasks.History(number).Count(h => h.Verdict == Verdict.Accepted) > 1)
            throw Wrong($"{task} has two accepted ends");
        bool isSuccess = job.Tasks.State(number) == TaskState.Succeeded;
        if (isSuccess && !swarm.Executions.ContainsKey(task))
            throw Wrong($"{task} succeeded and never ran");
        if (!watched.Spec.Segments[job.Graph.Locate(number).Segment].Exclusive || !swarm.Executions.TryGetValue(task, out List<(Instant From, Instant To)>? runs))
            return;
        (Instant From, Instant To)[] ordered = [.. runs.OrderBy(r => r.From)];
        for (int i = 1; i < ordered.Length; i++)
            if (ordered[i].From < ordered[i - 1].To)
                throw Wrong($"{task} is exclusive and ran twice at once: from {ordered[i].From} while until {ordered[i - 1].To}");
    }

    private sealed class Watched
    {
        public Watched(JobSpec spec, int millis, int failsOfTen)
        {
            Spec = JobForm.Complete(spec);
            (Millis, FailsOfTen) = (millis, failsOfTen);
            JobGraph.TryBuild(Spec, out JobGraph? graph);
            Graph = graph!;
        }

        public JobSpec Spec { get; }

        public JobGraph Graph { get; }

        public int Millis { get; }

        public int FailsOfTen { get; }

        public int Reruns { get; set; }
    }
}
