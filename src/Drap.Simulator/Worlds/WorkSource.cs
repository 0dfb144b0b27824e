using System.Collections.Immutable;
using System.Globalization;
using Drap.Core;
using Drap.Core.Jobs;
using Drap.Simulator.Scenarios;

namespace Drap.Simulator.Worlds;

/// <summary>Jobs of one kind, as they come. Not thread-safe.</summary>
internal sealed class WorkSource : ISimulated
{
    // Draws from which the mean of a distribution is taken, cut tail and all.
    private const int MeanDraws = 50_000;

    private readonly World world;
    private readonly WorkSpec spec;
    private readonly int number;
    private readonly Prng prng;
    private readonly ulong salt;
    private readonly WorldScheduler[] schedulers;
    private readonly Dictionary<int, (JobSpec Spec, ImmutableArray<byte> Json)> jobs = [];
    private readonly Queue<(TimeSpan At, int Tasks, TimeSpan Duration)> trace;
    private readonly List<TimeSpan> traced = [];
    private readonly TimeSpan meanDuration;
    private readonly double jobsPerSecond;
    private readonly Instant until;
    private long tasks;

    public WorkSource(World world, WorkSpec spec, int number, Func<string, string> readTrace)
    {
        (this.world, this.spec, this.number) = (world, spec, number);
        prng = world.NewPrng();
        salt = prng.NextUInt64();
        schedulers = [.. world.Schedulers.Where(s => spec.Schedulers.IsEmpty || spec.Schedulers.Contains(s.Group))];
        trace = spec.Arrivals == Arrival.Trace ? ReadTrace(readTrace(spec.Trace), spec.Trace) : [];
        var meanPrng = new Prng(1);
        meanDuration = spec.Arrivals == Arrival.Trace && trace.Count > 0
            ? TimeSpan.FromSeconds(trace.Average(t => t.Duration.TotalSeconds))
            : TimeSpan.FromSeconds(Enumerable.Range(0, MeanDraws).Average(_ => Draw(meanPrng, spec.Duration).TotalSeconds));
        until = world.Start + (spec.Until is { } time && time < world.Scenario.Duration ? time : world.Scenario.Duration);
        jobsPerSecond = spec.Rate?.Value ?? (spec.Load?.Value ?? 0) * TasksAtOnce() / meanDuration.TotalSeconds / spec.Tasks.Mean;
        IsOver = spec.Arrivals == Arrival.Trace && trace.Count == 0;
        if (!IsOver)
            Next(world.Start + spec.From + (spec.Arrivals == Arrival.Trace ? trace.Peek().At : Gap()));
    }

    /// <summary>Whether no more jobs come.</summary>
    public bool IsOver { get; private set; }

    /// <inheritdoc/>
    public void Happen(int kind, object? what, int from)
    {
        if (world.Now >= until || tasks >= (spec.TasksMax ?? int.MaxValue))
        {
            IsOver = true;
            return;
        }
        switch (spec.Arrivals)
        {
            case Arrival.Trace:
                (TimeSpan _, int count, TimeSpan duration) = trace.Dequeue();
                Submit(count, duration);
                IsOver = trace.Count == 0;
                if (!IsOver)
                    Next(world.Start + spec.From + trace.Peek().At);
                break;
            case Arrival.Bursts when kind == 0:
                int jobsOfOne = Math.Max(1, (int)Math.Round(jobsPerSecond * spec.Every.TotalSeconds));
                for (int i = 0; i < jobsOfOne; i++)
                    world.Simulation.At(world.Now + new TimeSpan(prng.Between(0, spec.Within.Ticks)), this, 1);
                Next(world.Now + spec.Every);
                break;
            default:
                Submit(Size(), TimeSpan.Zero);
                if (kind == 0)
                    Next(world.Now + Gap());
                break;
        }
    }

    /// <summary>How long a task runs, and with which code it ends.</summary>
    public (TimeSpan Time, int ExitCode) RunsLike(AttemptId attempt, double speed)
    {
        var own = new Prng(salt ^ world.Measures.NumberOf(attempt.Task.Job) * 0x9e3779b97f4a7c15 + (ulong)attempt.Task.Number);
        TimeSpan time = spec.Arrivals == Arrival.Trace ? traced[(int)world.Measures.OrdinalOf(attempt.Task.Job)] : Draw(own, spec.Duration);
        int exitCode = spec.Fails.Millionths > 0 && prng.Below(1_000_000) < spec.Fails.Millionths ? 1 : 0;
        return (TimeSpan.FromTicks(Math.Max(1, (long)(time.Ticks / speed))), exitCode);
    }

    /// <summary>The next arrival; one that would come too late ends the source when its time is over.</summary>
    private void Next(Instant at) => world.Simulation.At(Instant.Min(at, until), this, 0);

    private void Submit(int count, TimeSpan duration)
    {
        if (spec.Gang > 0)
            count = spec.Gang;
        count = (int)Math.Min(count, ((spec.TasksMax ?? int.MaxValue) - tasks + spec.Stages - 1) / spec.Stages);
        tasks += count * spec.Stages;
        if (!jobs.TryGetValue(count, out (JobSpec Spec, ImmutableArray<byte> Json) job))
        {
            JobSpec made = JobForm.Complete(Make(count));
            ImmutableArray<JobProblem> problems = JobRules.Check(made);
            if (!problems.IsEmpty)
                throw new ArgumentException($"work[{number}]: {problems[0]}");
            jobs[count] = job = (made, [.. JobJson.Write(made)]);
        }
        WorldScheduler to = schedulers[prng.Below(schedulers.Length)];
        var id = new JobId(prng.NextUuid());
        if (spec.Arrivals == Arrival.Trace)
            traced.Add(duration);
        world.Measures.Submitted(id, number, traced.Count - 1, to, count, count * spec.Stages, job.Spec.Segments[0].Resources.ToRequest());
        world.Checks?.Submitted(id, job.Spec, to);
        to.Submit(id, job.Spec, job.Json);
    }

