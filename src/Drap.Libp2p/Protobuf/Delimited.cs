using Drap.Libp2p.Multiformats;

namespace Drap.Libp2p.Protobuf;

/// <summary>
/// Messages on a stream as most libp2p protocols lay them: an unsigned varint says how long the message after it is.
/// The length is looked at before anything is waited for or kept.
/// </summary>
public static class Delimited
{
    /// <summary>
    /// Reads one message at the start of <paramref name="source"/>; it lies there, and <paramref name="consumed"/> bytes with its length
    /// before it. A length above <paramref name="lengthMax"/> is <see cref="VarintStatus.Malformed"/>, as is a varint that is none.
    /// </summary>
    public static VarintStatus TryRead(ReadOnlySpan<byte> source, int lengthMax, out ReadOnlySpan<byte> message, out int consumed)
    {
        message = default;
        consumed = 0;
        VarintStatus status = UnsignedVarint.TryRead(source, out ulong length, out int prefix);
        // A varint that is not at its end yet can already be too long: nobody waits for the rest of it.
        if (status == VarintStatus.Malformed || length > (ulong)lengthMax)
            return VarintStatus.Malformed;
        if (status == VarintStatus.Incomplete || (ulong)(source.Length - prefix) < length)
            return VarintStatus.Incomplete;
        message = source.Slice(prefix, (int)length);
        consumed = prefix + (int)length;
        return VarintStatus.Done;
    }

    /// <summary><paramref name="message"/> with its length before it.</summary>
    public static byte[] Frame(ReadOnlySpan<byte> message)
    {
        byte[] frame = new byte[UnsignedVarint.Length((ulong)message.Length) + message.Length];
        int prefix = UnsignedVarint.Write(frame, (ulong)message.Length);
        message.CopyTo(frame.AsSpan(prefix));
        return frame;
    }
}
