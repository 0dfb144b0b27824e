using System.Collections.Immutable;
using Drap.Core.Messages;

namespace Drap.Core.Jobs;

/// <summary>How far a task has come, as its scheduler knows.</summary>
public enum TaskState : byte
{
    /// <summary>It needs the end of others first.</summary>
    Blocked = 0,

    /// <summary>It wants a place.</summary>
    Ready = 1,

    /// <summary>It has at least one attempt under way.</summary>
    Placed = 2,

    /// <summary>It has its one accepted end, with its outputs.</summary>
    Succeeded = 3,

    /// <summary>It failed as often as its retries allow.</summary>
    Failed = 4,

    /// <summary>A person, or the job's end, cancelled it.</summary>
    Cancelled = 5,

    /// <summary>What it needs failed or was cancelled.</summary>
    Skipped = 6,

    /// <summary>It found no place by its deadline.</summary>
    NotPlaced = 7,

    /// <summary>A person holds it back.</summary>
    Held = 8,
}

/// <summary>
/// The state of a job's tasks, a column an attribute, by the task's number from 1: about 60 bytes a task, and about 150 more for one
/// output, so that a million finished tasks stay below a quarter of a GiB.
/// </summary>
public sealed class TaskTable
{
    private readonly TaskState[] states;
    private readonly int[] attempts;
    private readonly short[] failures;
    private readonly short[] exitCodes;
    private readonly int[] nodes;
    private readonly long[] prices;
    private readonly long[] costs;
    private readonly long[] wallMicros;
    private readonly long[] cpuMicros;
    private readonly long[] peakBytes;
    private readonly long[] endedAt;
    private readonly ImmutableArray<TaskOutput>[] outputs;
    private readonly Dictionary<int, string> details = [];
    private readonly Dictionary<int, List<PastAttempt>> history = [];
    private readonly Dictionary<int, int> discarded = [];
    private readonly int[] counts = new int[9];

    /// <summary>A table of <paramref name="count"/> blocked tasks.</summary>
    public TaskTable(int count)
    {
        Count = count;
        states = new TaskState[count];
        attempts = new int[count];
        failures = new short[count];
        exitCodes = new short[count];
        nodes = new int[count];
        prices = new long[count];
        costs = new long[count];
        wallMicros = new long[count];
        cpuMicros = new long[count];
        peakBytes = new long[count];
        endedAt = new long[count];
        outputs = new ImmutableArray<TaskOutput>[count];
        counts[(int)TaskState.Blocked] = count;
    }

    /// <summary>Number of tasks.</summary>
    public int Count { get; }

    /// <summary>How many tasks are in a state.</summary>
    public int CountOf(TaskState state) => counts[(int)state];

    /// <summary>Whether no task can change any more by itself.</summary>
    public bool IsOver => CountOf(TaskState.Blocked) + CountOf(TaskState.Ready) + CountOf(TaskState.Placed) + CountOf(TaskState.Held) == 0;

    /// <summary>The task's state.</summary>
    public TaskState State(int number) => states[number - 1];

    /// <summary>Moves the task to another state.</summary>
    public void SetState(int number, TaskState state)
    {
        counts[(int)states[number - 1]]--;
        states[number - 1] = state;
        counts[(int)state]++;
    }

    /// <summary>The number of its last attempt; 0 if it was never placed.</summary>
    public int Attempts(int number) => attempts[number - 1];

    /// <summary>The last attempt from before somebody wanted the task again: up to it none counts any more; 0 if nobody did.</summary>
    public int Discarded(int number) => discarded.GetValueOrDefault(number);

    /// <summary>Failures of the task itself.</summary>
    public int Failures(int number) => failures[number - 1];

    /// <summary>The exit code of its last end.</summary>
    public int ExitCode(int number) => exitCodes[number - 1];

    /// <summary>Where its last attempt was: an index into the scheduler's table of nodes; -1 if it was never placed.</summary>
    public int Node(int number) => nodes[number - 1] - 1;

    /// <summary>The price agreed for its last attempt.</summary>
    public Price Price(int number) => new(prices[number - 1]);

    /// <summary>What all its attempts cost together.</summary>
    public Credits Cost(int number) => new(costs[number - 1]);

    /// <summary>How long its last ended attempt ran.</summary>
    public TimeSpan Wall(int number) => TimeSpan.FromMicroseconds(wallMicros[number - 1]);

