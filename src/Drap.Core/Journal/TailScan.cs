namespace Drap.Core.Journal;

/// <summary>What follows the last good frame of the newest segment.</summary>
internal enum TailKind
{
    /// <summary>Nothing, or zeros.</summary>
    Clean,

    /// <summary>What a crash may leave of a group that was never acknowledged.</summary>
    Torn,

    /// <summary>A frame that was written when the end was already safe: what is missing before it was acknowledged.</summary>
    WasSafe,
}

/// <summary>Looks through the rest of a segment for a frame that proves damage.</summary>
internal static class TailScan
{
    private const int ChunkBytes = 1 << 20;

    public static TailKind Run(IJournalFile file, ulong salt, long end)
    {
        byte[] chunk = new byte[(int)Math.Min(ChunkBytes, Math.Max(0, file.Length - end))];
        var kind = TailKind.Clean;
        // Chunks overlap by a header, so that each header lies whole in one of them.
        for (long at = end; at < file.Length; at += chunk.Length - FrameHeader.Size)
        {
            ReadOnlySpan<byte> bytes = chunk.AsSpan(0, file.Read(at, chunk));
            for (int i = NonZero(bytes, 0); i < bytes.Length; i = NonZero(bytes, i + FrameHeader.Alignment))
            {
                kind = TailKind.Torn;
                if (FrameHeader.TryRead(bytes[i..], salt, at + i, out FrameHeader header) && header.SyncedTo > end)
                    return TailKind.WasSafe;
            }
            if (at + bytes.Length >= file.Length)
                break;
        }
        return kind;
    }

    /// <summary>The next aligned place from <paramref name="from"/> on in whose eight bytes something stands.</summary>
    private static int NonZero(ReadOnlySpan<byte> bytes, int from)
    {
        if (from >= bytes.Length)
            return bytes.Length;
        int found = bytes[from..].IndexOfAnyExcept((byte)0);
        return found < 0 ? bytes.Length : (from + found) & -FrameHeader.Alignment;
    }
}
