using System.Buffers.Binary;
using Drap.Core.Journal;
using Drap.Core.Messages;

namespace Drap.Node.Service;

/// <summary>
/// One piece of a log as it lies in its job's file: 24 bytes of header, then its bytes. The header is little-endian: its own CRC-32C,
/// length and stream (24 and 8 bits), task, attempt, offset in the stream. The bytes have no checksum: a log is worth reading with a hole in
/// it, and only a crash of the machine makes one.
/// </summary>
/// <param name="Task">The task's number.</param>
/// <param name="Attempt">The attempt's number.</param>
/// <param name="Stream">1 for stdout, 2 for stderr.</param>
/// <param name="Offset">Where in the stream it begins.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="Position">Where in the file they lie.</param>
public readonly record struct LogPiece(int Task, int Attempt, int Stream, long Offset, int Length, long Position)
{
    internal const int HeaderBytes = 24;

    internal static void WriteHeader(Span<byte> header, LogChunk chunk)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(header[4..], (uint)chunk.Bytes.Length | (uint)chunk.Stream << 24);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], chunk.Attempt.Task.Number);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], chunk.Attempt.Fence.Attempt);
        BinaryPrimitives.WriteInt64LittleEndian(header[16..], chunk.Offset);
        BinaryPrimitives.WriteUInt32LittleEndian(header, Crc32C.Compute(header[4..HeaderBytes]));
    }

    /// <summary>False for what is no header: the end of what was written, or a torn one.</summary>
    internal static bool TryReadHeader(ReadOnlySpan<byte> header, long position, out LogPiece piece)
    {
        piece = default;
        if (header.Length < HeaderBytes || BinaryPrimitives.ReadUInt32LittleEndian(header) != Crc32C.Compute(header[4..HeaderBytes]))
            return false;
        uint word = BinaryPrimitives.ReadUInt32LittleEndian(header[4..]);
        int length = (int)(word & 0xff_ffff);
        piece = new LogPiece(
            BinaryPrimitives.ReadInt32LittleEndian(header[8..]), BinaryPrimitives.ReadInt32LittleEndian(header[12..]), (int)(word >> 24),
            BinaryPrimitives.ReadInt64LittleEndian(header[16..]), length, position + HeaderBytes);
        return length <= LogChunk.BytesMax;
    }
}
