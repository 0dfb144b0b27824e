using Drap.Node.Sandbox;

namespace Drap.Node.Drivers;

/// <summary>One output stream of the slot's attempt: read from its pipe, handed on in chunks (the first at once), and kept within the bound.</summary>
internal sealed unsafe class OutputStream(LogStream stream, int keepMax)
{
    /// <summary>A full pipe: one read, one chunk.</summary>
    private const int ChunkBytes = 64 * 1024;

    private static readonly TimeSpan ChunkInterval = TimeSpan.FromMilliseconds(100);

    private readonly byte[] chunk = GC.AllocateUninitializedArray<byte>(ChunkBytes);
    private readonly LogCapture capture = new(keepMax);
    private int pending;
    private Instant nextChunkAt;

    /// <summary>The pipe's end that we read; -1 after its end.</summary>
    public int Pipe { get; private set; } = -1;

    /// <summary>When what is pending must be handed on; never while nothing is.</summary>
    public Instant FlushAt => pending == 0 ? Instant.Never : nextChunkAt;

    public void Open(int pipe)
    {
        Pipe = pipe;
        pending = 0;
        nextChunkAt = Instant.Zero;
        capture.Clear();
    }

    /// <summary>Reads once, which does not block when poll said so.</summary>
    public void Read(AttemptId attempt, IDriverEvents events, Instant now)
    {
        nint got;
        fixed (byte* start = chunk)
            got = Libc.read(Pipe, start + pending, (nuint)(ChunkBytes - pending));
        if (got < 0 && Libc.LastError is Libc.EINTR or Libc.EAGAIN)
            return;
        if (got <= 0)
        {
            _ = Libc.close(Pipe);
            Pipe = -1;
            return;
        }
        pending += (int)got;
        if (pending == ChunkBytes || now >= nextChunkAt)
            Flush(attempt, events, now);
    }

    /// <summary>Hands on what is pending.</summary>
    public void Flush(AttemptId attempt, IDriverEvents events, Instant now)
    {
        if (pending == 0)
            return;
        ReadOnlySpan<byte> bytes = chunk.AsSpan(0, pending);
        long offset = capture.Total;
        capture.Append(bytes);
        pending = 0;
        nextChunkAt = now + ChunkInterval;
        events.Log(attempt, stream, offset, bytes);
    }

    /// <summary>After the family's end: reads what still lies in the pipe, hands all on, and closes it.</summary>
    public void Drain(AttemptId attempt, IDriverEvents events, Instant now)
    {
        while (Pipe >= 0)
        {
            // Someone outside the family may hold the other end: then what is there now is all that we wait for.
            var poll = new Libc.PollFd { Fd = Pipe, Events = Libc.POLLIN };
            if (Libc.poll(&poll, 1, 0) <= 0)
            {
                _ = Libc.close(Pipe);
                Pipe = -1;
                break;
            }
            Read(attempt, events, now);
        }
        Flush(attempt, events, now);
    }

    public CapturedLog Snapshot() => capture.Snapshot();

    public void Clear() => capture.Clear();
}
