namespace Drap.Libp2p.Host.Links;

/// <summary>A stream to a relay, with a peer at its far end: a connection goes over it as over TCP.</summary>
internal sealed class StreamLink(P2pStream stream, Action<P2pStream> leave) : Link
{
    private int isClosed;

    public override ValueTask<int> WaitAsync() => ReceiveAsync(Memory<byte>.Empty);

    public override async ValueTask<int> ReceiveAsync(Memory<byte> buffer)
    {
        try
        {
            ValueTask<int> read = stream.ReadAsync(buffer);
            // Closed meanwhile, when nobody waited yet.
            if (Volatile.Read(ref isClosed) != 0)
                stream.CancelRead();
            return await read.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            throw new ConnectionClosedException("the relayed connection is closed");
        }
    }

    public override async ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        try
        {
            ValueTask write = stream.WriteAsync(bytes);
            if (Volatile.Read(ref isClosed) != 0)
                stream.CancelWrite();
            await write.ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            throw new ConnectionClosedException("the relayed connection is closed");
        }
    }

    public override void Close()
    {
        if (Interlocked.Exchange(ref isClosed, 1) != 0)
            return;
        stream.CancelRead();
        stream.CancelWrite();
        leave(stream);
    }
}
