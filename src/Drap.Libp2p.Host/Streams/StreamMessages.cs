using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Host.Streams;

/// <summary>Messages with a varint length before them, read one at a time and not a byte further: what follows may be something else.</summary>
internal static class StreamMessages
{
    /// <summary>The next message; null if the stream ends before one.</summary>
    /// <exception cref="Libp2pException">The stream ends within it, or it is longer than <paramref name="lengthMax"/>.</exception>
    public static async ValueTask<byte[]?> ReadMessageAsync(this P2pStream stream, int lengthMax, CancellationToken ct)
    {
        int length = await stream.ReadLengthAsync(lengthMax, ct).ConfigureAwait(false);
        return length < 0 ? null : await stream.ReadBodyAsync(length, ct).ConfigureAwait(false);
    }

    /// <summary>The length of the next message; -1 if the stream ends before one.</summary>
    public static async ValueTask<int> ReadLengthAsync(this P2pStream stream, int lengthMax, CancellationToken ct)
    {
        byte[] prefix = new byte[UnsignedVarint.BytesMax];
        for (int filled = 0; ;)
        {
            if (await stream.ReadAsync(prefix.AsMemory(filled, 1), ct).ConfigureAwait(false) == 0)
                return filled == 0 ? -1 : throw new Libp2pException("the stream ended within a message's length");
            filled++;
            VarintStatus status = UnsignedVarint.TryRead(prefix.AsSpan(0, filled), out ulong length, out _);
            if (status == VarintStatus.Malformed || length > (ulong)lengthMax)
                throw new Libp2pException($"a message is longer than {lengthMax} bytes, or its length is none");
            if (status == VarintStatus.Done)
                return (int)length;
        }
    }

    /// <summary>A message of known length.</summary>
    public static async ValueTask<byte[]> ReadBodyAsync(this P2pStream stream, int length, CancellationToken ct)
    {
        byte[] message = new byte[length];
        for (int filled = 0; filled < length;)
        {
            int read = await stream.ReadAsync(message.AsMemory(filled), ct).ConfigureAwait(false);
            if (read == 0)
                throw new Libp2pException("the stream ended within a message");
            filled += read;
        }
        return message;
    }

    /// <summary>Writes a message with its length.</summary>
    public static ValueTask WriteMessageAsync(this P2pStream stream, ReadOnlySpan<byte> message, CancellationToken ct) =>
        stream.WriteAsync(Delimited.Frame(message), ct);
}
