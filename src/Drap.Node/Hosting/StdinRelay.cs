using Drap.Core.Messages;

namespace Drap.Node.Hosting;

/// <summary>Standard input on its way to one attempt: pieces in order, each byte once, held until the driver takes them.</summary>
internal sealed class StdinRelay(PeerId scheduler)
{
    private readonly Lock gate = new();
    private readonly Queue<ReadOnlyMemory<byte>> pieces = new();
    private long received;
    private long taken;
    private bool isEnded;
    private bool isClosed;

    /// <summary>From whom it comes.</summary>
    public PeerId Scheduler { get; } = scheduler;

    /// <summary>Takes a piece; false for one that was had already or that does not follow.</summary>
    public bool Add(StdinChunk chunk)
    {
        lock (gate)
        {
            if (chunk.Offset != received || isEnded)
                return false;
            if (chunk.Bytes.Length > 0)
                pieces.Enqueue(chunk.Bytes.AsMemory());
            received += chunk.Bytes.Length;
            isEnded = chunk.End;
            return true;
        }
    }

    /// <summary>Offers what waits to <paramref name="write"/>; the bytes taken so far if that moved, else null.</summary>
    public long? Feed(StdinWriter write)
    {
        lock (gate)
        {
            long before = taken;
            while (!isClosed && (pieces.Count > 0 || isEnded))
            {
                ReadOnlyMemory<byte> piece = pieces.Count > 0 ? pieces.Peek() : default;
                bool last = isEnded && pieces.Count <= 1;
                int wrote = write(piece.Span, last);
                if (wrote < 0)
                {
                    // Not started yet, or the task closed it: what waits stays until the start, or goes with the attempt.
                    break;
                }
                taken += wrote;
                if (wrote < piece.Length)
                {
                    if (pieces.Count > 0)
                    {
                        Queue<ReadOnlyMemory<byte>> rest = new([piece[wrote..], .. pieces.Skip(1)]);
                        pieces.Clear();
                        foreach (ReadOnlyMemory<byte> p in rest)
                            pieces.Enqueue(p);
                    }
                    break;
                }
                if (pieces.Count > 0)
                    pieces.Dequeue();
                isClosed = last;
            }
            return taken == before ? null : taken;
        }
    }
}

/// <summary>Writes standard input; says how many bytes were taken, or -1.</summary>
internal delegate int StdinWriter(ReadOnlySpan<byte> bytes, bool end);
