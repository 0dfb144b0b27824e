using System.Collections.Immutable;
using Drap.Core;

namespace Drap.Api;

/// <summary>One job in full: what <c>drap run</c>, <c>drap job show</c> and <c>drap job wait</c> print.</summary>
public sealed record JobDocument : Document
{
    /// <summary>The job.</summary>
    public required JobSummary Job { get; set; }

    /// <summary>Its segments, in the order of the job file.</summary>
    public ImmutableArray<SegmentSummary> Segments { get; set; } = [];

    /// <summary>Its tasks by number, as far as they were asked for.</summary>
    public ImmutableArray<TaskSummary> Tasks { get; set; } = [];

    /// <summary>The folder in which its submitter wants its results, as an absolute path; null where the submit named none.</summary>
    public string? OutFolder { get; set; }

    /// <summary>The folder that its results were written to, as an absolute path; only who has just written them knows it.</summary>
    public string? Results { get; set; }
}

/// <summary>Several jobs, the youngest first.</summary>
public sealed record JobListDocument : Document
{
    /// <summary>The jobs.</summary>
    public ImmutableArray<JobSummary> Jobs { get; set; } = [];

    /// <summary>Whether older ones were left off.</summary>
    public bool More { get; set; }
}

/// <summary>Tasks of one job, by number.</summary>
public sealed record TaskListDocument : Document
{
    /// <summary>The job.</summary>
    public required JobId Job { get; set; }

    /// <summary>The tasks.</summary>
    public ImmutableArray<TaskSummary> Tasks { get; set; } = [];

    /// <summary>The number to go on from when there are more than one answer takes; null at the end.</summary>
    public int? Next { get; set; }
}

/// <summary>A job in one line.</summary>
public sealed record JobSummary
{
    /// <summary>Its id.</summary>
    public required JobId Id { get; set; }

    /// <summary>Its number in this home, from 1: shorter to type than the id. 0 where none was given.</summary>
    public int Number { get; set; }

    /// <summary>Its name.</summary>
    public string Name { get; set; } = "";

    /// <summary>Where it is.</summary>
    public required JobState State { get; set; }

    /// <summary>Why it waits or how it ended, where there is something to say.</summary>
    public Reason? Reason { get; set; }

    /// <summary>How many of its tasks are where.</summary>
    public TaskCounts Tasks { get; set; } = new();

    /// <summary>What it has cost so far, in credits.</summary>
    public Credits Cost { get; set; }

    /// <summary>The most that it may cost; null where the job sets none.</summary>
    public Credits? Budget { get; set; }

    /// <summary>Its priority among its principal's jobs; higher goes first, 0 is usual.</summary>
    public int Priority { get; set; }

    /// <summary>When it was submitted.</summary>
    public UtcTime SubmittedAt { get; set; }

    /// <summary>When its first task began; null before.</summary>
    public UtcTime? StartedAt { get; set; }

    /// <summary>When it ended; null before.</summary>
    public UtcTime? EndedAt { get; set; }

    /// <summary>When it is thought to end; null where nobody can say.</summary>
    public UtcTime? ExpectedAt { get; set; }
}

/// <summary>How many tasks are in each state.</summary>
public sealed record TaskCounts
{
    /// <summary>Tasks in all.</summary>
    public int Total { get; set; }

    /// <summary>In <see cref="TaskState.Waiting"/>.</summary>
    public int Waiting { get; set; }

    /// <summary>In <see cref="TaskState.Placing"/>.</summary>
    public int Placing { get; set; }

    /// <summary>In <see cref="TaskState.Running"/>.</summary>
    public int Running { get; set; }

    /// <summary>In <see cref="TaskState.Held"/>.</summary>
    public int Held { get; set; }

    /// <summary>In <see cref="TaskState.Finished"/>.</summary>
    public int Finished { get; set; }

    /// <summary>In <see cref="TaskState.Failed"/>.</summary>
    public int Failed { get; set; }

    /// <summary>In <see cref="TaskState.Cancelled"/>.</summary>
    public int Cancelled { get; set; }

    /// <summary>In <see cref="TaskState.Expired"/>.</summary>
    public int Expired { get; set; }
}

/// <summary>A segment in one line.</summary>
public sealed record SegmentSummary
{
    /// <summary>Its name.</summary>
    public required string Name { get; set; }

    /// <summary>The number of its first task; the others follow.</summary>
    public int FirstTask { get; set; }

    /// <summary>How many of its tasks are where.</summary>
    public TaskCounts Tasks { get; set; } = new();

    /// <summary>What it has cost so far.</summary>
    public Credits Cost { get; set; }
}

/// <summary>A task in one line.</summary>
public sealed record TaskSummary
{
    /// <summary>Its number in the job, from 1.</summary>
    public required int Number { get; set; }

    /// <summary>The segment's name.</summary>
    public string Segment { get; set; } = "";

    /// <summary>Its index in the segment, from 0; what it sees as <c>DRAP_INDEX</c>.</summary>
    public int Index { get; set; }

    /// <summary>Where it is.</summary>
    public required TaskState State { get; set; }

    /// <summary>Why it waits or how it ended, where there is something to say.</summary>
    public Reason? Reason { get; set; }

    /// <summary>The name of the node of its last attempt, or of the accepted one; null before the first.</summary>
    public string? Node { get; set; }

    /// <summary>How often it was placed.</summary>
    public int Attempts { get; set; }

    /// <summary>The price of that attempt, in credits per hour; null before the first.</summary>
    public Price? Price { get; set; }

    /// <summary>What all its attempts have cost.</summary>
    public Credits Cost { get; set; }

    /// <summary>Its exit code; 128 + signal where one ended it; null before the end.</summary>
    public int? ExitCode { get; set; }

    /// <summary>When its last attempt began; null before.</summary>
    public UtcTime? StartedAt { get; set; }

    /// <summary>When it ended; null before.</summary>
    public UtcTime? EndedAt { get; set; }

    /// <summary>Each attempt, where they were asked for.</summary>
    public ImmutableArray<AttemptSummary> History { get; set; } = [];
}

/// <summary>One attempt in one line.</summary>
public sealed record AttemptSummary
{
    /// <summary>Its number within the task, from 1.</summary>
    public required int Number { get; set; }

    /// <summary>How it stands or ended.</summary>
    public required AttemptState State { get; set; }

    /// <summary>The node's name.</summary>
    public string Node { get; set; } = "";

    /// <summary>The price agreed.</summary>
    public Price Price { get; set; }

    /// <summary>What it has cost.</summary>
    public Credits Cost { get; set; }

    /// <summary>Its exit code; null before the end.</summary>
    public int? ExitCode { get; set; }

    /// <summary>How it ended, where there is something to say.</summary>
    public Reason? Reason { get; set; }

    /// <summary>When it was confirmed.</summary>
    public UtcTime StartedAt { get; set; }

    /// <summary>When it ended; null before.</summary>
    public UtcTime? EndedAt { get; set; }
}
