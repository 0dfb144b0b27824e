namespace Drap.Core.Jobs;

/// <summary>The content that one task takes, without the places where it goes.</summary>
internal static class TaskInputs
{
    /// <summary>What the job itself brought for the task, and what those left that it takes from.</summary>
    /// <param name="graph">The job.</param>
    /// <param name="segment">The task's segment.</param>
    /// <param name="index">Its index there.</param>
    /// <param name="outputsOf">The contents of an output of a task, by number.</param>
    public static IEnumerable<Cid> Of(JobGraph graph, int segment, int index, Func<int, string?, IEnumerable<Cid>> outputsOf)
    {
        SegmentSpec spec = graph.Job.Segments[segment];
        IEnumerable<string?> brought = spec.Inputs.Values.Where(i => i.From is null).Select(i => i.Cid);
        if (spec.Files is { } files)
            brought = brought.Concat(files.Sets[index].Files.Select(f => f.Cid));
        foreach (string? text in brought)
            if (Cid.TryParse(text, out Cid cid))
                yield return cid;
        // Edges stand in the order of the job: what is only waited for, then the inputs.
        int edge = spec.Needs.Length;
        foreach (InputSpec input in spec.Inputs.Values.Where(i => i.From is not null))
        {
            JobEdge from = graph.EdgesInto(segment)[edge++];
            long number = JobForm.Number(spec, index);
            if (!OutputRef.TryParse(input.From!, out OutputRef? reference) || !reference.TryResolve(index, number, out string? output, out _))
                continue;
            var ranges = new List<(int First, int Last)>();
            if (!from.Pick.TryChoose(index, number, graph.CountOf(from.Producer), ranges, out _))
                continue;
            foreach ((int first, int last) in ranges)
                for (int producer = first; producer <= last; producer++)
                    foreach (Cid cid in outputsOf(graph.NumberOf(from.Producer, producer), output))
                        yield return cid;
        }
    }
}
