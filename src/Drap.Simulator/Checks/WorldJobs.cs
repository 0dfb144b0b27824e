using Drap.Core.Jobs;

namespace Drap.Simulator.Checks;

/// <summary>The graphs of the jobs that were submitted to a world. Not thread-safe.</summary>
internal sealed class WorldJobs
{
    private readonly Dictionary<JobId, JobGraph> graphs = [];
    private readonly Dictionary<JobSpec, JobGraph> made = new(ReferenceEqualityComparer.Instance);

    /// <summary>Jobs, in no order.</summary>
    public IReadOnlyCollection<JobId> All => graphs.Keys;

    /// <summary>A job was submitted.</summary>
    public void Add(JobId id, JobSpec spec)
    {
        if (!made.TryGetValue(spec, out JobGraph? graph))
        {
            Invariant.Check(JobGraph.TryBuild(spec, out graph));
            made.Add(spec, graph);
        }
        graphs.Add(id, graph);
    }

    /// <summary>The graph of a job.</summary>
    public JobGraph GraphOf(JobId id) => graphs[id];
}
