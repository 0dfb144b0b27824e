using System.Buffers;
using System.Buffers.Binary;
using Drap.Core.Transfer;

namespace Drap.Node.Blobs;

/// <summary>What is said when blobs go from one node to another (docs/protocol/blobs.md).</summary>
internal static class BlobWire
{
    /// <summary>The protocol of the streams.</summary>
    public const string Protocol = "/drap/1.1.0/blobs";

    /// <summary>A request: what is asked, the CID in its binary form, and two numbers of 32 bits, big-endian.</summary>
    public const int RequestBytes = 1 + Cid.BytesLength + (2 * sizeof(uint));

    /// <summary>Before each block: its length, 32 bits, big-endian.</summary>
    public const int BlockHeadBytes = sizeof(uint);

    /// <summary>Requests of one stream that may wait for their answers; enough that many small files need no round trip each.</summary>
    public const int AskedMax = 32;

    /// <summary>Holders that are named at most.</summary>
    public const int HoldersMax = 8;

    /// <summary>Bytes of an answer that names holders: each name after its length in a byte.</summary>
    public const int HoldersBytesMax = HoldersMax * (1 + PeerId.BytesMax);

    /// <summary>Writes a request.</summary>
    public static void Write(Span<byte> to, BlobRequest request)
    {
        to[0] = (byte)request.What;
        request.Content.CopyTo(to[1..]);
        BinaryPrimitives.WriteInt32BigEndian(to[(1 + Cid.BytesLength)..], request.First);
        BinaryPrimitives.WriteInt32BigEndian(to[(1 + Cid.BytesLength + sizeof(uint))..], request.Count);
    }

    /// <summary>Reads one; null for what is none.</summary>
    public static BlobRequest? Read(ReadOnlySpan<byte> from)
    {
        var request = new BlobRequest(
            (BlobQuestion)from[0], default, BinaryPrimitives.ReadInt32BigEndian(from[(1 + Cid.BytesLength)..]), BinaryPrimitives.ReadInt32BigEndian(from[(1 + Cid.BytesLength + sizeof(uint))..]));
        if (!Cid.TryFromBytes(from.Slice(1, Cid.BytesLength), out Cid cid) || request.What is < BlobQuestion.Outline or > BlobQuestion.Holders
            || request.First < 0 || request.Count < 0 || (request.What == BlobQuestion.Leaves && request.Count is 0 or > LeafPlan.RunLeavesMax))
            return null;
        return request with { Content = cid };
    }
}

/// <summary>What is asked of a holder.</summary>
internal enum BlobQuestion : byte
{
    /// <summary>The blob if it is one block; of a file of several leaves its inner nodes, which name them.</summary>
    Outline = 1,

    /// <summary>Leaves of a file, in a row.</summary>
    Leaves = 2,

    /// <summary>Nothing but that what this folder's node names may be asked for: the asker has the node.</summary>
    Open = 3,

    /// <summary>Who else has it.</summary>
    Holders = 4,
}

/// <summary>The first byte of an answer.</summary>
internal enum BlobStatus : byte
{
    /// <summary>It follows.</summary>
    Here = 1,

    /// <summary>It is not here, or was found to be spoilt.</summary>
    Missing = 2,

    /// <summary>The asker may not read it, whether it is here or not.</summary>
    Refused = 3,
}

/// <summary>A request.</summary>
/// <param name="What">What is asked.</param>
/// <param name="Content">Of what.</param>
/// <param name="First">The first leaf, where leaves are asked for.</param>
/// <param name="Count">How many of them.</param>
internal readonly record struct BlobRequest(BlobQuestion What, Cid Content, int First = 0, int Count = 0);

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
