using System.Collections.Immutable;
using Drap.Core;

namespace Drap.Api;

/// <summary>Something to do to a job or to some of its tasks.</summary>
public enum JobAction
{
    /// <summary>End it: running attempts get TERM, later KILL; what has not begun never does.</summary>
    Cancel,

    /// <summary>Place nothing more until released; what runs goes on.</summary>
    Hold,

    /// <summary>The end of a hold.</summary>
    Release,

    /// <summary>Take running or waiting tasks back and offer them to the market anew, elsewhere if there is an elsewhere.</summary>
    Requeue,

    /// <summary>Run ended tasks again, as new attempts of the same job.</summary>
    Rerun,
}

/// <summary>What to do, and to which tasks.</summary>
public sealed record ActionRequest : Document
{
    /// <summary>Most ranges in one request: a selector is typed by a person or made from the failed tasks of a job.</summary>
    public const int RangesMax = 10_000;

    /// <summary>What to do.</summary>
    public required JobAction Action { get; set; }

    /// <summary>The tasks; empty means the whole job.</summary>
    public ImmutableArray<TaskRange> Tasks { get; set; } = [];

    /// <summary>Of those tasks only the ones that failed, were cancelled or expired (<c>rerun --failed</c>).</summary>
    public bool FailedOnly { get; set; }
}

/// <summary>Task numbers, both ends included.</summary>
/// <param name="First">The first, from 1.</param>
/// <param name="Last">The last, not below the first.</param>
public readonly record struct TaskRange(int First, int Last);

/// <summary>What an action did.</summary>
public sealed record ActionReply : Document
{
    /// <summary>The job after it.</summary>
    public required JobSummary Job { get; set; }

    /// <summary>How many tasks it changed; 0 when all of them were so already.</summary>
    public int Changed { get; set; }
}

/// <summary>New values for a job that has not ended; null leaves one as it is. They hold for what is placed from now on.</summary>
public sealed record ChangeRequest : Document
{
    /// <summary>Only this segment; null means all.</summary>
    public string? Segment { get; set; }

    /// <summary>Priority among the principal's jobs.</summary>
    public int? Priority { get; set; }

    /// <summary>The bid per task, in credits per hour.</summary>
    public Price? Bid { get; set; }

    /// <summary>The most that a bid may rise to, in credits per hour; never leaves the scheduler.</summary>
    public Price? Limit { get; set; }

    /// <summary>The most that the job may cost.</summary>
    public Credits? Budget { get; set; }

    /// <summary>Longest run of an attempt, in seconds.</summary>
    public TimeSpan? TimeoutSeconds { get; set; }

    /// <summary>From now, in seconds, to when every task must have been placed.</summary>
    public TimeSpan? DeadlineSeconds { get; set; }

    /// <summary>How often a task that fails is tried again.</summary>
    public int? Retries { get; set; }

    /// <summary>How many tasks may fail before the job is given up.</summary>
    public int? MaxFails { get; set; }

    /// <summary>The most tasks of the job, or of the segment, that run at once.</summary>
    public int? MaxRunning { get; set; }
}
