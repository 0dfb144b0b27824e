namespace Drap.Core.Jobs;

/// <summary>
/// Which tasks of a job may start: a task is ready when all that it needs is complete. Costs 5 bytes a task and 4 for each chosen
/// producer; completing a task costs what its dependents are, an edge from a whole segment once. Not thread-safe.
/// </summary>
public sealed class TaskReadiness
{
    private readonly JobGraph graph;
    private readonly bool[] complete;

    // What a task still waits for: single producers, and (for its whole segment) segments that must be complete.
    private readonly int[] waitingFor;
    private readonly int[] segmentWaitingFor;
    private readonly int[] open;
    private readonly List<int>[] wholeDependents;

    // Single producers to dependents, as one array of numbers with each producer's start in it.
    private readonly int[] dependentsStart;
    private readonly int[] dependents;

    /// <summary>Nothing is complete.</summary>
    public TaskReadiness(JobGraph graph)
    {
        this.graph = graph;
        complete = new bool[graph.TaskCount + 1];
        waitingFor = new int[graph.TaskCount + 1];
        segmentWaitingFor = new int[graph.SegmentCount];
        open = [.. Enumerable.Range(0, graph.SegmentCount).Select(graph.CountOf)];
        wholeDependents = [.. open.Select(_ => new List<int>())];
        dependentsStart = new int[graph.TaskCount + 2];
        for (int segment = 0; segment < graph.SegmentCount; segment++)
        {
            foreach (JobEdge edge in graph.EdgesInto(segment).Where(e => e.Pick.Kind == PickKind.All && graph.CountOf(e.Producer) > 0))
            {
                segmentWaitingFor[segment]++;
                wholeDependents[edge.Producer].Add(segment);
            }
        }
        // Twice over the edges: first how many dependents each producer has, then who they are.
        ForEachSingle((producer, _) => dependentsStart[producer + 1]++);
        for (int i = 1; i < dependentsStart.Length; i++)
            dependentsStart[i] += dependentsStart[i - 1];
        dependents = new int[dependentsStart[^1]];
        int[] at = [.. dependentsStart];
        ForEachSingle((producer, dependent) =>
        {
            dependents[at[producer]++] = dependent;
            waitingFor[dependent]++;
        });
    }

    /// <summary>Tasks that are complete.</summary>
    public int CompleteCount { get; private set; }

    /// <summary>Whether a task is complete.</summary>
    public bool IsComplete(int number) => complete[number];

    /// <summary>Whether everything that a task needs is complete; true of complete tasks too, unless a producer was reopened.</summary>
    public bool IsReady(int number) => waitingFor[number] == 0 && segmentWaitingFor[graph.Locate(number).Segment] == 0;

    /// <summary>Adds the numbers of all tasks that need nothing, in order.</summary>
    public void Start(List<int> ready)
    {
        for (int segment = 0; segment < graph.SegmentCount; segment++)
            AddReady(segment, ready);
    }

    /// <summary>A task has its accepted end: adds the numbers of those that became ready by it, in order.</summary>
    public void Complete(int number, List<int> ready)
    {
        Invariant.Check(!complete[number]);
        complete[number] = true;
        CompleteCount++;
        int before = ready.Count;
        for (int i = dependentsStart[number]; i < dependentsStart[number + 1]; i++)
            if (--waitingFor[dependents[i]] == 0 && !complete[dependents[i]] && IsReady(dependents[i]))
                ready.Add(dependents[i]);
        int segment = graph.Locate(number).Segment;
        if (--open[segment] == 0)
            foreach (int dependent in wholeDependents[segment])
                if (--segmentWaitingFor[dependent] == 0)
                    AddReady(dependent, ready);
        ready.Sort(before, ready.Count - before, null);
    }

    /// <summary>A complete task's outputs are lost and it must run again: adds the numbers of those that are not complete and stop being ready, in order.</summary>
    public void Reopen(int number, List<int> stopped)
    {
        Invariant.Check(complete[number]);
        complete[number] = false;
        CompleteCount--;
        int before = stopped.Count;
        for (int i = dependentsStart[number]; i < dependentsStart[number + 1]; i++)
        {
            if (IsReady(dependents[i]) && !complete[dependents[i]])
                stopped.Add(dependents[i]);
            waitingFor[dependents[i]]++;
        }
        int segment = graph.Locate(number).Segment;
        if (open[segment]++ == 0)
            foreach (int dependent in wholeDependents[segment])
            {
                AddReady(dependent, stopped);
                segmentWaitingFor[dependent]++;
            }
        stopped.Sort(before, stopped.Count - before, null);
    }

    /// <summary>Adds the numbers of the tasks that can never run because <paramref name="number"/> failed for good: all that need it, directly or not, in order.</summary>
    public void Doomed(int number, List<int> doomed)
    {
        var seen = new HashSet<int>();
        var wholes = new HashSet<int>();
        var pending = new Stack<int>([number]);
        while (pending.TryPop(out int at))
        {
            for (int i = dependentsStart[at]; i < dependentsStart[at + 1]; i++)
                if (seen.Add(dependents[i]))
                    pending.Push(dependents[i]);
            foreach (int segment in wholeDependents[graph.Locate(at).Segment])
                if (wholes.Add(segment))
                    for (int index = 0; index < graph.CountOf(segment); index++)
                        if (seen.Add(graph.NumberOf(segment, index)))
                            pending.Push(graph.NumberOf(segment, index));
        }
        doomed.AddRange(seen.Order());
    }

    private void AddReady(int segment, List<int> ready)
    {
        if (segmentWaitingFor[segment] > 0)
            return;
        for (int index = 0; index < graph.CountOf(segment); index++)
        {
            int number = graph.NumberOf(segment, index);
            if (waitingFor[number] == 0 && !complete[number])
                ready.Add(number);
        }
    }

    private void ForEachSingle(Action<int, int> visit)
    {
        var ranges = new List<(int First, int Last)>();
        for (int segment = 0; segment < graph.SegmentCount; segment++)
        {
            foreach (JobEdge edge in graph.EdgesInto(segment).Where(e => e.Pick.Kind != PickKind.All))
            {
                for (int index = 0; index < graph.CountOf(segment); index++)
                {
                    ranges.Clear();
                    bool ok = edge.Pick.TryChoose(index, JobForm.Number(graph.Job.Segments[segment], index), graph.CountOf(edge.Producer), ranges, out _);
                    Invariant.Check(ok);
                    foreach ((int first, int last) in ranges)
                        for (int producer = first; producer <= last; producer++)
                            visit(graph.NumberOf(edge.Producer, producer), graph.NumberOf(segment, index));
                }
            }
        }
    }
}
