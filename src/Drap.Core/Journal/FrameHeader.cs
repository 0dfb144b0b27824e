using System.Buffers.Binary;

namespace Drap.Core.Journal;

/// <summary>
/// The 32 bytes before each batch of records [JOURNAL-4]: CRC-32C of this header (4), CRC-32C of the body with its padding (4), number of
/// the first record (8), count of records (4), length of the body (4), <see cref="SyncedTo"/> (4), zeros (4). Both checksums begin with the
/// file's salt and the frame's offset, so that neither bytes inside a record nor a frame in the wrong place can pass.
/// </summary>
/// <param name="FirstSequence">Number of the first record.</param>
/// <param name="Count">Records in the body.</param>
/// <param name="Length">Bytes of the body, without its padding to a multiple of <see cref="Alignment"/>.</param>
/// <param name="SyncedTo">
/// Everything before this offset of the file was safe when the frame was written. It tells a torn tail from damage: when bytes before it
/// are wrong, they were acknowledged once.
/// </param>
internal readonly record struct FrameHeader(long FirstSequence, int Count, int Length, long SyncedTo)
{
    public const int Size = 32;

    /// <summary>Frames begin at multiples of this, so that a search for one looks at every eighth byte only.</summary>
    public const int Alignment = 8;

    public int PaddedLength => Pad(Length);

    public static int Pad(int length) => (length + Alignment - 1) & -Alignment;

    /// <summary>Fills the first <see cref="Size"/> bytes of <paramref name="frame"/>, whose padded body follows them.</summary>
    public void Seal(Span<byte> frame, ulong salt, long offset)
    {
        uint start = StartCrc(salt, offset);
        Span<byte> body = frame.Slice(Size, PaddedLength);
        body[Length..].Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(frame[4..], Crc32C.Finish(Crc32C.Append(start, body)));
        BinaryPrimitives.WriteInt64LittleEndian(frame[8..], FirstSequence);
        BinaryPrimitives.WriteInt32LittleEndian(frame[16..], Count);
        BinaryPrimitives.WriteInt32LittleEndian(frame[20..], Length);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[24..], checked((uint)SyncedTo));
        BinaryPrimitives.WriteUInt32LittleEndian(frame[28..], 0);
        BinaryPrimitives.WriteUInt32LittleEndian(frame, Crc32C.Finish(Crc32C.Append(start, frame[4..Size])));
    }

    /// <summary>Reads a header that was written for this place; false for anything else.</summary>
    public static bool TryRead(ReadOnlySpan<byte> bytes, ulong salt, long offset, out FrameHeader header)
    {
        header = default;
        if (bytes.Length < Size)
            return false;
        // The limits first: they refuse nearly all that is not a header without a checksum, which makes the search for one fast.
        uint count = BinaryPrimitives.ReadUInt32LittleEndian(bytes[16..]);
        uint length = BinaryPrimitives.ReadUInt32LittleEndian(bytes[20..]);
        uint syncedTo = BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]);
        long first = BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]);
        if (length > JournalLimits.BatchBytesMax || count > length || syncedTo > offset || syncedTo % Alignment != 0 || first < 0)
            return false;
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]) != 0)
            return false;
        uint crc = Crc32C.Finish(Crc32C.Append(StartCrc(salt, offset), bytes[4..Size]));
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes) != crc)
            return false;
        header = new FrameHeader(first, (int)count, (int)length, syncedTo);
        return true;
    }

    /// <summary>Whether <paramref name="paddedBody"/> is what the frame at <paramref name="offset"/> with header <paramref name="header"/> had.</summary>
    public static bool IsBody(ReadOnlySpan<byte> header, ReadOnlySpan<byte> paddedBody, ulong salt, long offset) =>
        BinaryPrimitives.ReadUInt32LittleEndian(header[4..]) == Crc32C.Finish(Crc32C.Append(StartCrc(salt, offset), paddedBody));

    private static uint StartCrc(ulong salt, long offset) => Crc32C.Append(Crc32C.Append(Crc32C.Start, salt), (ulong)offset);
}
