using System.Runtime.InteropServices;

namespace Drap.Cli;

/// <summary>
/// Ctrl+C, and the signals that mean the same: the first asks the command to come to its end as it said it would, the second ends the process.
/// </summary>
internal sealed class Interrupts : IDisposable
{
    /// <summary>To kill some hundred processes takes a fraction of it; whoever presses twice does not want to wait for one that hangs.</summary>
    private static readonly TimeSpan leavePatience = TimeSpan.FromSeconds(3);

    private readonly CancellationTokenSource first = new();
    private readonly List<PosixSignalRegistration> signals = [];
    private int count;

    /// <summary>Cancelled by the first one.</summary>
    public CancellationToken Token => first.Token;

    /// <summary>Whether there was one.</summary>
    public bool Any => first.IsCancellationRequested;

    /// <summary>What must still be done at the second, for as long as <see cref="leavePatience"/>.</summary>
    public Action? Leaving { get; set; }

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
        int raised = Interlocked.Increment(ref count);
        // Not on the signal's own thread: what waits on the token goes on there.
        if (raised == 1)
            ThreadPool.QueueUserWorkItem(_ => first.Cancel());
        else if (raised == 2)
            new Thread(Leave) { IsBackground = true }.Start();
    }

    private void Leave()
    {
        if (Leaving is { } leave)
        {
            var leaving = new Thread(() => leave()) { IsBackground = true };
            leaving.Start();
            leaving.Join(leavePatience);
        }
        Environment.Exit(ExitCode.Interrupted);
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration signal in signals)
            signal.Dispose();
        first.Dispose();
    }
}
