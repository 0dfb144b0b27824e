using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Drap.Core.Messages;

namespace Drap.Core.Jobs;

/// <summary>
/// One job as it runs: its tasks, what each still needs, and which want a place. The durable part (<see cref="Tasks"/>) changes only by
/// journal records; the rest follows from it, by <see cref="Rebuild"/> after a replay and step by step while it runs.
/// </summary>
public sealed class JobRun
{
    private readonly Dictionary<int, List<Vote>> votes = [];

    /// <summary>A job of which nothing has run yet.</summary>
    public JobRun(JobId id, int number, Principal principal, UtcTime submitted, JobSpec spec, string outFolder)
    {
        Id = id;
        Number = number;
        Principal = principal;
        SubmittedAt = submitted;
        Spec = spec;
        OutFolder = outFolder;
        Budget = new JobBudget(spec.Budget);
        MaxFails = spec.MaxFails;
        bool built = JobGraph.TryBuild(spec, out JobGraph? graph);
        Invariant.Check(built);
        Graph = graph!;
        Readiness = new TaskReadiness(Graph);
        var segments = ImmutableArray.CreateBuilder<SegmentRun>(spec.Segments.Length);
        for (int i = 0; i < spec.Segments.Length; i++)
            segments.Add(new SegmentRun(i, spec.Segments[i], Graph.NumberOf(i, 0), Graph.CountOf(i)));
        Segments = segments.MoveToImmutable();
        HasGangs = Segments.Any(s => s.Spec.Nodes is not null);
        Tasks = new TaskTable(Graph.TaskCount);
    }

    /// <summary>The client's id.</summary>
    public JobId Id { get; }

    /// <summary>The short number that people type.</summary>
    public int Number { get; }

    /// <summary>Whose it is.</summary>
    public Principal Principal { get; }

    /// <summary>When it was taken.</summary>
    public UtcTime SubmittedAt { get; }

    /// <summary>The same on our own clock, made at the submit or at a start from <see cref="SubmittedAt"/>: what is counted from it does not follow a wall clock that is set.</summary>
    public Instant SubmittedOn { get; set; }

    /// <summary>What was submitted.</summary>
    public JobSpec Spec { get; }

    /// <summary>Where the client wants its results; empty if it did not say.</summary>
    public string OutFolder { get; }

    /// <summary>The values of its secrets as the node sealed them; empty if it has none.</summary>
    public ImmutableArray<byte> SealedSecrets { get; init; } = [];

    /// <summary>The same in clear, by source; null until they are wanted, and when the job has ended.</summary>
    public ImmutableSortedDictionary<string, string>? Secrets { get; set; }

    /// <summary>Its tasks.</summary>
    public TaskTable Tasks { get; }

    /// <summary>Its segments, in order.</summary>
    public ImmutableArray<SegmentRun> Segments { get; }

    /// <summary>Whether any of them is a gang.</summary>
    public bool HasGangs { get; }

    /// <summary>Whether a segment of it may be short of money; see <see cref="SegmentRun.ShortOf"/>.</summary>
    public bool IsShort { get; set; }

    /// <summary>Its edges.</summary>
    public JobGraph Graph { get; }

    /// <summary>Which of them may start.</summary>
    public TaskReadiness Readiness { get; private set; }

    /// <summary>What it may spend.</summary>
    public JobBudget Budget { get; }

    /// <summary>What people changed of it, in order.</summary>
    public List<Nodes.JobChange> Changes { get; } = [];

    /// <summary>Failed tasks that it bears; null bears all.</summary>
    public int? MaxFails { get; set; }

    /// <summary>Held by a person.</summary>
    public bool IsHeld { get; set; }

    /// <summary>How it ended; none while it has not.</summary>
    public Nodes.JobEnd End { get; set; }

    /// <summary>Why it ended so; empty for a success.</summary>
    public string Reason { get; set; } = "";

    /// <summary>When it ended.</summary>
    public UtcTime EndedAt { get; set; }

    /// <summary>When its last task was placed or ended.</summary>
    public UtcTime ChangedAt { get; set; }

    /// <summary>What all its attempts cost together.</summary>
    public Credits Spent { get; set; }

    /// <summary>Attempts that were placed and whose end is not known.</summary>
    public int Open { get; set; }

    /// <summary>Tasks that will not succeed and whose dependents were not closed yet.</summary>
    public List<int> NewlyDead { get; } = [];

    /// <summary>The segment of a task.</summary>
    public SegmentRun SegmentOf(int number) => Segments[Graph.Locate(number).Segment];

    /// <summary>Results of copies that must agree.</summary>
    public IReadOnlyList<Vote> Votes(int number) => votes.TryGetValue(number, out List<Vote>? list) ? list : [];

    /// <summary>A copy's result came in.</summary>
    public void AddVote(int number, Vote vote)
    {
        ref List<Vote>? list = ref CollectionsMarshal.GetValueRefOrAddDefault(votes, number, out _);
        (list ??= []).Add(vote);
    }

