namespace Drap.Cli;

/// <summary>What the shell sees; docs/exit-codes.md says it to users. These never change.</summary>
internal static class ExitCode
{
    public const int Ok = 0, Error = 1, Usage = 2, JobFailed = 3, NotPlaced = 4, TimedOut = 5, Interrupted = 130;

    /// <summary>For <c>drap run -- COMMAND</c>, whose own code is the command's: what <c>env</c> and <c>docker run</c> answer.</summary>
    public const int OwnFailure = 125, NotExecutable = 126, NotFound = 127;

    /// <summary>Whoever read the output of a command has gone: 128 + SIGPIPE, as a shell has it.</summary>
    public const int BrokenPipe = 141;

    /// <summary>The same as the system's own number (errno), which the framework's exceptions carry.</summary>
    public const int BrokenPipeError = 32;

    public static int Of(JobSummary job) => job.State == JobState.Finished ? Ok : job.Reason?.Code switch
    {
        ReasonCodes.NotPlaced => NotPlaced,
        ReasonCodes.Timeout => TimedOut,
        _ => JobFailed,
    };

    /// <summary>The code of an ad-hoc job's only task.</summary>
    public static int Of(TaskSummary task) => task.Reason?.Code switch
    {
        ReasonCodes.CommandNotFound => NotFound,
        ReasonCodes.CommandNotExecutable => NotExecutable,
        ReasonCodes.ExitCode or ReasonCodes.Signal or null when task.ExitCode is { } code => code,
        _ => task.State == TaskState.Finished ? Ok : OwnFailure,
    };
}

/// <summary>An end of the command that is said on standard error and has its own exit code.</summary>
internal sealed class CliException(int exitCode, string message, string? next = null) : Exception(message)
{
    public int ExitCode { get; } = exitCode;

    /// <summary>What to do about it; null where the message says it.</summary>
    public string? Next { get; } = next;
}