    /// <summary>Processor time of its last ended attempt.</summary>
    public TimeSpan Cpu(int number) => TimeSpan.FromMicroseconds(cpuMicros[number - 1]);

    /// <summary>Peak memory of its last ended attempt.</summary>
    public long PeakMemoryBytes(int number) => peakBytes[number - 1];

    /// <summary>When its last attempt ended; zero if none did.</summary>
    public UtcTime EndedAt(int number) => new(endedAt[number - 1]);

    /// <summary>The outputs of its accepted end; empty without one.</summary>
    public ImmutableArray<TaskOutput> Outputs(int number) => outputs[number - 1].IsDefault ? [] : outputs[number - 1];

    /// <summary>Why it failed last, in a line; empty if it did not.</summary>
    public string Detail(int number) => details.GetValueOrDefault(number, "");

    /// <summary>An attempt was placed.</summary>
    public void Place(int number, int attempt, int node, Price price)
    {
        attempts[number - 1] = Math.Max(attempts[number - 1], attempt);
        nodes[number - 1] = node + 1;
        prices[number - 1] = price.MicroPerHour;
    }

    /// <summary>How the task's attempts ended, but for a first that was accepted; the last <see cref="PastAttempt.PerTaskMax"/>.</summary>
    public IReadOnlyList<PastAttempt> History(int number) => history.TryGetValue(number, out List<PastAttempt>? past) ? past : [];

    /// <summary>An attempt ended; what it showed is kept, whatever becomes of the task.</summary>
    public void End(int number, AttemptResult result, Verdict verdict, int node, Price price, Credits cost, UtcTime at)
    {
        int i = number - 1;
        if (verdict != Verdict.Accepted || history.ContainsKey(number))
            Remember(number, new PastAttempt(result.Attempt.Fence.Attempt, node, result.Outcome, verdict, result.ExitCode, result.Detail, result.Wall, cost, at, price));
        costs[i] += cost.Micro;
        exitCodes[i] = (short)Math.Clamp(result.ExitCode, short.MinValue, short.MaxValue);
        wallMicros[i] = (long)result.Wall.TotalMicroseconds;
        cpuMicros[i] = (long)result.Cpu.TotalMicroseconds;
        peakBytes[i] = result.PeakMemoryBytes;
        endedAt[i] = at.Milliseconds;
        nodes[i] = node + 1;
        if (result.Outcome == Outcome.Succeeded)
            details.Remove(number);
        else
            details[number] = result.Detail;
    }

    /// <summary>All that is kept of a task.</summary>
    public TaskRow Row(int number, IReadOnlyList<Vote> votes) => new()
    {
        Number = number,
        State = State(number),
        Attempts = Attempts(number),
        Failures = Failures(number),
        ExitCode = ExitCode(number),
        Node = Node(number),
        Price = Price(number),
        Cost = Cost(number),
        Wall = Wall(number),
        Cpu = Cpu(number),
        PeakMemoryBytes = PeakMemoryBytes(number),
        EndedAt = EndedAt(number),
        Outputs = Outputs(number),
        Detail = Detail(number),
        History = [.. History(number)],
        Votes = [.. votes],
        Discarded = Discarded(number),
    };

    /// <summary>Sets all that is kept of a task.</summary>
    public void SetRow(TaskRow row)
    {
        int i = row.Number - 1;
        SetState(row.Number, row.State);
        attempts[i] = row.Attempts;
        failures[i] = (short)row.Failures;
        exitCodes[i] = (short)row.ExitCode;
        nodes[i] = row.Node + 1;
        prices[i] = row.Price.MicroPerHour;
        costs[i] = row.Cost.Micro;
        wallMicros[i] = (long)row.Wall.TotalMicroseconds;
        cpuMicros[i] = (long)row.Cpu.TotalMicroseconds;
        peakBytes[i] = row.PeakMemoryBytes;
        endedAt[i] = row.EndedAt.Milliseconds;
        outputs[i] = row.Outputs.IsEmpty ? default : row.Outputs;
        if (row.Detail.Length > 0)
            details[row.Number] = row.Detail;
        if (!row.History.IsEmpty)
            history[row.Number] = [.. row.History];
        if (row.Discarded > 0)
            discarded[row.Number] = row.Discarded;
    }

    private void Remember(int number, PastAttempt attempt)
    {
        if (!history.TryGetValue(number, out List<PastAttempt>? past))
            history[number] = past = [];
        if (past.Count == PastAttempt.PerTaskMax)
            past.RemoveAt(0);
        past.Add(attempt);
    }

