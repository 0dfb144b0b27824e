using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// Finished means safe: a result counts when its outputs lie on a node besides the worker that made them, and that node is this one. Until
/// then it is not acknowledged, so its worker keeps result and outputs, and sends it again.
/// </summary>
internal sealed class SafetyDesk(SchedulerContext context)
{
    /// <summary>Results whose outputs may be on their way at once: 65 536 at 1 KiB, 64 MiB. What comes beyond waits at its worker and is sent again.</summary>
    public const int PendingMax = 65_536;

    /// <summary>Nodes besides the worker on which outputs lie before their result counts, however many a job asks for: this one (SAFE-4).</summary>
    public const int KeepersMax = 1;

    private readonly Dictionary<AttemptId, (PeerId From, AttemptResult Result)> pending = [];

    /// <summary>
    /// Whether a result may count now; else its outputs are asked for, unless they are already on their way. With a durability of 0 it counts at
    /// once, and the outputs come after it; if they are lost on the way, who made them runs again.
    /// </summary>
    public bool IsSafe(JobRun job, PeerId from, AttemptResult result)
    {
        if (result.Outcome != Outcome.Succeeded || result.Outputs.IsEmpty)
            return true;
        bool waits = job.SegmentOf(result.Attempt.Task.Number).Spec.Durability > 0;
        if (waits && (pending.Count == PendingMax || !pending.TryAdd(result.Attempt, (from, result))))
            return false;
        SegmentSpec segment = job.SegmentOf(result.Attempt.Task.Number).Spec;
        context.Emit(new SchedulerEffect.Fetch(result.Attempt, from, [.. result.Outputs.Select(
            o => new WantedBlob(o.Content, !segment.Outputs.TryGetValue(o.Name, out OutputSpec? output) || (output.Result ?? true), segment.Public))]));
        return !waits;
    }

    /// <summary>
    /// The outputs are here, or will not be: the result that waited for them, as it then stands. Null if it counts already, or if the same may
    /// succeed later: its worker sends it again, or is lost itself.
    /// </summary>
    public (PeerId From, AttemptResult Result)? Take(SchedulerInput.Fetched fetched)
    {
        if (!pending.Remove(fetched.Attempt, out (PeerId From, AttemptResult Result) waiting) || fetched.End == FetchEnd.Unreachable)
            return null;
        return fetched.End == FetchEnd.Safe ? waiting : (waiting.From, waiting.Result with
        {
            Outcome = Outcome.NodeFault, Outputs = [], Detail = $"its outputs could not be had from {context.NameOf(waiting.From)}: {fetched.Why}",
        });
    }
}
