namespace Drap.Core.Journal;

/// <summary>Records inside a frame's body [JOURNAL-5]: length of the body as LEB128, kind (1 byte), version (1 byte), the body.</summary>
internal static class RecordCodec
{
    /// <summary>Most bytes before a record's body: a 32-bit LEB128, kind and version.</summary>
    public const int OverheadMax = 5 + 2;

    /// <summary>Writes a record and returns its length; <paramref name="destination"/> has room for the body and <see cref="OverheadMax"/>.</summary>
    public static int Write(Span<byte> destination, byte kind, byte version, ReadOnlySpan<byte> body)
    {
        int at = 0;
        for (uint rest = (uint)body.Length; ; rest >>= 7)
        {
            destination[at++] = (byte)(rest < 0x80 ? rest : rest | 0x80);
            if (rest < 0x80)
                break;
        }
        destination[at++] = kind;
        destination[at++] = version;
        body.CopyTo(destination[at..]);
        return at + body.Length;
    }

    /// <summary>Takes the next record from <paramref name="rest"/>; false when there is none there.</summary>
    public static bool TryRead(ref ReadOnlyMemory<byte> rest, out JournalRecord record)
    {
        record = default;
        ReadOnlySpan<byte> bytes = rest.Span;
        uint length = 0;
        int at = 0;
        for (int shift = 0; ; shift += 7)
        {
            if (at == bytes.Length || shift > 28)
                return false;
            byte b = bytes[at++];
            length |= (uint)(b & 0x7f) << shift;
            if (b < 0x80)
                break;
        }
        if (length > JournalLimits.RecordBytesMax || bytes.Length - at < 2 + (int)length)
            return false;
        record = new JournalRecord(bytes[at], bytes[at + 1], rest.Slice(at + 2, (int)length));
        rest = rest[(at + 2 + (int)length)..];
        return true;
    }
}
