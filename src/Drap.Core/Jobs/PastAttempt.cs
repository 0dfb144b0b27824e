using Drap.Core.Messages;

namespace Drap.Core.Jobs;

/// <summary>What the scheduler made of an attempt's end; it stands in the journal, so that a replay decides nothing anew.</summary>
public enum Verdict
{
    /// <summary>It is the task's one accepted end.</summary>
    Accepted = 1,

    /// <summary>A vote of several that must agree; not enough yet.</summary>
    Voted = 2,

    /// <summary>The task itself failed, and is tried again.</summary>
    Failed = 3,

    /// <summary>The task itself failed, and that was its last try.</summary>
    FailedForGood = 4,

    /// <summary>Not the task's fault: the node, the network or the lease. The task is placed again.</summary>
    Lost = 5,

    /// <summary>Another attempt was accepted, or nobody wants the result any more.</summary>
    Superseded = 6,

    /// <summary>It never began: refused, taken out of a line for another worker, or given back by one that leaves. It counts for nothing.</summary>
    Returned = 7,
}

/// <summary>How one attempt ended.</summary>
/// <param name="Number">The attempt's number within its task.</param>
/// <param name="Node">Where: an index into the scheduler's table of nodes; -1 if unknown.</param>
/// <param name="Outcome">As the worker told it.</param>
/// <param name="Verdict">What the scheduler made of it.</param>
/// <param name="ExitCode">The exit code.</param>
/// <param name="Detail">A line for a person.</param>
/// <param name="Wall">How long it ran.</param>
/// <param name="Cost">What it cost.</param>
/// <param name="EndedAt">When the scheduler heard of it.</param>
/// <param name="Price">The price agreed; zero where a record of an earlier version does not tell, or the attempt was forgotten before its end came.</param>
public sealed record PastAttempt(
    int Number, int Node, Outcome Outcome, Verdict Verdict, int ExitCode, string Detail, TimeSpan Wall, Credits Cost, UtcTime EndedAt, Price Price)
{
    /// <summary>Attempts kept a task: retries are few; of faults that repeat, the last ones tell.</summary>
    public const int PerTaskMax = 16;
}
