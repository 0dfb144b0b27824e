using System.Collections.Immutable;

namespace Drap.Core.Jobs;

/// <summary>
/// A set of like tasks. At most one of <c>count</c>, <c>array</c>, <c>items</c>, <c>files</c> and <c>nodes</c> says how many;
/// without any it is one task.
/// </summary>
public sealed record SegmentSpec
{
    /// <summary>Its name in the job: lower-case letters, digits, <c>_</c>, <c>-</c>; it starts with a letter.</summary>
    public string Name { get; init; } = "";

    /// <summary>So many tasks, with <c>index</c> from 0.</summary>
    public int? Count { get; init; }

    /// <summary>Tasks numbered as said: <c>1-100</c>, <c>0-90:10</c>, <c>1,3,7-9</c>; <c>${{ number }}</c> and DRAP_INDEX have the number.</summary>
    public ArrayRange? Array { get; init; }

    /// <summary>One task for each item; an item is a text (<c>${{ item }}</c>) or named texts (<c>${{ item.NAME }}</c>).</summary>
    public ImmutableArray<ItemSpec> Items { get; init; } = [];

    /// <summary>Local files to spread over tasks; small ones may be grouped, large ones split.</summary>
    public FilesSpec? Files { get; init; }

    /// <summary>A gang: so many tasks that start together or not at all, on distinct nodes where there are enough. Each has <c>rank</c>, <c>nodes</c> and <c>hosts</c>.</summary>
    public int? Nodes { get; init; }

    /// <summary>Tasks of this segment that run at the same time, at most. Default: as many as fit.</summary>
    public int? Concurrency { get; init; }

    /// <summary>What runs: a list is a program and its arguments, a text is a script for <c>sh -e</c>. A <c>dotnet</c> handler gets the list as its arguments.</summary>
    [Late]
    public CommandSpec? Command { get; init; }

    /// <summary>What runs it. Default <c>process</c>.</summary>
    public Driver Driver { get; init; } = Driver.Process;

    /// <summary>The name of the handler that a <c>dotnet</c> task calls in the worker.</summary>
    public string? Handler { get; init; }

    /// <summary>Other ways to run the same task; each takes what it does not say from the segment. The scheduler advertises them all.</summary>
    public ImmutableArray<AlternativeSpec> Alternatives { get; init; } = [];

    /// <summary>What each task needs. Default: one core.</summary>
    public ResourcesSpec Resources { get; init; } = new();

    /// <summary>Where its tasks may run. Default: anywhere.</summary>
    public ConstraintsSpec Constraints { get; init; } = new();

    /// <summary>What must have finished first, without its data; an input with <c>from</c> is such an edge by itself. A bare name is the whole segment.</summary>
    public ImmutableArray<NeedSpec> Needs { get; init; } = [];

    /// <summary>Files and folders in the work folder before the start, by name; <c>${{ inputs.NAME }}</c> is the path.</summary>
    public ImmutableSortedDictionary<string, InputSpec> Inputs { get; init; } = JobJson.EmptyMap<InputSpec>();

    /// <summary>What a task leaves in its output folder (DRAP_OUT), by name; <c>${{ outputs.NAME }}</c> is the path. A bare text is the path.</summary>
    public ImmutableSortedDictionary<string, OutputSpec> Outputs { get; init; } = JobJson.EmptyMap<OutputSpec>();

    /// <summary>Environment variables.</summary>
    [Late]
    public ImmutableSortedDictionary<string, string> Env { get; init; } = JobJson.EmptyMap<string>();

    /// <summary>Environment variables whose values are never shown, logged or journaled in clear: <c>env:NAME</c> or <c>file:PATH</c> at the client.</summary>
    public ImmutableSortedDictionary<string, string> Secrets { get; init; } = JobJson.EmptyMap<string>();

    /// <summary>What is offered for one task, in credits per hour. Default: six times the base price; what is paid is what the worker asks.</summary>
    public Price? Bid { get; init; }

    /// <summary>What is paid at most, in credits per hour; never leaves the scheduler. Default: twice the bid.</summary>
    public Price? Limit { get; init; }

    /// <summary>Time from submit by which a task must have been placed; else it fails as not placed. Default: it waits.</summary>
    public TimeSpan? Deadline { get; init; }

    /// <summary>How long one task is expected to run on an ordinary core. Default: learnt from the segment's first tasks.</summary>
    public TimeSpan? Estimate { get; init; }

    /// <summary>Attempts after the first, for failures of the task itself; those of nodes and network are not counted. Default 2.</summary>
    public int Retries { get; init; } = 2;

    /// <summary>Order among one's own tasks, from -100 to 100, higher first. Default 0.</summary>
    public int Priority { get; init; }

    /// <summary>Wall-clock time after which an attempt is ended. Default 7d.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromDays(7);

    /// <summary>Never two attempts at once: the next one starts only when the old lease is surely over. Default false.</summary>
    public bool Exclusive { get; init; }

    /// <summary>Nodes besides the worker that hold a result before it counts as finished, 0 to 3. Default 1.</summary>
    public int Durability { get; init; } = 1;

    /// <summary>Which results count: <c>first</c>, or <c>2 of 3</c> that agree, from distinct principals where there are. Default <c>first</c>.</summary>
    public AcceptRule Accept { get; init; } = AcceptRule.First;

    /// <summary>A command that runs after the task in its work folder and must exit with 0, else the result is not valid.</summary>
    [Late]
    public CommandSpec? Check { get; init; }

    /// <summary>How offers are compared. Default <c>balanced</c>.</summary>
    public Policy Policy { get; init; } = Policy.Balanced;

    /// <summary>What a running task does when its scheduler is away at the end of the lease. Default <c>finish</c>; exclusive tasks always <c>stop</c>.</summary>
    public OnSchedulerLost OnSchedulerLost { get; init; } = OnSchedulerLost.Finish;

    /// <summary>What is kept of each output stream of an attempt: half its beginning, half its end, of the end at most 4 MiB; up to 1 GiB. Default 8MiB.</summary>
    public ByteSize MaxLog { get; init; } = new(JobLimits.LogDefault);

    /// <summary>Whether anyone may fetch the blobs of its inputs and outputs. Default false.</summary>
    public bool Public { get; init; }

    /// <summary>Whether the client's standard input is the task's: one task, no retries. Default false; only from the command line.</summary>
    public bool Stdin { get; init; }
}

/// <summary>What runs a task.</summary>
public enum Driver
{
    /// <summary>A program of the worker's machine, or one that comes as an input.</summary>
    Process,

    /// <summary>A handler that is registered in the worker's process.</summary>
    Dotnet,
}

/// <summary>How offers are compared.</summary>
public enum Policy
{
    /// <summary>Expected cost, with time valued.</summary>
    Balanced,

    /// <summary>Money only.</summary>
    Cheapest,

    /// <summary>The earliest expected end, within the limit.</summary>
    Fastest,
}

/// <summary>What a running task does when its scheduler is away at the end of the lease.</summary>
public enum OnSchedulerLost
{
    /// <summary>Runs on to its end or timeout, and delivers when the scheduler is back.</summary>
    Finish,

    /// <summary>Is killed.</summary>
    Stop,
}