    /// <summary>The task's end was accepted.</summary>
    public void Accept(int number, ImmutableArray<TaskOutput> made)
    {
        outputs[number - 1] = made;
        SetState(number, TaskState.Succeeded);
    }

    /// <summary>The task itself failed once more.</summary>
    public void CountFailure(int number) => failures[number - 1] = (short)Math.Min(failures[number - 1] + 1, short.MaxValue);

    /// <summary>A line that says why the task is where it is.</summary>
    public void SetDetail(int number, string detail) => details[number] = detail;

    /// <summary>A person wants it again: its failures and its end are forgotten, its attempts' numbers go on.</summary>
    public void Reset(int number)
    {
        if (Attempts(number) > 0)
            discarded[number] = Attempts(number);
        failures[number - 1] = 0;
        outputs[number - 1] = default;
        details.Remove(number);
        SetState(number, TaskState.Blocked);
    }
}

/// <summary>What the scheduler made of an attempt's end; it stands in the journal, so that a replay decides nothing anew.</summary>
public enum Verdict
{
    /// <summary>It is the task's one accepted end.</summary>
    Accepted = 1,

    /// <summary>A vote of several that must agree; not enough yet.</summary>
    Voted = 2,

    /// <summary>The task itself failed, and is tried again.</summary>
    Failed = 3,

    /// <summary>The task itself failed, and that was its last try.</summary>
    FailedForGood = 4,

    /// <summary>Not the task's fault: the node, the network or the lease. The task is placed again.</summary>
    Lost = 5,

    /// <summary>Another attempt was accepted, or nobody wants the result any more.</summary>
    Superseded = 6,
}

/// <summary>How one attempt ended.</summary>
/// <param name="Number">The attempt's number within its task.</param>
/// <param name="Node">Where: an index into the scheduler's table of nodes; -1 if unknown.</param>
/// <param name="Outcome">As the worker told it.</param>
/// <param name="Verdict">What the scheduler made of it.</param>
/// <param name="ExitCode">The exit code.</param>
/// <param name="Detail">A line for a person.</param>
/// <param name="Wall">How long it ran.</param>
/// <param name="Cost">What it cost.</param>
/// <param name="EndedAt">When the scheduler heard of it.</param>
/// <param name="Price">The price agreed; zero where a record of an earlier version does not tell, or the attempt was forgotten before its end came.</param>
public sealed record PastAttempt(
    int Number, int Node, Outcome Outcome, Verdict Verdict, int ExitCode, string Detail, TimeSpan Wall, Credits Cost, UtcTime EndedAt, Price Price)
{
    /// <summary>Attempts kept a task: retries are few; of faults that repeat, the last ones tell.</summary>
    public const int PerTaskMax = 16;
}

/// <summary>All that is kept of one task, for a snapshot; see the columns of <see cref="TaskTable"/>.</summary>
public sealed record TaskRow
{
    /// <summary>The task.</summary>
    public required int Number { get; init; }

    /// <summary>Its state.</summary>
    public TaskState State { get; init; }

    /// <summary>The number of its last attempt.</summary>
    public int Attempts { get; init; }

    /// <summary>Its own failures.</summary>
    public int Failures { get; init; }

    /// <summary>Its last exit code.</summary>
    public int ExitCode { get; init; }

    /// <summary>Where it was last; -1 for nowhere.</summary>
    public int Node { get; init; }

    /// <summary>At which price.</summary>
    public Price Price { get; init; }

    /// <summary>What it cost in all.</summary>
    public Credits Cost { get; init; }

    /// <summary>How long it ran last.</summary>
    public TimeSpan Wall { get; init; }

    /// <summary>Processor time.</summary>
    public TimeSpan Cpu { get; init; }

    /// <summary>Peak memory.</summary>
    public long PeakMemoryBytes { get; init; }

    /// <summary>When it ended last.</summary>
    public UtcTime EndedAt { get; init; }

    /// <summary>Its outputs.</summary>
    public ImmutableArray<TaskOutput> Outputs { get; init; } = [];

    /// <summary>A line that says why.</summary>
    public string Detail { get; init; } = "";

    /// <summary>Earlier attempts.</summary>
    public ImmutableArray<PastAttempt> History { get; init; } = [];

    /// <summary>Results of copies that must agree.</summary>
    public ImmutableArray<Vote> Votes { get; init; } = [];

    /// <summary>Attempts up to this one count no more.</summary>
    public int Discarded { get; init; }
}
