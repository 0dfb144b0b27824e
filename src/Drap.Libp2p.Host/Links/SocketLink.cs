using System.Net.Sockets;

namespace Drap.Libp2p.Host.Links;

/// <summary>A TCP connection.</summary>
internal sealed class SocketLink : Link
{
    private readonly Socket socket;
    private int isClosed;

    public SocketLink(Socket socket)
    {
        socket.NoDelay = true;
        // So that a read can be tried without waiting for it.
        socket.Blocking = false;
        this.socket = socket;
    }

    public Socket Socket => socket;

    public override ValueTask<int> WaitAsync() => socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None);

    public override ValueTask<int> ReceiveAsync(Memory<byte> buffer)
    {
        int received = socket.Receive(buffer.Span, SocketFlags.None, out SocketError error);
        return error switch
        {
            SocketError.Success => new ValueTask<int>(received),
            SocketError.WouldBlock => new ValueTask<int>(-1),
            _ => ValueTask.FromException<int>(new SocketException((int)error)),
        };
    }

    public override ValueTask SendAsync(ReadOnlyMemory<byte> bytes)
    {
        int sent = socket.Send(bytes.Span, SocketFlags.None, out SocketError error);
        if (error == SocketError.Success && sent == bytes.Length)
            return ValueTask.CompletedTask;
        if (error is not (SocketError.Success or SocketError.WouldBlock))
            return ValueTask.FromException(new SocketException((int)error));
        return SendRestAsync(bytes[(error == SocketError.Success ? sent : 0)..]);
    }

    public override void Close()
    {
        if (Interlocked.Exchange(ref isClosed, 1) != 0)
            return;
        try
        {
            socket.Shutdown(SocketShutdown.Both);
        }
        catch (SocketException)
        {
            // It was closed by the other side already.
        }
        socket.Dispose();
    }

    private async ValueTask SendRestAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None).ConfigureAwait(false)..];
    }
}
