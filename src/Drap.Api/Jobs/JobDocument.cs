using System.Collections.Immutable;
using Drap.Core;

namespace Drap.Api;

/// <summary>One job in full: what <c>drap run</c>, <c>drap job show</c> and <c>drap job wait</c> print.</summary>
public sealed record JobDocument : Document
{
    /// <summary>The job.</summary>
    public required JobSummary Job { get; init; }

    /// <summary>Its segments, in the order of the job file.</summary>
    public ImmutableArray<SegmentSummary> Segments { get; init; } = [];

    /// <summary>Its tasks by number, as far as they were asked for.</summary>
    public ImmutableArray<TaskSummary> Tasks { get; init; } = [];

    /// <summary>The folder that its results were written to, as an absolute path; only <c>drap run</c> and <c>drap job results</c> know one.</summary>
    public string? Results { get; init; }
}

/// <summary>Several jobs, the youngest first.</summary>
public sealed record JobListDocument : Document
{
    /// <summary>The jobs.</summary>
    public ImmutableArray<JobSummary> Jobs { get; init; } = [];

    /// <summary>Whether older ones were left off.</summary>
    public bool More { get; init; }
}

/// <summary>Tasks of one job, by number.</summary>
public sealed record TaskListDocument : Document
{
    /// <summary>The job.</summary>
    public required JobId Job { get; init; }

    /// <summary>The tasks.</summary>
    public ImmutableArray<TaskSummary> Tasks { get; init; } = [];

    /// <summary>The number to go on from when there are more than one answer takes; null at the end.</summary>
    public int? Next { get; init; }
}

/// <summary>A job in one line.</summary>
public sealed record JobSummary
{
    /// <summary>Its id.</summary>
    public required JobId Id { get; init; }

    /// <summary>Its number in this home, from 1: shorter to type than the id. 0 where none was given.</summary>
    public int Number { get; init; }

    /// <summary>Its name.</summary>
    public string Name { get; init; } = "";

    /// <summary>Where it is.</summary>
    public required JobState State { get; init; }

    /// <summary>Why it waits or how it ended, where there is something to say.</summary>
    public Reason? Reason { get; init; }

    /// <summary>How many of its tasks are where.</summary>
    public TaskCounts Tasks { get; init; } = new();

    /// <summary>What it has cost so far, in credits.</summary>
    public Credits Cost { get; init; }

    /// <summary>The most that it may cost; null where the job sets none.</summary>
    public Credits? Budget { get; init; }

    /// <summary>Its priority among its principal's jobs; higher goes first, 0 is usual.</summary>
    public int Priority { get; init; }

    /// <summary>When it was submitted.</summary>
    public UtcTime SubmittedAt { get; init; }

    /// <summary>When its first task began; null before.</summary>
    public UtcTime? StartedAt { get; init; }

    /// <summary>When it ended; null before.</summary>
    public UtcTime? EndedAt { get; init; }

    /// <summary>When it is thought to end; null where nobody can say.</summary>
    public UtcTime? ExpectedAt { get; init; }
}

/// <summary>How many tasks are in each state.</summary>
public sealed record TaskCounts
{
    /// <summary>Tasks in all.</summary>
    public int Total { get; init; }

    /// <summary>In <see cref="TaskState.Waiting"/>.</summary>
    public int Waiting { get; init; }

    /// <summary>In <see cref="TaskState.Placing"/>.</summary>
    public int Placing { get; init; }

    /// <summary>In <see cref="TaskState.Running"/>.</summary>
    public int Running { get; init; }

    /// <summary>In <see cref="TaskState.Held"/>.</summary>
    public int Held { get; init; }

    /// <summary>In <see cref="TaskState.Finished"/>.</summary>
    public int Finished { get; init; }

    /// <summary>In <see cref="TaskState.Failed"/>.</summary>
    public int Failed { get; init; }

    /// <summary>In <see cref="TaskState.Cancelled"/>.</summary>
    public int Cancelled { get; init; }

    /// <summary>In <see cref="TaskState.Expired"/>.</summary>
    public int Expired { get; init; }
}

/// <summary>A segment in one line.</summary>
public sealed record SegmentSummary
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The number of its first task; the others follow.</summary>
    public int FirstTask { get; init; }

    /// <summary>How many of its tasks are where.</summary>
    public TaskCounts Tasks { get; init; } = new();

    /// <summary>What it has cost so far.</summary>
    public Credits Cost { get; init; }
}

/// <summary>A task in one line.</summary>
public sealed record TaskSummary
{
    /// <summary>Its number in the job, from 1.</summary>
    public required int Number { get; init; }

    /// <summary>The segment's name.</summary>
    public string Segment { get; init; } = "";

    /// <summary>Its index in the segment, from 0; what it sees as <c>DRAP_INDEX</c>.</summary>
    public int Index { get; init; }

    /// <summary>Where it is.</summary>
    public required TaskState State { get; init; }

    /// <summary>Why it waits or how it ended, where there is something to say.</summary>
    public Reason? Reason { get; init; }

    /// <summary>The name of the node of its last attempt, or of the accepted one; null before the first.</summary>
    public string? Node { get; init; }

    /// <summary>How often it was placed.</summary>
    public int Attempts { get; init; }

    /// <summary>The price of that attempt, in credits per hour; null before the first.</summary>
    public Price? Price { get; init; }

    /// <summary>What all its attempts have cost.</summary>
    public Credits Cost { get; init; }

    /// <summary>Its exit code; 128 + signal where one ended it; null before the end.</summary>
    public int? ExitCode { get; init; }

    /// <summary>When its last attempt began; null before.</summary>
    public UtcTime? StartedAt { get; init; }

    /// <summary>When it ended; null before.</summary>
    public UtcTime? EndedAt { get; init; }

    /// <summary>Each attempt, where they were asked for.</summary>
    public ImmutableArray<AttemptSummary> History { get; init; } = [];
}

/// <summary>One attempt in one line.</summary>
public sealed record AttemptSummary
{
    /// <summary>Its number within the task, from 1.</summary>
    public required int Number { get; init; }

    /// <summary>How it stands or ended.</summary>
    public required AttemptState State { get; init; }

    /// <summary>The node's name.</summary>
    public string Node { get; init; } = "";

    /// <summary>The price agreed.</summary>
    public Price Price { get; init; }

    /// <summary>What it has cost.</summary>
    public Credits Cost { get; init; }

    /// <summary>Its exit code; null before the end.</summary>
    public int? ExitCode { get; init; }

    /// <summary>How it ended, where there is something to say.</summary>
    public Reason? Reason { get; init; }

    /// <summary>When it was confirmed.</summary>
    public UtcTime StartedAt { get; init; }

    /// <summary>When it ended; null before.</summary>
    public UtcTime? EndedAt { get; init; }
}
