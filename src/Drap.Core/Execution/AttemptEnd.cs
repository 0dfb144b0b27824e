namespace Drap.Core.Execution;

/// <summary>
/// How an attempt ended, as whoever ran it saw it. That it was told to end is the worker's own knowledge and turns into the outcome
/// there: a program killed at its time-out reads <see cref="EndKind.Signalled"/> here and <c>TimedOut</c> in the result.
/// </summary>
/// <param name="Kind">What happened.</param>
/// <param name="Code">The exit code, or the signal's number for <see cref="EndKind.Signalled"/>.</param>
/// <param name="Detail">One line for a person; empty when the code says all; cut at <see cref="DetailCharsMax"/>.</param>
public readonly record struct AttemptEnd(EndKind Kind, int Code, string Detail)
{
    /// <summary>Characters of a detail that travel: a line on a screen or two, and below the 1 KiB of a result.</summary>
    public const int DetailCharsMax = 300;

    /// <summary>It left with exit code 0, its outputs are stored, and its check passed.</summary>
    public static readonly AttemptEnd Success = new(EndKind.Exited, 0, "");
}

/// <summary>What happened at the end of an attempt.</summary>
public enum EndKind
{
    /// <summary>The program left with an exit code; with 0, all outputs that it must leave are stored and the job's check passed.</summary>
    Exited = 1,

    /// <summary>A signal ended it.</summary>
    Signalled = 2,

    /// <summary>It could not be started, by its own fault: no such command (code 127), not executable (126), a bad template.</summary>
    NotStarted = 3,

    /// <summary>It used more memory, disk or processes than it was given; the detail says which.</summary>
    OverLimit = 4,

    /// <summary>It left with 0, but an output that it must leave was not there or could not be kept; the detail names it.</summary>
    OutputMissing = 5,

    /// <summary>It left with 0, but the job's own check said no.</summary>
    CheckFailed = 6,

    /// <summary>The node failed it: the disk was full, no process could be made. Not the task's fault.</summary>
    NodeFault = 7,

    /// <summary>A blob that it takes as an input is not to be had; nothing was started.</summary>
    InputMissing = 8,
}

/// <summary>What an attempt used.</summary>
/// <param name="Wall">From its start to its end, on the boot-time clock.</param>
/// <param name="Cpu">Processor time.</param>
/// <param name="PeakMemoryBytes">The most memory resident, in bytes; 0 where the machine does not tell.</param>
/// <param name="LogBytes">Bytes of log kept, of both streams.</param>
public readonly record struct AttemptUsage(TimeSpan Wall, TimeSpan Cpu, long PeakMemoryBytes, long LogBytes);
