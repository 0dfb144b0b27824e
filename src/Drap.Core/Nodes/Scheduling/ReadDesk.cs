using Drap.Core.Jobs;
using Drap.Core.Leases;

namespace Drap.Core.Nodes;

/// <summary>Says which blobs the live leases of a worker name, for the node that gives them out.</summary>
internal sealed class ReadDesk(SchedulerContext context)
{
    /// <summary>Names that are remembered: 64 MiB. At the limit all are forgotten and found again as they are asked for.</summary>
    private const int NamesMax = 1 << 20;

    private readonly Dictionary<(JobId Job, int Segment, int Index), HashSet<Cid>> found = [];
    private int names, remade;

    /// <summary>
    /// Whether an attempt that the worker has, or is given now, takes this blob as an input. One that nobody is sure of counts: it may run on, and fetch.
    /// </summary>
    public bool LeaseNames(PeerId worker, Cid content)
    {
        if (context.Leases.TryOf(worker) is not { } leases)
            return false;
        if (names > NamesMax || remade != context.OutputsRemade)
        {
            found.Clear();
            (names, remade) = (0, context.OutputsRemade);
        }
        foreach (LeasedAttempt attempt in leases.Attempts.Values)
            if (attempt is { Cancelled: null, Phase: not LeasePhase.Delivering } && context.State.TryGet(attempt.Id.Task.Job, out JobRun? job)
                && InputsOf(job, attempt.Id.Task.Number).Contains(content))
                return true;
        return false;
    }

    private HashSet<Cid> InputsOf(JobRun job, int number)
    {
        (int segment, int index) = job.Graph.Locate(number);
        // Those that take the same are remembered once.
        var key = (job.Id, segment, IsSame(job.Graph, segment) ? -1 : index);
        if (!found.TryGetValue(key, out HashSet<Cid>? inputs))
        {
            found[key] = inputs = [.. TaskInputs.Of(job.Graph, segment, index, (producer, output) =>
                job.Tasks.Outputs(producer).Where(o => output is null || o.Name == output).Select(o => o.Content))];
            names += inputs.Count + 1;
        }
        return inputs;
    }

    private static bool IsSame(JobGraph graph, int segment)
    {
        SegmentSpec spec = graph.Job.Segments[segment];
        return spec.Files is null && graph.EdgesInto(segment).All(e => e.Pick.Kind == PickKind.All)
            && spec.Inputs.Values.All(i => i.From is null || (OutputRef.TryParse(i.From, out OutputRef? from) && from.Output is not null));
    }
}
