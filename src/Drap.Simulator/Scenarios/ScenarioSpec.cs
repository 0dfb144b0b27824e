using System.Collections.Immutable;
using Drap.Core;
using Drap.Core.Jobs;

namespace Drap.Simulator.Scenarios;

/// <summary>
/// A swarm and what happens to it, as a scenario file says. <see cref="ScenarioRules"/> says what holds of one that was checked; everything
/// else follows from it and its seed.
/// </summary>
public sealed record ScenarioSpec
{
    /// <summary>What people call it. Default: the file's name.</summary>
    public string Name { get; init; } = "";

    /// <summary>What it shows, in a sentence or two. Default empty.</summary>
    public string Description { get; init; } = "";

    /// <summary>What all chance follows from. Default 1.</summary>
    public long Seed { get; init; } = 1;

    /// <summary>How long jobs come in. Default 10m.</summary>
    public TimeSpan Duration { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>What is submitted before is run, but not measured. Default 0s.</summary>
    public TimeSpan WarmUp { get; init; }

    /// <summary>How long the last tasks may take after the last arrival; what has not ended then counts as lost. Default 30m.</summary>
    public TimeSpan Settle { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Whether the invariants of every machine are checked after each step. Default: in swarms of at most a hundred workers.</summary>
    public bool? Checks { get; init; }

    /// <summary>The workers, a group a kind.</summary>
    public ImmutableArray<WorkerGroupSpec> Workers { get; init; } = [];

    /// <summary>The schedulers. Default: one, called <c>scheduler</c>.</summary>
    public ImmutableArray<SchedulerGroupSpec> Schedulers { get; init; } = [];

    /// <summary>What is submitted.</summary>
    public ImmutableArray<WorkSpec> Work { get; init; } = [];

    /// <summary>The links.</summary>
    public NetworkSpec Network { get; init; } = new();

    /// <summary>What breaks, and when.</summary>
    public ImmutableArray<FaultSpec> Faults { get; init; } = [];
}

/// <summary>Like workers.</summary>
public sealed record WorkerGroupSpec
{
    /// <summary>What people call them; a number follows. Default <c>w</c>.</summary>
    public string Name { get; init; } = "w";

    /// <summary>How many. Default 1.</summary>
    public int Count { get; init; } = 1;

    /// <summary>Where they are. Default <c>local</c>.</summary>
    public string Region { get; init; } = "local";

    /// <summary>Cores of each. Default 1.</summary>
    public Cores Cpu { get; init; } = new(1000);

    /// <summary>Memory of each. Default 4GiB.</summary>
    public ByteSize Memory { get; init; } = new(4L << 30);

    /// <summary>Disk of each. Default 100GiB.</summary>
    public ByteSize Disk { get; init; } = new(100L << 30);

    /// <summary>GPU devices of each. A bare number is the count. Default: none.</summary>
    public GpuSpec? Gpu { get; init; }

    /// <summary>Countable resources of each, by name.</summary>
    public ImmutableSortedDictionary<string, long> Named { get; init; } = JobJson.EmptyMap<long>();

    /// <summary>Labels of each.</summary>
    public ImmutableArray<string> Labels { get; init; } = [];

    /// <summary>The owner's factor on the base prices. Default 1.</summary>
    public Ratio Price { get; init; } = Ratio.One;

    /// <summary>How fast a core is: a task of 10 s takes 5 s at 2. Default 1.</summary>
    public Ratio Speed { get; init; } = Ratio.One;

    /// <summary>How they come and go. Default: they stay.</summary>
    public ChurnSpec? Churn { get; init; }
}

/// <summary>Workers that come and go: both times are drawn from an exponential distribution.</summary>
public sealed record ChurnSpec
{
    /// <summary>How long one stays, in the mean.</summary>
    public TimeSpan Up { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How long it is away, in the mean. Default 5m.</summary>
    public TimeSpan Down { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The share that says goodbye: it lets what runs end within a minute. The others drop dead. Default 0.</summary>
    public Ratio Drains { get; init; }
}

/// <summary>Like schedulers, each with a principal of its own.</summary>
public sealed record SchedulerGroupSpec
{
    /// <summary>What people call them; a number follows where there are several. Default <c>scheduler</c>.</summary>
    public string Name { get; init; } = "scheduler";

    /// <summary>How many. Default 1.</summary>
    public int Count { get; init; } = 1;

    /// <summary>Where they are. Default <c>local</c>.</summary>
    public string Region { get; init; } = "local";

    /// <summary>When they come up: before, nobody knows them, and what is submitted to them waits. Default 0s.</summary>
    public TimeSpan From { get; init; }

    /// <summary>How long their disks take to sync. Default 1ms.</summary>
    public TimeSpan Sync { get; init; } = TimeSpan.FromMilliseconds(1);
}

/// <summary>Jobs of one kind, and how they come.</summary>
public sealed record WorkSpec
{
    /// <summary>What people call them.</summary>
    public string Name { get; init; } = "work";

    /// <summary>The groups of schedulers to which they are submitted, each job to one of them at random. Default: all.</summary>
    public ImmutableArray<string> Schedulers { get; init; } = [];

    /// <summary>How they come. Default <c>poisson</c>.</summary>
    public Arrival Arrivals { get; init; }

    /// <summary>Jobs a second. Either this or <see cref="Load"/>.</summary>
    public Ratio? Rate { get; init; }

    /// <summary>The share of the swarm's cores, or of its devices where the tasks need any, that they keep busy in the mean.</summary>
    public Ratio? Load { get; init; }

    /// <summary>Bursts: how far apart they begin. Default 1m.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Bursts: within how long all jobs of one come. Default 0s: at once.</summary>
    public TimeSpan Within { get; init; }

    /// <summary>When the first may come. Default 0s.</summary>
    public TimeSpan From { get; init; }

    /// <summary>When no more come. Default: with the scenario's duration.</summary>
    public TimeSpan? Until { get; init; }

    /// <summary>Trace: the file, relative to the scenario's; each line is <c>seconds,tasks,duration</c> of a job, lines with # are left out.</summary>
    public string Trace { get; init; } = "";

    /// <summary>The most tasks in all; then no more jobs come. Default: no end.</summary>
    public int? TasksMax { get; init; }

    /// <summary>Tasks of a job. Default 1.</summary>
    public SizeSpec Tasks { get; init; } = new();

    /// <summary>How long a task runs on a core of speed 1. Default 10s.</summary>
    public DurationSpec Duration { get; init; } = new();

    /// <summary>What a task needs. Default: one core.</summary>
    public ResourcesSpec Resources { get; init; } = new();

    /// <summary>Where it may run. Default: anywhere.</summary>
    public ConstraintsSpec Constraints { get; init; } = new();

    /// <summary>Members of a gang, which start together or not at all; then a job is one gang. Default 0: plain tasks.</summary>
    public int Gang { get; init; }

    /// <summary>Segments of a job, each of which needs the one before it and has as many tasks. Default 1.</summary>
    public int Stages { get; init; } = 1;

    /// <summary>What of the stage before a task needs. Default <c>all</c>.</summary>
    public StageEdge Edge { get; init; }

    /// <summary>Whether each task leaves a file, which the stage after it takes. Default false: a stage waits for the one before, and takes nothing.</summary>
    public bool Files { get; init; }

    /// <summary>Never two attempts of a task at once. Default false.</summary>
    public bool Exclusive { get; init; }

    /// <summary>The share of attempts that fail with exit code 1. Default 0.</summary>
    public Ratio Fails { get; init; }

    /// <summary>How often a task that failed is tried again. Default 2.</summary>
    public int Retries { get; init; } = 2;

    /// <summary>What a job may cost in all. Default: no end.</summary>
    public Credits? Budget { get; init; }

    /// <summary>What becomes of a task whose scheduler is away when its lease ends. Default <c>finish</c>.</summary>
    public OnSchedulerLost OnSchedulerLost { get; init; }

    /// <summary>Order among its scheduler's own, from -100 to 100. Default 0.</summary>
    public int Priority { get; init; }

    /// <summary>What is offered for a task, in credits per hour. Default: as a job's.</summary>
    public Price? Bid { get; init; }

    /// <summary>Time from submit by which a task must have been placed. Default: it waits.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>Whether the scheduler is told how long tasks take in the mean. Default false: it learns.</summary>
    public bool Estimated { get; init; }

    /// <summary>How offers are compared. Default <c>balanced</c>.</summary>
    public Policy Policy { get; init; }
}

/// <summary>How many tasks a job has.</summary>
[ScalarForm("mean")]
public sealed record SizeSpec
{
    /// <summary>How sizes are spread. Default <c>fixed</c>.</summary>
    public SizeSpread Kind { get; init; }

    /// <summary>The mean. Default 1.</summary>
    public int Mean { get; init; } = 1;

    /// <summary>What is larger is cut to this. Default 1000.</summary>
    public int Max { get; init; } = 1000;
}

/// <summary>How long tasks run.</summary>
[ScalarForm("median")]
public sealed record DurationSpec
{
    /// <summary>How times are spread. Default <c>fixed</c>.</summary>
    public DurationSpread Kind { get; init; }

    /// <summary>Half run for less. Default 10s.</summary>
    public TimeSpan Median { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Lognormal: the standard deviation of the logarithm. Pareto: the exponent, the smaller the heavier the tail. Default 1.</summary>
    public Ratio Shape { get; init; } = Ratio.One;

    /// <summary>What is longer is cut to this. Default 1h.</summary>
    public TimeSpan Max { get; init; } = TimeSpan.FromHours(1);
}

/// <summary>The links between nodes. What goes between two nodes keeps its order; a lost packet is sent again, which takes time.</summary>
public sealed record NetworkSpec
{
    /// <summary>One way within a region. Default 1ms.</summary>
    public TimeSpan Near { get; init; } = TimeSpan.FromMilliseconds(1);

    /// <summary>One way between regions of which nothing is said. Default 40ms.</summary>
    public TimeSpan Far { get; init; } = TimeSpan.FromMilliseconds(40);

    /// <summary>One way between two regions.</summary>
    public ImmutableArray<LinkSpec> Links { get; init; } = [];

    /// <summary>Links differ by up to this share, each for good. Default 0.2.</summary>
    public Ratio Spread { get; init; } = new(200_000);

    /// <summary>The share of packets that are lost and sent again after a time-out of 200 ms or more. Default 0.</summary>
    public Ratio Loss { get; init; }

    /// <summary>Round trips before the first message between two nodes that have not met: TCP's, Noise's, and those of choosing protocols. Default 4.</summary>
    public int Handshake { get; init; } = 4;
}

/// <summary>The link between two regions.</summary>
public sealed record LinkSpec
{
    /// <summary>The two regions.</summary>
    public ImmutableArray<string> Between { get; init; } = [];

    /// <summary>One way.</summary>
    public TimeSpan Latency { get; init; }
}

/// <summary>Something that breaks.</summary>
public sealed record FaultSpec
{
    /// <summary>What.</summary>
    public Fault Kind { get; init; }

    /// <summary>When.</summary>
    public TimeSpan At { get; init; }

    /// <summary>For how long. Default 1m.</summary>
    public TimeSpan For { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>Messages late: at most so much each. Clocks: how far they jump. Default 500ms.</summary>
    public TimeSpan By { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>The region, or the group of workers or schedulers, that it happens to; empty for all. Messages are those of everybody.</summary>
    public string To { get; init; } = "";

    /// <summary>The share of those, or of the messages, drawn at random. Default all.</summary>
    public Ratio Share { get; init; } = Ratio.One;
}
