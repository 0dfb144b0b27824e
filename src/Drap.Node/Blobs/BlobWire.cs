using System.Buffers;
using System.Buffers.Binary;

namespace Drap.Node.Blobs;

/// <summary>What is said when blobs go from one node to another (docs/protocol/blobs.md).</summary>
internal static class BlobWire
{
    /// <summary>The protocol of the streams.</summary>
    public const string Protocol = "/drap/1.0.0/blobs";

    /// <summary>A request: the CID in its binary form.</summary>
    public const int RequestBytes = Cid.BytesLength;

    /// <summary>Before each block: its length, 32 bits, big-endian.</summary>
    public const int BlockHeadBytes = sizeof(uint);

    /// <summary>Requests of one stream that may wait for their answers; enough that many small files need no round trip each.</summary>
    public const int AskedMax = 32;

    /// <summary>The blob follows.</summary>
    public const byte Here = 1;

    /// <summary>It is not here, or was found to be spoilt.</summary>
    public const byte Missing = 2;
}

/// <summary>Reads a stream piece by piece, through a buffer that takes many small ones at once.</summary>
internal sealed class WireReader(Stream stream) : IDisposable
{
    private byte[] buffer = ArrayPool<byte>.Shared.Rent(64 << 10);
    private int start, end;

    /// <summary>Reads so many bytes, which may be used until the next read. Empty at the stream's end, if nothing stands before it.</summary>
    /// <exception cref="EndOfStreamException">The stream ends within them.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(int count, CancellationToken cancel)
    {
        if (end - start < count)
            await FillAsync(count, cancel).ConfigureAwait(false);
        if (end == start)
            return default;
        if (end - start < count)
            throw new EndOfStreamException("the stream ends within an answer");
        start += count;
        return buffer.AsMemory(start - count, count);
    }

    public async ValueTask<ReadOnlyMemory<byte>> ReadWholeAsync(int count, CancellationToken cancel)
    {
        ReadOnlyMemory<byte> read = await ReadAsync(count, cancel).ConfigureAwait(false);
        return read.Length == count ? read : throw new EndOfStreamException("the stream ends before an answer");
    }

    /// <summary>A block with its length before it.</summary>
    /// <exception cref="InvalidDataException">It is longer than it may be.</exception>
    public async ValueTask<ReadOnlyMemory<byte>> ReadBlockAsync(int bytesMax, CancellationToken cancel)
    {
        uint length = BinaryPrimitives.ReadUInt32BigEndian((await ReadWholeAsync(BlobWire.BlockHeadBytes, cancel).ConfigureAwait(false)).Span);
        if (length > (uint)bytesMax)
            throw new InvalidDataException($"a block of {length} bytes, where at most {bytesMax} are taken");
        return length == 0 ? default : await ReadWholeAsync((int)length, cancel).ConfigureAwait(false);
    }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(buffer);
        buffer = [];
    }

    private async ValueTask FillAsync(int count, CancellationToken cancel)
    {
        if (buffer.Length < count)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(count);
            buffer.AsSpan(start, end - start).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(buffer);
            buffer = larger;
        }
        else
        {
            buffer.AsSpan(start, end - start).CopyTo(buffer);
        }
        (start, end) = (0, end - start);
        while (end < count)
        {
            int got = await stream.ReadAsync(buffer.AsMemory(end), cancel).ConfigureAwait(false);
            if (got == 0)
                return;
            end += got;
        }
    }
}
