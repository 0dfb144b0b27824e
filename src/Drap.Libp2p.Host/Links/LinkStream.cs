namespace Drap.Libp2p.Host.Links;

/// <summary>A link as a stream, for TLS; what was read before it is handed on first.</summary>
internal sealed class LinkStream(Link link, ReadOnlyMemory<byte> already) : Stream
{
    private ReadOnlyMemory<byte> already = already;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (already.IsEmpty)
            return buffer.IsEmpty ? link.WaitAsync() : ReadLinkAsync(buffer);
        int taken = Math.Min(already.Length, buffer.Length);
        already[..taken].CopyTo(buffer);
        already = already[taken..];
        return new ValueTask<int>(taken);
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => link.SendAsync(buffer);

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Flush()
    {
    }

    // Nobody reads or writes without waiting asynchronously.
    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        link.Close();
        base.Dispose(disposing);
    }

    private async ValueTask<int> ReadLinkAsync(Memory<byte> buffer)
    {
        while (true)
        {
            int received = await link.ReceiveAsync(buffer).ConfigureAwait(false);
            if (received >= 0)
                return received;
            await link.WaitAsync().ConfigureAwait(false);
        }
    }
}
