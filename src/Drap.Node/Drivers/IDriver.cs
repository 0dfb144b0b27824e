namespace Drap.Node.Drivers;

/// <summary>
/// Runs attempts. It performs and reports; when to end an attempt, and what its end means, is decided by whoever calls.
/// All members may be called from any thread and none blocks.
/// </summary>
public interface IDriver : IDisposable
{
    /// <summary>As a job names it: <c>process</c>, <c>dotnet</c>.</summary>
    string Name { get; }

    /// <summary>
    /// Takes attempts on, the first ones first, and says how many it took: fewer than given when its bounded queue is full. Each one
    /// taken is reported by exactly one <see cref="IDriverEvents.Exited"/>, whatever happens to it.
    /// </summary>
    int Start(ReadOnlySpan<LaunchPlan> plans);

    /// <summary>Asks the family to end, or ends it; false when no such attempt is here. Before the start it means that it never starts.</summary>
    bool Signal(AttemptId attempt, AttemptSignal signal);

    /// <summary>
    /// Feeds stdin; says how many bytes were taken. Fewer than given means that the buffer is full: go on after
    /// <see cref="IDriverEvents.StdinRoom"/>. With <paramref name="end"/> and all bytes taken, stdin is closed after them.
    /// -1: no such attempt, it has no stdin, or the task closed it.
    /// </summary>
    int WriteStdin(AttemptId attempt, ReadOnlySpan<byte> bytes, bool end);
}

/// <summary>How an attempt is told to end.</summary>
public enum AttemptSignal
{
    /// <summary>SIGTERM to each process of the family: it may clean up.</summary>
    Term,

    /// <summary>SIGKILL to each process of the family, until none is left.</summary>
    Kill,
}

/// <summary>
/// What drivers report. Called on a driver's own threads, for one attempt in order, for different attempts at the same time; an
/// implementation hands over to its loop and returns. While <see cref="Log"/> does not return, the task waits as soon as its pipe is full.
/// </summary>
public interface IDriverEvents
{
    /// <summary>These run now. An attempt whose command could not be started has no start.</summary>
    void Started(ReadOnlySpan<AttemptStart> starts);

    /// <summary>A piece of a stream, with the offset of its first byte; each stream's bytes come in order, none left out. Valid until it returns.</summary>
    void Log(AttemptId attempt, LogStream stream, long offset, ReadOnlySpan<byte> bytes);

    /// <summary>A stdin buffer that was full has room again.</summary>
    void StdinRoom(AttemptId attempt);

    /// <summary>These have ended, their families with them. The captured logs are valid until it returns.</summary>
    void Exited(ReadOnlySpan<AttemptExit> exits);
}

/// <summary>The start of an attempt.</summary>
/// <param name="Attempt">The attempt.</param>
/// <param name="At">The moment when its program was loaded, or its handler called.</param>
/// <param name="ProcessId">The process; 0 for a handler.</param>
public readonly record struct AttemptStart(AttemptId Attempt, Instant At, int ProcessId);

/// <summary>Which output stream.</summary>
public enum LogStream
{
    Stdout,
    Stderr,
}
