using Drap.Libp2p.Gossipsub;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>What a frame's fate was.</summary>
internal enum Queued
{
    /// <summary>It waits to be written.</summary>
    Taken,

    /// <summary>It was lost, as it may be.</summary>
    Lost,

    /// <summary>It may not be lost, and there is no room: the stream is to be ended.</summary>
    Overflowed,
}

/// <summary>
/// Frames that wait to be written to one peer. Gossip is lost first, then messages; of control twice as much fits, and beyond that the peer is not worth
/// keeping. Thread-safe.
/// </summary>
internal sealed class PeerQueue(PubSubOptions options)
{
    /// <summary>Small frames are written together up to this size: one frame of the connection and one system call for many.</summary>
    public const int TogetherBytesMax = 60 << 10;

    private readonly Lock gate = new();
    private readonly Queue<ReadOnlyMemory<byte>> frames = new();
    private int bytes;

    /// <summary>Bytes that wait.</summary>
    public int Bytes => Volatile.Read(ref bytes);

    public Queued Add(ReadOnlyMemory<byte> frame, FrameKind kind)
    {
        lock (gate)
        {
            int share = kind switch { FrameKind.Gossip => 1, FrameKind.Message => 2, _ => 4 };
            // A message larger than the queue goes alone.
            bool fits = frames.Count == 0
                || ((long)bytes + frame.Length <= (long)options.PeerQueueBytesMax * share / 2 && frames.Count < (long)options.PeerQueueFramesMax * share / 2);
            if (!fits)
                return kind == FrameKind.Control ? Queued.Overflowed : Queued.Lost;
            frames.Enqueue(frame);
            bytes += frame.Length;
            return Queued.Taken;
        }
    }

    /// <summary>Takes what is to be written next: a frame, or several small ones put together in <paramref name="together"/>, which has room for them. Empty if nothing waits.</summary>
    public ReadOnlyMemory<byte> Take(ref byte[]? together, Func<byte[]> rent)
    {
        lock (gate)
        {
            if (!frames.TryDequeue(out ReadOnlyMemory<byte> first))
                return default;
            bytes -= first.Length;
            if (!frames.TryPeek(out ReadOnlyMemory<byte> next) || first.Length + next.Length > TogetherBytesMax)
                return first;
            together ??= rent();
            first.CopyTo(together);
            int length = first.Length;
            while (frames.TryPeek(out next) && length + next.Length <= TogetherBytesMax)
            {
                frames.Dequeue();
                next.CopyTo(together.AsMemory(length));
                length += next.Length;
                bytes -= next.Length;
            }
            return together.AsMemory(0, length);
        }
    }

    public void Clear()
    {
        lock (gate)
        {
            frames.Clear();
            bytes = 0;
        }
    }
}
