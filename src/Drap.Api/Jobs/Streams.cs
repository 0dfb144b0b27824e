namespace Drap.Api;

/// <summary>Which of a task's two streams.</summary>
public enum LogStream
{
    /// <summary>Standard output.</summary>
    Stdout,

    /// <summary>Standard error.</summary>
    Stderr,
}

/// <summary>A piece of what a task wrote, in the order in which it was read from it.</summary>
public sealed record LogChunk
{
    /// <summary>Most bytes in one piece: a pipe's worth, so that a reader who stops holds no more than this per task in flight.</summary>
    public const int BytesMax = 64 * 1024;

    /// <summary>The task's number.</summary>
    public required int Task { get; set; }

    /// <summary>The attempt's number.</summary>
    public int Attempt { get; set; }

    /// <summary>Which stream.</summary>
    public LogStream Stream { get; set; }

    /// <summary>How many bytes of this stream of this attempt came before it.</summary>
    public long Offset { get; set; }

    /// <summary>Bytes before this piece that were dropped, since the kept part of a log is bounded; 0 usually.</summary>
    public long Dropped { get; set; }

    /// <summary>The bytes, base64 in JSON.</summary>
    public ReadOnlyMemory<byte> Data { get; set; }
}

/// <summary>What a reader of logs wants.</summary>
public sealed record LogQuery
{
    /// <summary>The tasks; empty means all of the job.</summary>
    public IReadOnlyList<TaskRange> Tasks { get; set; } = [];

    /// <summary>Only this stream; null means both.</summary>
    public LogStream? Stream { get; set; }

    /// <summary>Only this attempt; null means the accepted one or the last.</summary>
    public int? Attempt { get; set; }

    /// <summary>Stay and send what is written, attempt after attempt, until the tasks have ended.</summary>
    public bool Follow { get; set; }

    /// <summary>Only about this many bytes from the end of each task's log; null means all that is kept.</summary>
    public long? TailBytes { get; set; }
}

/// <summary>What happened.</summary>
public enum EventKind
{
    /// <summary>The first one in a stream: how the job stands as the stream begins.</summary>
    Snapshot,

    /// <summary>The job's state, counts, cost or expected end changed. Sent at most ten times a second per job, and at once at its end.</summary>
    Job,

    /// <summary>A task's state changed; only in streams that asked for tasks.</summary>
    Task,

    /// <summary>A word for the user: a bid rose, a worker is avoided, a disk is full.</summary>
    Notice,

    /// <summary>Events were left out, since the reader was too slow; the next one is a <see cref="Snapshot"/>.</summary>
    Gap,
}

/// <summary>Something that happened to a job.</summary>
public sealed record JobEvent
{
    /// <summary>Events that wait for a slow reader before a <see cref="EventKind.Gap"/>: about a second of a busy job.</summary>
    public const int BacklogMax = 4096;

    /// <summary>What happened.</summary>
    public required EventKind Kind { get; set; }

    /// <summary>When.</summary>
    public UtcTime At { get; set; }

    /// <summary>The job, with <see cref="EventKind.Snapshot"/> and <see cref="EventKind.Job"/>.</summary>
    public JobSummary? Job { get; set; }

    /// <summary>Its segments, with the same two.</summary>
    public IReadOnlyList<SegmentSummary>? Segments { get; set; }

    /// <summary>The task, with <see cref="EventKind.Task"/>.</summary>
    public TaskSummary? Task { get; set; }

    /// <summary>The words, with <see cref="EventKind.Notice"/>.</summary>
    public string? Message { get; set; }
}
