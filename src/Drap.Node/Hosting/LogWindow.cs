using Drap.Node.Drivers;

namespace Drap.Node.Hosting;

/// <summary>
/// What of one output stream goes to the scheduler: its beginning while the task runs, its end when it has ended, together at most
/// <paramref name="Max"/> bytes. What lies between is dropped, and shows as a gap.
/// </summary>
/// <param name="Max">The bound.</param>
internal readonly record struct LogWindow(long Max)
{
    /// <summary>Of the end, at most this: the driver keeps no more in memory.</summary>
    public const long TailMax = 4L << 20;

    /// <summary>Bytes from the beginning.</summary>
    public long Head => Max - Math.Min(Max / 2, TailMax);

    /// <summary>What of a piece belongs to the beginning.</summary>
    public ReadOnlySpan<byte> WhileRunning(long offset, ReadOnlySpan<byte> bytes) => bytes[..(int)Math.Clamp(Head - offset, 0, bytes.Length)];

    /// <summary>Sends the end, as far as it was not sent before and the driver has it.</summary>
    public void AtEnd(in CapturedLog log, LogSink send)
    {
        if (log.Total <= Head)
            return;
        long from = Math.Max(Head, log.Total - (Max - Head));
        Send(0, log.Head.Span);
        Send(log.Head.Length + log.Dropped, log.Tail.Span);

        void Send(long offset, ReadOnlySpan<byte> kept)
        {
            long skip = Math.Max(from - offset, 0);
            if (skip < kept.Length)
                send(offset + skip, kept[(int)skip..]);
        }
    }
}

/// <summary>Takes a piece of a stream.</summary>
internal delegate void LogSink(long offset, ReadOnlySpan<byte> bytes);
