using System.Buffers;

namespace Drap.Libp2p.Host.Memory;

/// <summary>
/// Bytes that came on one stream and were not read yet, in pooled pieces, counted by what they occupy. A mutable struct: keep it in a field
/// under its connection's lock.
/// </summary>
internal struct Inbox
{
    // The first piece fits a usual small message; the next ones are larger, since then the reader is behind.
    private const int FirstBytes = 1024;
    private const int LaterBytes = 16 * 1024;

    private Piece? first, last;

    /// <summary>Bytes to read.</summary>
    public int Length { get; private set; }

    /// <summary>The first bytes to read, as many as lie together.</summary>
    public readonly ReadOnlySpan<byte> Front => first is null ? default : first.Bytes.AsSpan(first.Start, first.End - first.Start);

    public void Add(ReadOnlySpan<byte> bytes, PeerMemory memory)
    {
        Length += bytes.Length;
        while (!bytes.IsEmpty)
        {
            if (last is null || last.End == last.Bytes.Length)
            {
                int size = Math.Clamp(bytes.Length, first is null ? FirstBytes : LaterBytes, ChunkPool.ChunkBytes);
                var piece = new Piece(ArrayPool<byte>.Shared.Rent(size));
                memory.Take(piece.Bytes.Length);
                if (last is null)
                    first = piece;
                else
                    last.Next = piece;
                last = piece;
            }
            int taken = Math.Min(bytes.Length, last.Bytes.Length - last.End);
            bytes[..taken].CopyTo(last.Bytes.AsSpan(last.End));
            last.End += taken;
            bytes = bytes[taken..];
        }
    }

    /// <summary>Moves bytes to the reader.</summary>
    public int Read(Span<byte> destination, PeerMemory memory)
    {
        int read = 0;
        while (first is not null && read < destination.Length)
        {
            int taken = Math.Min(destination.Length - read, first.End - first.Start);
            first.Bytes.AsSpan(first.Start, taken).CopyTo(destination[read..]);
            Skip(taken, memory);
            read += taken;
        }
        return read;
    }

    /// <summary>Forgets the first bytes, which must lie in <see cref="Front"/>.</summary>
    public void Skip(int bytes, PeerMemory memory)
    {
        if (bytes == 0)
            return;
        Invariant.Check(first is not null && bytes <= first.End - first.Start);
        first.Start += bytes;
        Length -= bytes;
        if (first.Start < first.End)
            return;
        Piece done = first;
        first = done.Next;
        if (first is null)
            last = null;
        memory.Return(done.Bytes.Length);
        ArrayPool<byte>.Shared.Return(done.Bytes);
    }

    /// <summary>Forgets everything; returns how much that was.</summary>
    public int Clear(PeerMemory memory)
    {
        int dropped = Length;
        while (first is not null)
            Skip(first.End - first.Start, memory);
        return dropped;
    }

    private sealed class Piece(byte[] bytes)
    {
        public readonly byte[] Bytes = bytes;
        public int Start, End;
        public Piece? Next;
    }
}
