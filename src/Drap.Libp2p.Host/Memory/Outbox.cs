using Drap.Libp2p.Host.Links;

namespace Drap.Libp2p.Host.Memory;

/// <summary>
/// What waits to be sent on one connection, as plaintext laid out in the frames in which it will be sealed: whatever many streams have to
/// say meanwhile goes out in one frame and one send. Owned by its connection's lock.
/// </summary>
internal sealed class Outbox(ChunkPool chunks, Sealing sealing)
{
    /// <summary>
    /// Frames that may wait: 256 KiB, a stream's first window. Enough to keep a sender busy; writers wait above it, so that one connection that
    /// does not move holds no more.
    /// </summary>
    private const int FramesMax = 4;

    private readonly byte[]?[] frames = new byte[FramesMax][];
    private readonly int[] lengths = new int[FramesMax];
    private int first, count;

    public bool HasBytes => count > 0;

    /// <summary>Room behind what waits, at least <paramref name="least"/> bytes together; empty when there is none until something was sent.</summary>
    public Span<byte> Room(int least)
    {
        int last = (first + count - 1) % FramesMax;
        if (count == 0 || sealing.PlainMax - lengths[last] < least)
        {
            if (count == FramesMax)
                return default;
            last = (first + count) % FramesMax;
            frames[last] = chunks.Rent();
            lengths[last] = 0;
            count++;
        }
        return frames[last].AsSpan(sealing.Before + lengths[last], sealing.PlainMax - lengths[last]);
    }

    /// <summary>The first bytes of what <see cref="Room"/> gave were written.</summary>
    public void Commit(int bytes)
    {
        Invariant.Check(count > 0);
        lengths[(first + count - 1) % FramesMax] += bytes;
    }

    /// <summary>Takes the first frame; the caller seals it, sends it and returns its chunk. An empty array when there is none.</summary>
    public byte[] Take(out int plainLength)
    {
        while (count > 0)
        {
            byte[] frame = frames[first]!;
            plainLength = lengths[first];
            frames[first] = null;
            first = (first + 1) % FramesMax;
            count--;
            if (plainLength > 0)
                return frame;
            // Room was asked for and not used.
            chunks.Return(frame);
        }
        plainLength = 0;
        return [];
    }

    /// <summary>
    /// If what follows a taken frame is all that waits, and so little that it fits behind that frame in its chunk: lays it there, at <paramref name="at"/>, as the
    /// plaintext of a frame of its own, and returns its length; else 0. A block of 64 KiB with its header is a little more than a frame holds.
    /// </summary>
    public int TakeBehind(byte[] frame, int at)
    {
        if (count != 1 || lengths[first] > frame.Length - at - sealing.Around)
            return 0;
        byte[] rest = Take(out int plainLength);
        if (rest.Length == 0)
            return 0;
        rest.AsSpan(sealing.Before, plainLength).CopyTo(frame.AsSpan(at + sealing.Before));
        chunks.Return(rest);
        return plainLength;
    }

    public void Clear()
    {
        while (Take(out _) is { Length: > 0 } frame)
            chunks.Return(frame);
    }
}