    private JobSpec Make(int count) => new()
    {
        Name = spec.Name,
        Budget = spec.Budget,
        Segments = [.. Enumerable.Range(0, spec.Stages).Select(stage => MakeStage(stage, count))],
    };

    private SegmentSpec MakeStage(int stage, int count)
    {
        string before = NameOf(stage - 1), tasks = spec.Edge == StageEdge.All ? "all" : "same";
        return new SegmentSpec
        {
            Name = NameOf(stage),
            Count = spec.Gang > 0 ? null : count,
            Nodes = spec.Gang > 0 ? spec.Gang : null,
            Driver = Driver.Dotnet,
            Handler = "noop",
            Resources = spec.Resources,
            Constraints = spec.Constraints,
            Priority = spec.Priority,
            Bid = spec.Bid,
            Deadline = spec.Deadline,
            Exclusive = spec.Exclusive,
            Estimate = spec.Estimated ? TimeSpan.FromMilliseconds(Math.Ceiling(meanDuration.TotalMilliseconds)) : null,
            Policy = spec.Policy,
            Retries = spec.Retries,
            OnSchedulerLost = spec.OnSchedulerLost,
            Needs = stage > 0 && !spec.Files ? [new NeedSpec { Segment = before, Tasks = tasks }] : [],
            Inputs = stage > 0 && spec.Files ? JobJson.EmptyMap<InputSpec>().Add("before", new InputSpec { From = $"{before}.made", Tasks = tasks }) : JobJson.EmptyMap<InputSpec>(),
            Outputs = spec.Files ? JobJson.EmptyMap<OutputSpec>().Add("made", new OutputSpec { Path = "made" }) : JobJson.EmptyMap<OutputSpec>(),
        };
    }

    private string NameOf(int stage) => spec.Stages == 1 ? "run" : string.Create(CultureInfo.InvariantCulture, $"run{stage + 1}");

    private int Size()
    {
        if (spec.Tasks.Kind == SizeSpread.Fixed)
            return spec.Tasks.Mean;
        double u = Unit(prng);
        return Math.Clamp(1 + (int)(Math.Log(1 - u) / Math.Log(1 - 1.0 / Math.Max(spec.Tasks.Mean, 1.0000001))), 1, spec.Tasks.Max);
    }

    private TimeSpan Gap() => spec.Arrivals switch
    {
        Arrival.Poisson => TimeSpan.FromSeconds(Math.Min(-Math.Log(1 - Unit(prng)) / jobsPerSecond, 1e7)),
        Arrival.Even => TimeSpan.FromSeconds(Math.Min(1 / jobsPerSecond, 1e7)),
        _ => TimeSpan.Zero,
    };

    /// <summary>So many of these tasks run at a time on all workers that may, each core or device taken.</summary>
    private double TasksAtOnce()
    {
        ResourceRequest request = spec.Resources.ToRequest();
        double at = 0;
        foreach (WorkerGroupSpec group in world.Scenario.Workers)
        {
            if (spec.Constraints.Region is { } region && region != group.Region)
                continue;
            double places = request.Gpu is { } gpu
                ? (double)(group.Gpu?.Count ?? 0) / gpu.Count
                : (double)group.Cpu.Milli / Math.Max(request.MilliCpus, 1);
            at += places * group.Count * group.Speed.Value;
        }
        return at;
    }

    private static TimeSpan Draw(Prng prng, DurationSpec spec)
    {
        double median = spec.Median.TotalSeconds, shape = spec.Shape.Value;
        double seconds = spec.Kind switch
        {
            DurationSpread.Exponential => -Math.Log(1 - Unit(prng)) * median / Math.Log(2),
            DurationSpread.Lognormal => median * Math.Exp(shape * Normal(prng)),
            DurationSpread.Pareto => median / Math.Pow(2, 1 / shape) / Math.Pow(1 - Unit(prng), 1 / shape),
            _ => median,
        };
        return TimeSpan.FromSeconds(Math.Clamp(seconds, 0.001, spec.Max.TotalSeconds));
    }

    private static double Unit(Prng prng) => (prng.NextUInt64() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Box and Muller, 1958.</summary>
    private static double Normal(Prng prng) => Math.Sqrt(-2 * Math.Log(1 - Unit(prng))) * Math.Cos(2 * Math.PI * Unit(prng));

    private static Queue<(TimeSpan, int, TimeSpan)> ReadTrace(string text, string name)
    {
        var read = new List<(TimeSpan At, int, TimeSpan)>();
        string[] lines = text.Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].Trim();
            if (line.Length == 0 || line[0] == '#')
                continue;
            string[] parts = line.Split(',');
            if (parts.Length != 3 || !double.TryParse(parts[0], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double at)
                || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int count) || count is < 1 or > JobLimits.TasksMax
                || !Core.Jobs.Duration.TryParse(parts[2].Trim(), out TimeSpan duration) || at > 1e8)
                throw new ArgumentException($"{name}:{i + 1}: found '{line}'; allowed: seconds,tasks,duration as 12.5,10,30s");
            read.Add((TimeSpan.FromSeconds(at), count, duration));
        }
        return new Queue<(TimeSpan, int, TimeSpan)>(read.OrderBy(r => r.At));
    }
}
