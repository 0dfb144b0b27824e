namespace Drap.Node.Drivers;

/// <summary>The end of an attempt.</summary>
public readonly record struct AttemptExit
{
    public required AttemptId Attempt { get; init; }

    public required ExitReason Reason { get; init; }

    /// <summary>The exit code, as the shell would have it: 126 and 127 for a command that could not be run, 128 + the signal's number after a signal.</summary>
    public required int ExitCode { get; init; }

    /// <summary>The signal that ended the main process; 0 for none.</summary>
    public int Signal { get; init; }

    /// <summary>What a person should read about it; null when the exit code says all.</summary>
    public string? Message { get; init; }

    public Usage Usage { get; init; }

    /// <summary>What was kept of stdout. Valid during the callback only.</summary>
    public CapturedLog Stdout { get; init; }

    /// <summary>What was kept of stderr. Valid during the callback only.</summary>
    public CapturedLog Stderr { get; init; }
}

/// <summary>Why an attempt ended. That it was told to end is the caller's knowledge: it then reads <see cref="Signaled"/> or <see cref="Exited"/>.</summary>
public enum ExitReason
{
    /// <summary>The main process left with an exit code, or the handler returned.</summary>
    Exited,

    /// <summary>A signal ended the main process, or the attempt was told to end before it began.</summary>
    Signaled,

    /// <summary>There is no such command or handler: exit code 127.</summary>
    NotFound,

    /// <summary>The command is there but cannot be executed: exit code 126.</summary>
    NotExecutable,

    /// <summary>It went over its memory limit.</summary>
    OutOfMemory,

    /// <summary>Its work folder went over its limit.</summary>
    Disk,

    /// <summary>Its inputs or its folder could not be prepared; no fault of the task.</summary>
    PrepareFailed,

    /// <summary>Its outputs could not be collected.</summary>
    CollectFailed,

    /// <summary>A handler threw.</summary>
    HandlerFailed,

    /// <summary>The machine could not start a process (out of processes, of memory, of descriptors); no fault of the task.</summary>
    Machine,
}

/// <summary>What an attempt used.</summary>
/// <param name="Wall">From start to end.</param>
/// <param name="Cpu">User and system time of the main process and of all that it waited for.</param>
/// <param name="PeakMemoryBytes">The most memory, as exactly as the machine tells; 0 where it does not.</param>
/// <param name="DiskBytes">Size of the work folder when last looked at; 0 for those too short to be looked at.</param>
public readonly record struct Usage(TimeSpan Wall, TimeSpan Cpu, long PeakMemoryBytes, long DiskBytes);

/// <summary>What was kept of a stream: its beginning, its end, and how many bytes were dropped between. Valid during the callback that brings it.</summary>
/// <param name="Head">The beginning.</param>
/// <param name="Tail">What came last; with nothing dropped it follows the head at once.</param>
/// <param name="Dropped">Bytes between the two that were not kept.</param>
public readonly record struct CapturedLog(ReadOnlyMemory<byte> Head, ReadOnlyMemory<byte> Tail, long Dropped)
{
    /// <summary>Bytes that the task wrote.</summary>
    public long Total => Head.Length + Dropped + Tail.Length;

    /// <summary>A copy of all that was kept, end after beginning.</summary>
    public byte[] ToArray()
    {
        var bytes = new byte[Head.Length + Tail.Length];
        Head.CopyTo(bytes);
        Tail.CopyTo(bytes.AsMemory(Head.Length));
        return bytes;
    }
}
