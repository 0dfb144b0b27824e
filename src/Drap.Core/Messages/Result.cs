using System.Collections.Immutable;

namespace Drap.Core.Messages;

/// <summary>Ends of attempts, from the worker's outbox; sent again until acknowledged.</summary>
/// <param name="Scheduler">The scheduler as a role.</param>
/// <param name="Entries">The ends, at most <see cref="EntriesMax"/>.</param>
public sealed record Result(PeerId Scheduler, ImmutableArray<AttemptResult> Entries) : Message
{
    /// <summary>The most entries in one message.</summary>
    public const int EntriesMax = 1024;
}

/// <summary>How one attempt ended.</summary>
public sealed record AttemptResult
{
    /// <summary>The most outputs of one task.</summary>
    public const int OutputsMax = 1024;

    /// <summary>The most blobs that one result calls missing: 10 KiB of names. With more, the rest shows when the attempt is made anew.</summary>
    public const int MissingMax = 256;

    /// <summary>The attempt.</summary>
    public required AttemptId Attempt { get; init; }

    /// <summary>How it ended.</summary>
    public required Outcome Outcome { get; init; }

    /// <summary>The exit code; 128 + the signal's number for an end by signal.</summary>
    public int ExitCode { get; init; }

    /// <summary>One line for a person: the cause of a failure; at most 1 KiB; empty on success.</summary>
    public string Detail { get; init; } = "";

    /// <summary>The declared outputs, by name.</summary>
    public ImmutableArray<TaskOutput> Outputs { get; init; } = [];

    /// <summary>From its start to its end on the worker's clock.</summary>
    public TimeSpan Wall { get; init; }

    /// <summary>From the lease to its start: the time that it stood in line.</summary>
    public TimeSpan Waited { get; init; }

    /// <summary>Processor time used.</summary>
    public TimeSpan Cpu { get; init; }

    /// <summary>The most memory it had resident, in bytes.</summary>
    public long PeakMemoryBytes { get; init; }

    /// <summary>Bytes of log kept, of both streams.</summary>
    public long LogBytes { get; init; }

    /// <summary>With <see cref="Outcome.InputMissing"/>, the inputs that could not be had, in their order; at most <see cref="MissingMax"/>.</summary>
    public ImmutableArray<MissingInput> Missing { get; init; } = [];

    /// <summary>Bytes that it takes on the wire or in the journal, at most: results are put together until a message or a record is full.</summary>
    public int WireBytes => 160 + (3 * Detail.Length) + Outputs.Sum(o => o.WireBytes) + (44 * Missing.Length);
}

/// <summary>One output of a finished task.</summary>
/// <param name="Name">The declared name.</param>
/// <param name="Content">Its content; a folder's is a UnixFS directory.</param>
/// <param name="Bytes">Its size.</param>
/// <param name="Executable">Whether it is a file that may be executed; a folder says it of its files itself.</param>
public sealed record TaskOutput(string Name, Cid Content, long Bytes, bool Executable = false)
{
    /// <summary>Bytes that it takes on the wire or in the journal, at most.</summary>
    public int WireBytes => 60 + (3 * Name.Length);
}

/// <summary>An input that could not be had.</summary>
/// <param name="Content">What it holds; of a folder, the folder's own name, whatever of it is missing.</param>
public sealed record MissingInput(Cid Content);

/// <summary>How an attempt ended.</summary>
public enum Outcome
{
    /// <summary>Exit code, declared outputs and check say that the result is valid.</summary>
    Succeeded = 1,

    /// <summary>The program ended with a code other than 0.</summary>
    Failed = 2,

    /// <summary>It ran longer than its time-out.</summary>
    TimedOut = 3,

    /// <summary>It was ended from outside: cancelled, settled or superseded.</summary>
    Cancelled = 4,

    /// <summary>It used more memory, disk or processes than leased.</summary>
    OverLimit = 5,

    /// <summary>A declared output was not there, or could not be kept.</summary>
    OutputMissing = 6,

    /// <summary>The job's own check said no.</summary>
    CheckFailed = 7,

    /// <summary>It could not be started: no such command (127), not executable (126), a bad template.</summary>
    NotStarted = 8,

    /// <summary>Its lease ended while no scheduler was there, and it was to stop then.</summary>
    LeaseLost = 9,

    /// <summary>The node failed it: the disk was full, no process could be made, the node stopped. Not the task's fault.</summary>
    NodeFault = 10,

    /// <summary>A blob that it takes as an input is nowhere to be had; <see cref="AttemptResult.Missing"/> names it. Nothing was started.</summary>
    InputMissing = 11,

    /// <summary>A signal that was not the worker's ended the program; the exit code is 128 and its number.</summary>
    Signalled = 12,
}

/// <summary>The scheduler has each of these ends on disk: the worker may forget them.</summary>
/// <param name="Attempts">The attempts.</param>
public sealed record ResultAck(ImmutableArray<AttemptId> Attempts) : Message
{
    /// <summary>The scheduler's signature under confirmations that it sent before; see <see cref="Evidence"/>. Mostly empty.</summary>
    public ImmutableArray<byte> Seal { get; init; } = [];
}

/// <summary>What attempts cost: the worker's account, which the scheduler compares with its own.</summary>
/// <param name="Principal">Who owes.</param>
/// <param name="Entries">One entry an attempt.</param>
public sealed record Receipt(Principal Principal, ImmutableArray<ReceiptEntry> Entries) : Message
{
    /// <summary>The worker's signature under this receipt and the offers that it sent before; see <see cref="Evidence"/>. Empty where swarms have no certificates.</summary>
    public ImmutableArray<byte> Seal { get; init; } = [];
}

/// <summary>What one attempt cost.</summary>
/// <param name="Attempt">The attempt.</param>
/// <param name="Price">The price agreed.</param>
/// <param name="Billed">The time billed: the lesser of both sides' clocks.</param>
/// <param name="Amount">Price for that time.</param>
public sealed record ReceiptEntry(AttemptId Attempt, Price Price, TimeSpan Billed, Credits Amount);

/// <summary>A piece of what a running attempt wrote.</summary>
/// <param name="Attempt">The attempt.</param>
/// <param name="Stream">1 for stdout, 2 for stderr.</param>
/// <param name="Offset">The stream's byte at which the piece begins; a gap means that the bound was reached and bytes were dropped.</param>
/// <param name="Bytes">The piece, at most <see cref="BytesMax"/>.</param>
public sealed record LogChunk(AttemptId Attempt, int Stream, long Offset, ImmutableArray<byte> Bytes) : Message
{
    /// <summary>64 KiB: a pipe's worth.</summary>
    public const int BytesMax = 65_536;
}

/// <summary>A piece of an attempt's standard input.</summary>
/// <param name="Attempt">The attempt.</param>
/// <param name="Offset">Where in the stream the piece begins.</param>
/// <param name="Bytes">The piece, at most <see cref="LogChunk.BytesMax"/>.</param>
/// <param name="End">Whether the stream ends with it.</param>
public sealed record StdinChunk(AttemptId Attempt, long Offset, ImmutableArray<byte> Bytes, bool End) : Message;

/// <summary>How far the attempt's standard input may be sent: the worker's back-pressure.</summary>
/// <param name="Attempt">The attempt.</param>
/// <param name="Until">The stream's byte up to which the worker has room.</param>
public sealed record StdinCredit(AttemptId Attempt, long Until) : Message;
