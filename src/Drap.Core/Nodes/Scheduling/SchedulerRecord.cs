using System.Collections.Immutable;
using Drap.Core.Jobs;
using Drap.Core.Messages;

namespace Drap.Core.Nodes;

/// <summary>
/// What the scheduler's journal holds: facts and decisions, never something to be decided again. Everything that a scheduler knows
/// durably follows from applying these in order; see docs/protocol/records.md.
/// </summary>
public abstract record SchedulerRecord
{
    /// <summary>A record of many parts is ended before it passes this: with the largest part on top it stays below a record's limit.</summary>
    public const int BytesMax = 4 << 20;

    private SchedulerRecord()
    {
    }

    /// <summary>A start of the scheduler.</summary>
    public sealed record EpochBegan(Epoch Epoch, UtcTime At) : SchedulerRecord;

    /// <summary>A job was taken.</summary>
    /// <param name="Job">The id that the client made.</param>
    /// <param name="Number">The short number that people type, from 1.</param>
    /// <param name="Principal">Whose it is.</param>
    /// <param name="At">When.</param>
    /// <param name="Spec">The job as UTF-8 JSON.</param>
    /// <param name="OutFolder">Where the client wants its results; empty if it did not say.</param>
    /// <param name="Secrets">The values of its secrets, sealed with the node's key; empty if it has none.</param>
    public sealed record Submitted(
        JobId Job, int Number, Principal Principal, UtcTime At, ImmutableArray<byte> Spec, string OutFolder, ImmutableArray<byte> Secrets) : SchedulerRecord;

    /// <summary>Tasks of a job were placed on a worker; durable before the confirmation is sent.</summary>
    public sealed record Placed(JobId Job, PeerId Worker, string Node, Price Ask, UtcTime At, ImmutableArray<AttemptId> Attempts) : SchedulerRecord;

    /// <summary>Attempts ended; durable before the worker may forget them and before anyone is told.</summary>
    public sealed record Ended(JobId Job, UtcTime At, ImmutableArray<EndedAttempt> Attempts) : SchedulerRecord;

    /// <summary>All members of a gang acknowledged: they may start.</summary>
    public sealed record GangWent(JobId Job, int Segment, UtcTime At) : SchedulerRecord;

    /// <summary>A person did something to a job or to tasks of it.</summary>
    public sealed record Acted(JobId Job, UtcTime At, JobDeed Deed, ImmutableArray<int> Tasks) : SchedulerRecord;

    /// <summary>A job got new values; those not given stay.</summary>
    public sealed record Changed(JobId Job, UtcTime At, JobChange Change) : SchedulerRecord;

    /// <summary>Tasks came to an end without an attempt: what they need failed, or their deadline passed.</summary>
    public sealed record Closed(JobId Job, UtcTime At, TaskState State, string Detail, ImmutableArray<int> Tasks) : SchedulerRecord;

    /// <summary>The outputs of succeeded tasks are nowhere to be had: they are to run again, and what is under way of them counts no more.</summary>
    public sealed record OutputsLost(JobId Job, UtcTime At, ImmutableArray<int> Tasks) : SchedulerRecord;

    /// <summary>A job is over.</summary>
    public sealed record JobOver(JobId Job, UtcTime At, JobEnd End, string Reason) : SchedulerRecord;

    /// <summary>In a snapshot: the nodes that ever ran something, in the order of their indices.</summary>
    public sealed record Nodes(ImmutableArray<KnownNode> Known) : SchedulerRecord;

    /// <summary>In a snapshot, after its <see cref="Submitted"/> and <see cref="Changed"/>: how a job stands.</summary>
    public sealed record Standing(JobId Job, bool Held, JobEnd End, string Reason, UtcTime EndedAt, UtcTime ChangedAt, Credits Spent, ImmutableArray<int> GoneGangs)
        : SchedulerRecord;

    /// <summary>In a snapshot: how tasks of a job stand.</summary>
    public sealed record Rows(JobId Job, ImmutableArray<TaskRow> Tasks) : SchedulerRecord
    {
        /// <summary>Rows in one record: below 1 MiB unless outputs are many; then fewer (<see cref="BytesMax"/>).</summary>
        public const int CountMax = 1024;
    }

    /// <summary>In a snapshot: attempts whose end is not known.</summary>
    public sealed record Reopened(JobId Job, PeerId Worker, Price Ask, UtcTime At, ImmutableArray<AttemptId> Attempts) : SchedulerRecord;

    /// <summary>A job's history is dropped.</summary>
    public sealed record Forgotten(JobId Job) : SchedulerRecord;
}

/// <summary>A node that ever ran something.</summary>
/// <param name="Peer">Who.</param>
/// <param name="Name">What it is called.</param>
public sealed record KnownNode(PeerId Peer, string Name);

/// <summary>An attempt that ended.</summary>
/// <param name="Result">What the worker told; made up by the scheduler for what was lost.</param>
/// <param name="Verdict">What became of it.</param>
/// <param name="Worker">Where it was.</param>
/// <param name="Cost">What it cost.</param>
public sealed record EndedAttempt(AttemptResult Result, Verdict Verdict, PeerId Worker, Credits Cost);

/// <summary>What a person does to a job.</summary>
public enum JobDeed
{
    /// <summary>End it, or tasks of it.</summary>
    Cancel = 1,

    /// <summary>Place nothing more.</summary>
    Hold = 2,

    /// <summary>The hold's end.</summary>
    Release = 3,

    /// <summary>Take tasks back and place them anew.</summary>
    Requeue = 4,

    /// <summary>Run ended tasks again.</summary>
    Rerun = 5,
}

/// <summary>How a job ended.</summary>
public enum JobEnd
{
    /// <summary>It has not.</summary>
    None = 0,

    /// <summary>Every task succeeded.</summary>
    Succeeded = 1,

    /// <summary>A task failed for good.</summary>
    Failed = 2,

    /// <summary>A person ended it.</summary>
    Cancelled = 3,

    /// <summary>A task found no place by its deadline.</summary>
    NotPlaced = 4,

    /// <summary>A task ran past its time-out for the last time.</summary>
    TimedOut = 5,
}

/// <summary>New values for a job; null leaves one as it is.</summary>
public sealed record JobChange
{
    /// <summary>Only this segment; empty for all.</summary>
    public string Segment { get; init; } = "";

    /// <summary>Priority.</summary>
    public int? Priority { get; init; }

    /// <summary>The bid a task.</summary>
    public Price? Bid { get; init; }

    /// <summary>The highest price.</summary>
    public Price? Limit { get; init; }

    /// <summary>The job's budget.</summary>
    public Credits? Budget { get; init; }

    /// <summary>The longest run of an attempt.</summary>
    public TimeSpan? Timeout { get; init; }

    /// <summary>Retries.</summary>
    public int? Retries { get; init; }

    /// <summary>Failed tasks before the job is given up.</summary>
    public int? MaxFails { get; init; }

    /// <summary>Tasks at once.</summary>
    public int? Concurrency { get; init; }

    /// <summary>From the job's submit: by when tasks must be placed.</summary>
    public TimeSpan? Deadline { get; init; }
}
