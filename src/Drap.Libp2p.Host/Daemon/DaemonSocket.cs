using System.Net.Sockets;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Multiformats;
using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>
/// One connection of the control protocol: messages, and where the protocol says so, bytes from there on. One read and one write may be under
/// way at a time.
/// </summary>
internal sealed class DaemonSocket(Socket socket, int messageBytesMax = DaemonProtocol.MessageBytesMax) : IDisposable
{
    private readonly DaemonFrames frames = new(messageBytesMax);
    private readonly Lock ending = new();
    private bool isOver, isWriteClosed;

    /// <summary>Our end of it.</summary>
    public System.Net.EndPoint LocalEndPoint => socket.LocalEndPoint!;

    /// <summary>Whether a part of a message has come.</summary>
    public bool HasBegun => !frames.Rest.IsEmpty;

    /// <summary>The length of the message that has begun, if that much is known; it may not have come yet.</summary>
    public int? Begun => frames.Begun;

    /// <summary>The next message; null when the other side has ended between two.</summary>
    /// <exception cref="DaemonException">What comes is no message, or it ends within one.</exception>
    /// <exception cref="SocketException">The connection is lost.</exception>
    public async ValueTask<byte[]?> ReadMessageAsync(CancellationToken ct)
    {
        while (true)
        {
            if (TryTake(out byte[]? message))
                return message;
            if (!await ReceiveAsync(ct).ConfigureAwait(false))
                return frames.Rest.IsEmpty ? null : throw new DaemonException("the connection ended within a message");
        }
    }

    /// <summary>Takes a message that has come whole.</summary>
    /// <exception cref="DaemonException">What comes is no message.</exception>
    public bool TryTake(out byte[]? message)
    {
        VarintStatus status = frames.TryTake(out ReadOnlySpan<byte> taken);
        message = status == VarintStatus.Done ? taken.ToArray() : null;
        return status != VarintStatus.Malformed
            ? message is not null
            : throw new DaemonException($"a message of more than {messageBytesMax} bytes, or none at all");
    }

    /// <summary>Waits for more of a message that is not whole; false at the end.</summary>
    public async ValueTask<bool> ReceiveAsync(CancellationToken ct)
    {
        int received = await socket.ReceiveAsync(frames.Room(), ct).ConfigureAwait(false);
        frames.Receive(received);
        return received > 0;
    }

    /// <summary>Sends a message with its length before it.</summary>
    public ValueTask WriteMessageAsync(byte[] message, CancellationToken ct) => WriteAsync(Delimited.Frame(message), ct);

    /// <summary>
    /// Reads bytes after the last message; 0 at the end. An empty buffer waits until there are some or the end, and holds nothing meanwhile.
    /// </summary>
    public ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken ct)
    {
        int kept = Math.Min(buffer.Length, frames.Rest.Length);
        if (frames.Rest.IsEmpty)
            return socket.ReceiveAsync(buffer, ct);
        frames.Rest[..kept].CopyTo(buffer.Span);
        frames.Skip(kept);
        return ValueTask.FromResult(kept);
    }

    /// <summary>Sends all of it.</summary>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct)
    {
        while (!bytes.IsEmpty)
            bytes = bytes[await socket.SendAsync(bytes, ct).ConfigureAwait(false)..];
    }

    /// <summary>Says that this side writes no more; the other may go on.</summary>
    public void CloseWrite()
    {
        lock (ending)
        {
            if (isOver || isWriteClosed)
                return;
            isWriteClosed = true;
            try
            {
                socket.Shutdown(SocketShutdown.Send);
            }
            catch (SocketException)
            {
                // The other side has gone already.
            }
        }
    }

    /// <summary>
    /// Ends it at once, both ways: over TCP the other side sees a reset. A Unix socket has none; there the other side sees the end, and that it
    /// cannot write.
    /// </summary>
    public void Abort()
    {
        lock (ending)
        {
            if (isOver)
                return;
            isOver = true;
            if (socket.AddressFamily != AddressFamily.Unix)
                socket.LingerState = new LingerOption(true, 0);
            socket.Dispose();
        }
    }

    /// <summary>Closes it; what was sent still arrives.</summary>
    public void Dispose()
    {
        lock (ending)
        {
            isOver = true;
            socket.Dispose();
        }
    }
}
