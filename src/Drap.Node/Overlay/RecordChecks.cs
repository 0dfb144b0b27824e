namespace Drap.Node.Overlay;

/// <summary>Checks signed records beside what brings them, a few at a time: a signature costs a tenth of a millisecond, and an ad must not wait for it.</summary>
internal sealed class RecordChecks
{
    /// <summary>Checks that wait or run; what comes beyond is passed over.</summary>
    private const int Max = 16;

    private int running;

    public void Run(Action check)
    {
        if (Interlocked.Increment(ref running) > Max)
        {
            Interlocked.Decrement(ref running);
            return;
        }
        ThreadPool.UnsafeQueueUserWorkItem(
            _ =>
            {
                try
                {
                    check();
                }
                finally
                {
                    Interlocked.Decrement(ref running);
                }
            },
            null);
    }
}
