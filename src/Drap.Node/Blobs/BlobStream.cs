using System.Buffers;
using Drap.Core.Transfer;
using Microsoft.Win32.SafeHandles;

namespace Drap.Node.Blobs;

/// <summary>
/// Reads a large blob from any position; each 256 KiB chunk is checked against the blob's DAG before a byte of it is given out.
/// A bad chunk throws <see cref="BlobCorruptException"/>. Stays readable when the blob is collected meanwhile. For one reader.
/// </summary>
internal sealed class BlobStream(SafeFileHandle handle, FileDag dag, Func<int, BlobCorruptException> corrupt) : Stream
{
    private byte[]? chunk = ArrayPool<byte>.Shared.Rent(UnixFs.ChunkBytes);
    private int loaded = -1;
    private long position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => dag.Length;

    public override long Position
    {
        get => position;
        set => position = value >= 0 ? value : throw new ArgumentOutOfRangeException(nameof(value), value, "a position is 0 or more");
    }

    public override int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(chunk is null, this);
        if (position >= dag.Length || buffer.IsEmpty)
            return 0;
        int index = (int)(position / UnixFs.ChunkBytes), within = (int)(position % UnixFs.ChunkBytes);
        int length = dag.LeafLength(index);
        if (loaded != index)
        {
            loaded = -1;
            int got = FileCalls.Read(handle, chunk.AsSpan(0, length), (long)index * UnixFs.ChunkBytes);
            if (!dag.Verifies(index, chunk.AsSpan(0, got)))
                throw corrupt(index);
            loaded = index;
        }
        int take = Math.Min(buffer.Length, length - within);
        chunk.AsSpan(within, take).CopyTo(buffer);
        position += take;
        return take;
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override long Seek(long offset, SeekOrigin origin) => Position = offset + origin switch
    {
        SeekOrigin.Begin => 0,
        SeekOrigin.Current => position,
        _ => dag.Length,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException("a blob does not change");

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("a blob does not change");

    protected override void Dispose(bool disposing)
    {
        if (disposing && Interlocked.Exchange(ref chunk, null) is { } rented)
        {
            handle.Dispose();
            ArrayPool<byte>.Shared.Return(rented);
        }
        base.Dispose(disposing);
    }
}
