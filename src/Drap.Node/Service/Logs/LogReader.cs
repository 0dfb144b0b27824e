using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Service;

/// <summary>
/// Walks a job's log file piece by piece, in the order in which the pieces came. At the end it stays where it is: a later call sees what was
/// written since. A file that is not there yet is an empty one. One thread at a time uses it.
/// </summary>
public sealed class LogReader(string path) : IDisposable
{
    private readonly byte[] buffer = new byte[64 * 1024];
    private SafeFileHandle? file;
    private long position;
    private long bufferStart;
    private int bufferCount;
    private long fileLength;

    /// <summary>Where the next piece would begin: after the last that could be read.</summary>
    internal long Position => position;

    /// <summary>The next piece; false at the end.</summary>
    public bool TryNext(out LogPiece piece)
    {
        piece = default;
        if (!TryOpen())
            return false;
        if (position < bufferStart || position + LogPiece.HeaderBytes > bufferStart + bufferCount)
        {
            bufferStart = position;
            bufferCount = RandomAccess.Read(file!, buffer, position);
        }
        if (!LogPiece.TryReadHeader(buffer.AsSpan(0, bufferCount)[(int)(position - bufferStart)..], position, out piece) || !IsWhole(piece))
        {
            // What lies here may be half a write: look again next time.
            bufferCount = 0;
            return false;
        }
        position = piece.Position + piece.Length;
        return true;
    }

    /// <summary>A piece's bytes; fewer where the file was cut meanwhile.</summary>
    public ReadOnlyMemory<byte> Read(LogPiece piece, int skip = 0)
    {
        var bytes = new byte[piece.Length - skip];
        int got = 0;
        while (got < bytes.Length && RandomAccess.Read(file!, bytes.AsSpan(got), piece.Position + skip + got) is > 0 and int count)
            got += count;
        return bytes.AsMemory(0, got);
    }

    /// <inheritdoc/>
    public void Dispose() => file?.Dispose();

    private bool TryOpen()
    {
        try
        {
            file ??= File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return true;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return false;
        }
    }

    private bool IsWhole(LogPiece piece)
    {
        long end = piece.Position + piece.Length;
        if (end > fileLength)
            fileLength = RandomAccess.GetLength(file!);
        return end <= fileLength;
    }
}
