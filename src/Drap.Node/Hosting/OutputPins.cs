using System.Collections.Immutable;
using Drap.Core.Messages;
using Drap.Node.Blobs;

namespace Drap.Node.Hosting;

/// <summary>
/// What attempts left in their worker's own store stays pinned until the scheduler has acknowledged their results, and so has it itself. Attempts of
/// a job may leave the same; the last of them lets it go. Bounded by the outbox.
/// </summary>
internal sealed class OutputPins(BlobStore blobs)
{
    private readonly Dictionary<AttemptId, ImmutableArray<Cid>> left = [];
    private readonly Dictionary<(JobId Job, Cid Content), int> counts = [];

    /// <summary>An attempt left these, which are pinned for its job.</summary>
    public void Add(AttemptId attempt, ImmutableArray<TaskOutput> outputs)
    {
        if (outputs.IsEmpty || !left.TryAdd(attempt, [.. outputs.Select(o => o.Content)]))
            return;
        foreach (TaskOutput output in outputs)
            counts[(attempt.Task.Job, output.Content)] = counts.GetValueOrDefault((attempt.Task.Job, output.Content)) + 1;
    }

    /// <summary>Nobody needs what it left here any more.</summary>
    public void Release(AttemptId attempt)
    {
        if (!left.Remove(attempt, out ImmutableArray<Cid> outputs))
            return;
        foreach (Cid content in outputs)
        {
            var key = (attempt.Task.Job, content);
            if (--counts[key] > 0)
                continue;
            counts.Remove(key);
            blobs.Unpin(attempt.Task.Job, content);
        }
    }
}
