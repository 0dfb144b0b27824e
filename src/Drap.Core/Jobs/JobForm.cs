namespace Drap.Core.Jobs;

/// <summary>Spells out what a job leaves to its defaults, so that no one after the client has to know them.</summary>
public static class JobForm
{
    /// <summary>The job with names for targets, outputs with their paths, and results decided. Doing it twice changes nothing.</summary>
    public static JobSpec Complete(JobSpec job)
    {
        // SEGMENT.OUTPUT, or SEGMENT where the output depends on the task.
        HashSet<string> taken = new(StringComparer.Ordinal);
        foreach (SegmentSpec segment in job.Segments)
            foreach (InputSpec input in segment.Inputs.Values)
                if (input.From is not null && OutputRef.TryParse(input.From, out OutputRef? from))
                    taken.Add(from.Output is null ? from.Segment : input.From);
        return job with { Segments = [.. job.Segments.Select(s => Complete(s, taken))] };
    }

    /// <summary>How many tasks a segment has.</summary>
    public static int TaskCount(SegmentSpec segment) =>
        segment.Count ?? segment.Array?.Count ?? segment.Nodes
        ?? (segment.Files is { } files ? files.Sets.Length : segment.Items.Length > 0 ? segment.Items.Length : 1);

    /// <summary>What DRAP_INDEX and <c>${{ number }}</c> say for a task: the array's number, else its index.</summary>
    public static long Number(SegmentSpec segment, int index) => segment.Array?[index] ?? index;

    private static SegmentSpec Complete(SegmentSpec segment, HashSet<string> taken)
    {
        var inputs = segment.Inputs.ToBuilder();
        foreach ((string name, InputSpec input) in segment.Inputs)
            if (input.To.Length == 0)
                inputs[name] = input with { To = name };
        var outputs = segment.Outputs.ToBuilder();
        bool single = TaskCount(segment) == 1;
        foreach ((string name, OutputSpec output) in segment.Outputs)
        {
            string path = output.Path.Length == 0 ? name : output.Path;
            // A glob's matches become a folder, which needs a name without magic.
            string leaf = Glob.HasMagic(path) ? name : path;
            outputs[name] = output with
            {
                Path = path,
                Result = output.Result ?? !(taken.Contains(segment.Name) || taken.Contains($"{segment.Name}.{name}")),
                To = output.To.Length > 0 ? output.To : single ? leaf : $"{segment.Name}/${{{{ number }}}}/{leaf}",
            };
        }
        return segment with { Inputs = inputs.ToImmutable(), Outputs = outputs.ToImmutable() };
    }
}
