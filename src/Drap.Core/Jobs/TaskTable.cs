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
    private readonly Dictionary<int, int> losses = [];
    private readonly Dictionary<int, int> faults = [];
    private readonly Dictionary<int, int> returned = [];
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

    /// <summary>Its attempts without those that were given back before they began.</summary>
    public int Tries(int number) => attempts[number - 1] - returned.GetValueOrDefault(number);

    /// <summary>Attempts that were lost by no fault of the task.</summary>
    public int Faults(int number) => faults.GetValueOrDefault(number);

    /// <summary>The last attempt from before somebody wanted the task again: up to it none counts any more; 0 if nobody did.</summary>
    public int Discarded(int number) => discarded.GetValueOrDefault(number);

    /// <summary>How often its outputs were lost after its end was accepted, so that it had to run again.</summary>
    public int Losses(int number) => losses.GetValueOrDefault(number);

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

    /// <summary>
    /// How the task's attempts ended, the last <see cref="PastAttempt.PerTaskMax"/>; but for an accepted one that was the last of all and
    /// the first to be told of, which the columns tell.
    /// </summary>
    public IReadOnlyList<PastAttempt> History(int number) => history.TryGetValue(number, out List<PastAttempt>? past) ? past : [];

    /// <summary>Of a task that succeeded, the number of the accepted attempt.</summary>
    public int AcceptedAttempt(int number) =>
        History(number).FirstOrDefault(p => p.Verdict == Verdict.Accepted)?.Number ?? Attempts(number);

    /// <summary>An attempt ended; what it showed is kept, unless the task has its end already: then only that it was.</summary>
    public void End(int number, AttemptResult result, Verdict verdict, int node, Price price, Credits cost, UtcTime at)
    {
        int i = number - 1;
        int attempt = result.Attempt.Fence.Attempt;
        if (verdict == Verdict.Returned)
        {
            returned[number] = returned.GetValueOrDefault(number) + 1;
            return;
        }
        if (verdict == Verdict.Lost)
            faults[number] = Faults(number) + 1;
        if (verdict != Verdict.Accepted || history.ContainsKey(number) || attempt != attempts[i])
            Remember(number, new PastAttempt(attempt, node, result.Outcome, verdict, result.ExitCode, result.Detail, result.Wall, cost, at, price));
        costs[i] += cost.Micro;
        if (State(number) is TaskState.Succeeded or TaskState.Failed)
            return;
        exitCodes[i] = (short)Math.Clamp(result.ExitCode, short.MinValue, short.MaxValue);
        wallMicros[i] = (long)result.Wall.TotalMicroseconds;
        cpuMicros[i] = (long)result.Cpu.TotalMicroseconds;
        peakBytes[i] = result.PeakMemoryBytes;
        endedAt[i] = at.Milliseconds;
        nodes[i] = node + 1;
        if (price > Core.Price.Zero)
            prices[i] = price.MicroPerHour;
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
        Losses = Losses(number),
        Faults = Faults(number),
        Returned = returned.GetValueOrDefault(number),
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
        if (row.Losses > 0)
            losses[row.Number] = row.Losses;
        if (row.Faults > 0)
            faults[row.Number] = row.Faults;
        if (row.Returned > 0)
            returned[row.Number] = row.Returned;
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

    /// <summary>A person wants it again: its failures, faults and losses and its end are forgotten, its attempts' numbers go on.</summary>
    public void Reset(int number)
    {
        Discard(number, "it was run again");
        failures[number - 1] = 0;
        losses.Remove(number);
        faults.Remove(number);
        details.Remove(number);
    }

    /// <summary>The outputs of its accepted end are nowhere to be had: it must run again.</summary>
    public void Lose(int number)
    {
        Discard(number, "its outputs were lost");
        losses[number] = Losses(number) + 1;
        details[number] = "its outputs were lost: it runs again";
    }

    private void Discard(int number, string why)
    {
        int i = number - 1;
        if (states[i] == TaskState.Succeeded)
        {
            int accepted = AcceptedAttempt(number);
            int index = history.TryGetValue(number, out List<PastAttempt>? past) ? past.FindIndex(p => p.Number == accepted) : -1;
            if (index >= 0)
                past![index] = past[index] with { Verdict = Verdict.Superseded, Detail = why };
            else
                Remember(number, new PastAttempt(accepted, Node(number), Outcome.Succeeded, Verdict.Superseded, ExitCode(number), why, Wall(number),
                    Cost(number) - new Credits(History(number).Sum(p => p.Cost.Micro)), EndedAt(number), Price(number)));
        }
        if (attempts[i] > 0)
            discarded[number] = attempts[i];
        outputs[i] = default;
        SetState(number, TaskState.Blocked);
    }
}
