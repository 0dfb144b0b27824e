using System.Buffers;
using Drap.Core.Membership;
using Drap.Libp2p.Host;
using Drap.Libp2p.Multiformats;

namespace Drap.Node.Membership;

/// <summary>Membership records on a stream, each after its length as an unsigned varint. [MEM-8]</summary>
internal static class RecordStream
{
    // 64 KiB take three bytes.
    private const int LengthBytesMax = 3;

    public static ValueTask WriteAsync(P2pStream stream, MembershipRecord record, CancellationToken ct) => WriteAsync(stream, MembershipCodec.Encode(record), ct);

    public static ValueTask WriteAsync(P2pStream stream, ReadOnlySpan<byte> bytes, CancellationToken ct)
    {
        Invariant.Check(bytes.Length <= MembershipCodec.FrameBytesMax);
        byte[] frame = new byte[UnsignedVarint.Length((ulong)bytes.Length) + bytes.Length];
        bytes.CopyTo(frame.AsSpan(UnsignedVarint.Write(frame, (ulong)bytes.Length)));
        return stream.WriteAsync(frame, ct);
    }

    /// <summary>The next record.</summary>
    /// <exception cref="Libp2pException">The stream ends, or what comes is none of this kind.</exception>
    public static async Task<T> ReadAsync<T>(P2pStream stream, CancellationToken ct) where T : MembershipRecord
    {
        byte[]? frame = await ReadAsync(stream, MembershipCodec.FrameBytesMax, ct).ConfigureAwait(false);
        Core.Cbor.CodecError error = default;
        return frame is not null && MembershipCodec.TryDecode(frame, out T? record, out error)
            ? record : throw new Libp2pException(frame is null ? "the peer ended before it had spoken" : $"that is no {typeof(T).Name}: {error}");
    }

    /// <summary>The next bytes; null at the end of the stream.</summary>
    /// <exception cref="Libp2pException">They end early, or there are more than <paramref name="bytesMax"/>.</exception>
    public static async Task<byte[]?> ReadAsync(P2pStream stream, int bytesMax, CancellationToken ct)
    {
        byte[] head = new byte[LengthBytesMax];
        ulong length;
        int filled = 0;
        VarintStatus status;
        do
        {
            if (filled == LengthBytesMax || await stream.ReadAsync(head.AsMemory(filled, 1), ct).ConfigureAwait(false) == 0)
                return filled == 0 ? null : throw new Libp2pException("the peer's length is none");
            status = UnsignedVarint.TryRead(head.AsSpan(0, ++filled), out length, out _);
        }
        while (status == VarintStatus.Incomplete);
        if (status == VarintStatus.Malformed || length > (ulong)bytesMax)
            throw new Libp2pException("the peer says more than it may");
        byte[] frame = new byte[(int)length];
        for (int at = 0; at < frame.Length;)
        {
            int read = await stream.ReadAsync(frame.AsMemory(at), ct).ConfigureAwait(false);
            if (read == 0)
                throw new Libp2pException("the peer ended within what it said");
            at += read;
        }
        return frame;
    }

    /// <summary>Waits until the peer has ended its half; what it says meanwhile is dropped, a little of it.</summary>
    public static async Task ReadEndAsync(P2pStream stream, CancellationToken ct)
    {
        byte[] rest = ArrayPool<byte>.Shared.Rent(256);
        try
        {
            for (int left = MembershipCodec.FrameBytesMax; left > 0;)
            {
                int read = await stream.ReadAsync(rest, ct).ConfigureAwait(false);
                if (read == 0)
                    return;
                left -= read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rest);
        }
    }
}
