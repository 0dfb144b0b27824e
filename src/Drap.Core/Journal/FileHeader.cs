using System.Buffers.Binary;

namespace Drap.Core.Journal;

/// <summary>
/// The first 32 bytes of every file [JOURNAL-3]: magic (8), sequence (8), salt (8), <see cref="SafeTo"/> (4), CRC-32C of the 28 bytes
/// before (4); integers are little-endian. A file gets its final name only after its header is safe, so a bad header is always damage.
/// </summary>
/// <param name="Sequence">A segment's first record, or the last record that a snapshot covers.</param>
/// <param name="Salt">Enters the checksums of this file's frames.</param>
/// <param name="SafeTo">Everything before this offset was safe when the file got its name.</param>
internal readonly record struct FileHeader(long Sequence, ulong Salt, long SafeTo)
{
    public const int Size = 32;

    /// <summary>Seven letters and the format's version.</summary>
    public static ReadOnlySpan<byte> SegmentMagic => "draplog\x01"u8;

    public static ReadOnlySpan<byte> SnapshotMagic => "drapsnp\x01"u8;

    public void Write(ReadOnlySpan<byte> magic, Span<byte> destination)
    {
        magic.CopyTo(destination);
        BinaryPrimitives.WriteInt64LittleEndian(destination[8..], Sequence);
        BinaryPrimitives.WriteUInt64LittleEndian(destination[16..], Salt);
        BinaryPrimitives.WriteUInt32LittleEndian(destination[24..], checked((uint)SafeTo));
        BinaryPrimitives.WriteUInt32LittleEndian(destination[28..], Crc32C.Compute(destination[..28]));
    }

    /// <summary>Reads the header of <paramref name="file"/>, which by its name begins with <paramref name="sequence"/>.</summary>
    public static FileHeader Read(IJournalFile file, ReadOnlySpan<byte> magic, long sequence)
    {
        Span<byte> bytes = stackalloc byte[Size];
        if (file.Read(0, bytes) < Size)
            throw new JournalCorruptException(file.Path, 0, $"the file has {file.Length} bytes, less than its header of {Size}");
        if (!bytes[..7].SequenceEqual(magic[..7]))
            throw new JournalCorruptException(file.Path, 0, "this is not a file of a journal, though its name says so");
        if (bytes[7] != magic[7])
            throw new JournalCorruptException(file.Path, 7, $"the format's version is {bytes[7]}; this drap reads version {magic[7]}");
        if (BinaryPrimitives.ReadUInt32LittleEndian(bytes[28..]) != Crc32C.Compute(bytes[..28]))
            throw new JournalCorruptException(file.Path, 28, "the checksum of the file's header is wrong");
        var header = new FileHeader(
            BinaryPrimitives.ReadInt64LittleEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64LittleEndian(bytes[16..]),
            BinaryPrimitives.ReadUInt32LittleEndian(bytes[24..]));
        return header.Sequence == sequence
            ? header
            : throw new JournalCorruptException(file.Path, 8, $"the file says {header.Sequence}, its name {sequence}: it was renamed");
    }
}