    /// <summary>The task's votes are of no use any more.</summary>
    public void ClearVotes(int number) => votes.Remove(number);

    /// <summary>Makes everything that is not durable anew: what is blocked, what wants a place.</summary>
    /// <param name="ready">Called with each task that is ready now.</param>
    public void Rebuild(Action<JobRun, int> ready)
    {
        Readiness = new TaskReadiness(Graph);
        var dependents = new List<int>();
        foreach (SegmentRun segment in Segments)
            segment.Queue.Clear();
        for (int number = 1; number <= Tasks.Count; number++)
            if (Tasks.State(number) == TaskState.Succeeded)
                Readiness.Complete(number, dependents);
        if (End != Nodes.JobEnd.None)
            return;
        for (int number = 1; number <= Tasks.Count; number++)
        {
            if (Tasks.State(number) == TaskState.Ready && !Readiness.IsReady(number))
                Tasks.SetState(number, TaskState.Blocked);
            else if (Tasks.State(number) is TaskState.Ready or TaskState.Blocked && Readiness.IsReady(number))
                MakeReady(number, ready);
        }
    }

    /// <summary>
    /// A task has its accepted end: calls <paramref name="ready"/> with each task that nothing blocks any more. One that was placed before
    /// what it needs had to run again is among them: it may lack places.
    /// </summary>
    public void OnSucceeded(int number, Action<JobRun, int> ready)
    {
        if (Readiness.IsComplete(number))
            return;
        unblocked.Clear();
        Readiness.Complete(number, unblocked);
        foreach (int dependent in unblocked)
            if (Tasks.State(dependent) == TaskState.Blocked)
                MakeReady(dependent, ready);
            else if (Tasks.State(dependent) == TaskState.Placed)
                ready(this, dependent);
    }

    /// <summary>The outputs of complete tasks are lost: the open tasks that need them and must wait for them again, in order.</summary>
    public List<int> OnOutputsLost(IEnumerable<int> numbers)
    {
        var stopped = new List<int>();
        foreach (int number in numbers)
            Readiness.Reopen(number, stopped);
        return [.. stopped.Where(n => Tasks.State(n) is TaskState.Ready or TaskState.Placed).Distinct().Order()];
    }

    /// <summary>A task that was taken back or released: ready if nothing blocks it.</summary>
    public void Reopen(int number, Action<JobRun, int> ready)
    {
        if (Tasks.State(number) == TaskState.Blocked && Readiness.IsReady(number))
            MakeReady(number, ready);
    }

    /// <summary>Open tasks that can never run, since one of these will not succeed, in order.</summary>
    public List<int> Doomed(IEnumerable<int> failed)
    {
        var doomed = new List<int>();
        foreach (int number in failed.ToArray())
            Readiness.Doomed(number, doomed);
        return [.. doomed.Where(n => Tasks.State(n) is TaskState.Blocked or TaskState.Ready or TaskState.Held).Distinct().Order()];
    }

    private readonly List<int> unblocked = [];

    private void MakeReady(int number, Action<JobRun, int> ready)
    {
        Tasks.SetState(number, TaskState.Ready);
        ready(this, number);
    }
}

/// <summary>One segment as it runs.</summary>
public sealed class SegmentRun
{
    internal SegmentRun(int index, SegmentSpec spec, int first, int count)
    {
        Index = index;
        Spec = spec;
        First = first;
        Count = count;
    }

    /// <summary>Its place in the job.</summary>
    public int Index { get; }

    /// <summary>What was submitted, with what was changed since.</summary>
    public SegmentSpec Spec { get; set; }

    /// <summary>The number of its first task.</summary>
    public int First { get; }

    /// <summary>How many tasks it has.</summary>
    public int Count { get; }

    /// <summary>Tasks that want a place.</summary>
    public PlaceQueue Queue { get; } = new();

    /// <summary>Attempts under way.</summary>
    public int Live { get; set; }

    /// <summary>A gang whose members were told to start; until then none of them runs.</summary>
    public bool HasGone { get; set; }

    /// <summary>What a task would have had set aside when its offer was let go, since what is left of the budget does not bear it; null if none was.</summary>
    public Credits? ShortOf { get; set; }

    /// <summary>Groups with the allocator: one for the segment and one for each alternative; empty while it wants nothing.</summary>
    public List<int> Groups { get; } = [];
}

/// <summary>The result of one copy of a task of which several must agree.</summary>
/// <param name="Attempt">The copy.</param>
/// <param name="Worker">Who made it.</param>
/// <param name="Outputs">What it made: two agree if these are the same.</param>
public sealed record Vote(AttemptId Attempt, PeerId Worker, ImmutableArray<TaskOutput> Outputs)
{
    /// <summary>Whether two copies say the same.</summary>
    public bool AgreesWith(Vote other) => Outputs.AsSpan().SequenceEqual(other.Outputs.AsSpan());
}
