using System.Text;

namespace Drap.Core.Jobs;

/// <summary>A task must fit the message that brings it to its worker.</summary>
internal static class SizeRules
{
    // A CID of 59 characters, its field's name and the punctuation around them.
    private const int partBytes = 96;

    public static int BytesOf(FilePart part) => partBytes + Encoding.UTF8.GetByteCount(part.Name);

    /// <summary>Checks the largest task of each segment.</summary>
    public static void Check(JobSpec job, RuleChecker problems)
    {
        if (!JobGraph.TryBuild(job, out JobGraph? graph))
            return;
        for (int i = 0; i < graph.SegmentCount; i++)
        {
            SegmentSpec segment = job.Segments[i];
            long inputs = Inputs(graph, i);
            long bytes = Common(segment) + inputs;
            problems.Require(
                bytes <= JobLimits.TaskBytesMax, $"segments[{i}]", $"a task of about {bytes} bytes, {inputs} of them for its inputs",
                $"at most {JobLimits.TaskBytesMax} for command, environment, names and inputs; many inputs are merged in levels");
        }
    }

    private static long Common(SegmentSpec segment)
    {
        long item = segment.Items.IsEmpty ? 0 : segment.Items.Max(i => (i.Text?.Length ?? 0) + i.Fields.Sum(f => (long)f.Key.Length + f.Value.Length));
        return JobJson.BytesOf(segment with { Items = [], Files = null, Needs = [], Alternatives = [], Secrets = JobJson.EmptyMap<string>() }) + 2 * item;
    }

    private static long Inputs(JobGraph graph, int segment)
    {
        SegmentSpec spec = graph.Job.Segments[segment];
        long files = spec.Files is { Sets.Length: > 0 } spread ? spread.Sets.Max(s => s.Files.Sum(f => (long)BytesOf(f))) : 0;
        if (spec.Inputs.Values.All(i => i.From is null))
            return files;
        // Needs come first among the edges; of a range only its length counts.
        long most = 0;
        var ranges = new List<(int First, int Last)>();
        bool alike = graph.EdgesInto(segment).All(e => e.Pick.Kind != PickKind.Chosen);
        for (int index = 0; index < (alike ? 1 : graph.CountOf(segment)); index++)
        {
            ranges.Clear();
            foreach (JobEdge edge in graph.EdgesInto(segment).Skip(spec.Needs.Length))
                edge.Pick.TryChoose(index, JobForm.Number(spec, index), graph.CountOf(edge.Producer), ranges, out _);
            most = Math.Max(most, ranges.Sum(r => r.Last - r.First + 1L));
        }
        return files + most * partBytes;
    }
}
