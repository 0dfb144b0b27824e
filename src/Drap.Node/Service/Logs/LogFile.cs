using Drap.Core.Messages;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Service;

/// <summary>A job's log file, to append to. Each write begins after the last that went well, so that a failed one leaves nothing.</summary>
internal sealed class LogFile : IDisposable
{
    private readonly SafeFileHandle file;
    private byte[] pending = new byte[4096];
    private int pendingBytes;
    private long end;

    public LogFile(string path)
    {
        using (var reader = new LogReader(path))
        {
            while (reader.TryNext(out _))
            {
            }
            end = reader.Position;
        }
        file = File.OpenHandle(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.ReadWrite | FileShare.Delete);
        if (RandomAccess.GetLength(file) > end)
            RandomAccess.SetLength(file, end);
    }

    /// <summary>When it was written last, counted in batches.</summary>
    public long LastUse { get; set; }

    public void Add(LogChunk chunk)
    {
        int need = pendingBytes + LogPiece.HeaderBytes + chunk.Bytes.Length;
        if (need > pending.Length)
            Array.Resize(ref pending, Math.Max(need, 2 * pending.Length));
        LogPiece.WriteHeader(pending.AsSpan(pendingBytes), chunk);
        chunk.Bytes.CopyTo(pending, pendingBytes + LogPiece.HeaderBytes);
        pendingBytes = need;
    }

    public bool HasPending => pendingBytes > 0;


    public void Write()
    {
        int bytes = pendingBytes;
        pendingBytes = 0;
        RandomAccess.Write(file, pending.AsSpan(0, bytes), end);
        end += bytes;
        // A burst's buffer is not kept for the file's life.
        if (pending.Length > 1 << 20)
            pending = new byte[4096];
    }

    public void Dispose() => file.Dispose();
}
