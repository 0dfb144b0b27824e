using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Daemon;

/// <summary>
/// Collects the messages of one connection from bytes that come in any pieces. Keeps what has come, and never makes room for more than came
/// because a length says so. What follows the last message that is taken can be had as it is: there the connection becomes a stream.
/// Not thread-safe.
/// </summary>
public sealed class DaemonFrames(int messageBytesMax = DaemonProtocol.MessageBytesMax)
{
    // Requests and answers are some hundred bytes; values and published data make it grow.
    private const int RoomBytesMin = 512;

    // A longer buffer goes when what made it grow is taken.
    private const int KeptBytesMax = 64 * 1024;

    private byte[] buffer = [];
    private int start;
    private int end;

    /// <summary>What has come and was not taken.</summary>
    public ReadOnlySpan<byte> Rest => buffer.AsSpan(start, end - start);

    /// <summary>The length of the message that has begun, if that much has come; it may be longer than is taken.</summary>
    public int? Begun => UnsignedVarint.TryRead(Rest, out ulong length, out _) == VarintStatus.Done ? (int)Math.Min(length, int.MaxValue) : null;

    /// <summary>
    /// Where the next bytes go; never none. Say with <see cref="Receive"/> how many came. To be called only when <see cref="TryTake"/> says
    /// that a message is not whole: so no more is kept than one message and what came with its end.
    /// </summary>
    public Memory<byte> Room()
    {
        if (start == end)
        {
            start = end = 0;
            if (buffer.Length > KeptBytesMax)
                buffer = [];
        }
        if (buffer.Length - end < RoomBytesMin && start > 0)
        {
            Rest.CopyTo(buffer);
            end -= start;
            start = 0;
        }
        if (buffer.Length - end < RoomBytesMin)
            Array.Resize(ref buffer, Math.Max(buffer.Length * 2, end + RoomBytesMin));
        return buffer.AsMemory(end);
    }

    /// <summary>Says that as many bytes were put where <see cref="Room"/> said.</summary>
    public void Receive(int length)
    {
        Invariant.Check(length >= 0 && length <= buffer.Length - end);
        end += length;
    }

    /// <summary>Drops the first bytes of <see cref="Rest"/>.</summary>
    public void Skip(int length)
    {
        Invariant.Check(length >= 0 && length <= end - start);
        start += length;
    }

    /// <summary>
    /// Takes the next message; it lies in this object until the next call of <see cref="Room"/>. After
    /// <see cref="VarintStatus.Malformed"/> the connection is of no use any more.
    /// </summary>
    public VarintStatus TryTake(out ReadOnlySpan<byte> message)
    {
        VarintStatus status = Delimited.TryRead(Rest, messageBytesMax, out message, out int consumed);
        start += consumed;
        return status;
    }
}
