using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace Drap.Core.Jobs;

/// <summary>Tasks of one segment, from <paramref name="First"/> to <paramref name="Last"/>, both in it.</summary>
/// <param name="Segment">The segment's place in the job, from 0.</param>
/// <param name="First">An index, from 0.</param>
/// <param name="Last">An index.</param>
public readonly record struct TaskRange(int Segment, int First, int Last);

/// <summary>An edge between segments.</summary>
/// <param name="Producer">The segment that is needed.</param>
/// <param name="Pick">Which of its tasks.</param>
public sealed record JobEdge(int Producer, TaskPick Pick);

/// <summary>
/// The tasks of a checked job and what each needs. Tasks are numbered from 1 through the segments in their order
/// (<see cref="TaskId.Number"/>). Edges are kept by segment and answered by task on demand, so that an edge from all to all of
/// 100 000 tasks costs as much as one.
/// </summary>
public sealed class JobGraph
{
    private readonly int[] firstNumbers;
    private readonly ImmutableArray<ImmutableArray<JobEdge>> edges;

    private JobGraph(JobSpec job, int[] firstNumbers, ImmutableArray<ImmutableArray<JobEdge>> edges)
    {
        Job = job;
        this.firstNumbers = firstNumbers;
        this.edges = edges;
    }

    /// <summary>The job.</summary>
    public JobSpec Job { get; }

    /// <summary>Segments.</summary>
    public int SegmentCount => Job.Segments.Length;

    /// <summary>Tasks; their numbers are 1 to this.</summary>
    public int TaskCount => firstNumbers[^1] - 1;

    /// <summary>The graph of a job.</summary>
    /// <returns>False if an edge leads to no segment or has no meaning; never for a job that passed <see cref="JobRules"/>.</returns>
    public static bool TryBuild(JobSpec job, [NotNullWhen(true)] out JobGraph? graph)
    {
        graph = null;
        var names = new Dictionary<string, int>(StringComparer.Ordinal);
        int[] firstNumbers = new int[job.Segments.Length + 1];
        firstNumbers[0] = 1;
        for (int i = 0; i < job.Segments.Length; i++)
        {
            names.TryAdd(job.Segments[i].Name, i);
            long next = (long)firstNumbers[i] + JobForm.TaskCount(job.Segments[i]);
            if (next > JobLimits.TasksMax + 1)
                return false;
            firstNumbers[i + 1] = (int)next;
        }
        var edges = ImmutableArray.CreateBuilder<ImmutableArray<JobEdge>>(job.Segments.Length);
        foreach (SegmentSpec segment in job.Segments)
        {
            var own = ImmutableArray.CreateBuilder<JobEdge>();
            foreach ((string producer, string tasks) in Edges(segment))
            {
                if (!names.TryGetValue(producer, out int index) || !TaskPick.TryParse(tasks, out TaskPick? pick, out _))
                    return false;
                own.Add(new JobEdge(index, pick));
            }
            edges.Add(own.DrainToImmutable());
        }
        graph = new JobGraph(job, firstNumbers, edges.DrainToImmutable());
        return true;
    }

    /// <summary>Tasks of a segment.</summary>
    public int CountOf(int segment) => firstNumbers[segment + 1] - firstNumbers[segment];

    /// <summary>The number of a task.</summary>
    public int NumberOf(int segment, int index) => firstNumbers[segment] + index;

    /// <summary>The segment and index of a task.</summary>
    public (int Segment, int Index) Locate(int number)
    {
        Invariant.Check(number >= 1 && number <= TaskCount);
        int found = Array.BinarySearch(firstNumbers, number);
        // Segments without tasks share their first number with the next one; the last of these has the task.
        int segment = found >= 0 ? found : ~found - 1;
        while (firstNumbers[segment + 1] == number)
            segment++;
        return (segment, number - firstNumbers[segment]);
    }

    /// <summary>The edges into a segment, in the order of the job: its needs, then its inputs by name.</summary>
    public ImmutableArray<JobEdge> EdgesInto(int segment) => edges[segment];

    /// <summary>Adds what a task needs; ranges may overlap where two edges do.</summary>
    public void Needs(int segment, int index, List<TaskRange> needs)
    {
        var ranges = new List<(int First, int Last)>();
        foreach (JobEdge edge in edges[segment])
        {
            int count = CountOf(edge.Producer);
            ranges.Clear();
            bool ok = edge.Pick.TryChoose(index, JobForm.Number(Job.Segments[segment], index), count, ranges, out _);
            Invariant.Check(ok);
            foreach ((int first, int last) in ranges)
                if (first <= last)
                    needs.Add(new TaskRange(edge.Producer, first, last));
        }
    }

    /// <summary>The edges that a segment names: producer and tasks.</summary>
    internal static IEnumerable<(string Producer, string Tasks)> Edges(SegmentSpec segment) =>
        segment.Needs.Select(n => (n.Segment, n.Tasks))
            .Concat(segment.Inputs.Values.Where(i => i.From is not null).Select(i => (OutputRef.TryParse(i.From!, out OutputRef? from) ? from.Segment : "", i.Tasks)));
}
