using System.Runtime.InteropServices;

namespace Drap.Cli;

/// <summary>
/// Ctrl+C, and the signals that mean the same: the first asks the command to come to its end as it said it would, the second ends the process.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    private readonly CancellationTokenSource first = new();
    private readonly List<PosixSignalRegistration> signals = [];
    private int count;

    /// <summary>Cancelled by the first one.</summary>
    public CancellationToken Token => first.Token;

    /// <summary>Whether there was one.</summary>
    public bool Any => first.IsCancellationRequested;

    /// <summary>Listens to this process's signals.</summary>
    public static Interrupts OfProcess()
    {
        var interrupts = new Interrupts();
        foreach (PosixSignal signal in (ReadOnlySpan<PosixSignal>)[PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP])
            interrupts.signals.Add(PosixSignalRegistration.Create(signal, c =>
            {
                c.Cancel = true;
                interrupts.Raise();
            }));
        return interrupts;
    }

    /// <summary>What a signal does.</summary>
    public void Raise()
    {
        if (Interlocked.Increment(ref count) == 1)
            // Not on the signal's own thread: what waits on the token goes on there.
            ThreadPool.QueueUserWorkItem(_ => first.Cancel());
        else
            Environment.Exit(ExitCode.Interrupted);
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration signal in signals)
            signal.Dispose();
        first.Dispose();
    }
}
