using System.Net;
using System.Net.Sockets;
using Drap.Libp2p.Host.Polling;

namespace Drap.Libp2p.Host.Links;

/// <summary>A connection over TCP or a Unix socket.</summary>
internal sealed class SocketLink : Link
{
    private readonly Socket socket;
    // Null where the runtime waits for the socket.
    private readonly PolledSocket? polled;
    // Owned by who reads: the last read was filled, so that there may be more, of which nobody is told.
    private bool mayHaveMore = true;
    private int isClosed;

    /// <summary>A socket that is connected, or about to be.</summary>
    public SocketLink(Socket socket)
    {
        if (socket.AddressFamily != AddressFamily.Unix)
            socket.NoDelay = true;
        // So that a read can be tried without waiting for it.
        socket.Blocking = false;
        this.socket = socket;
        if (Poller.Shared is null)
            return;
        var watched = new PolledSocket(socket.SafeHandle);
        if (Poller.Shared.TryAdd(watched))
            polled = watched;
    }

    public Socket Socket => socket;

    /// <summary>
    /// Connects. The runtime is not asked to do that in the background: it would watch the socket from then on, too, and wake a thread for all that comes.
    /// </summary>
    public static async Task<SocketLink> ConnectAsync(Socket socket, EndPoint to, CancellationToken ct)
    {
        if (Poller.Shared is null)
        {
            await socket.ConnectAsync(to, ct).ConfigureAwait(false);
            return new SocketLink(socket);
        }
        socket.Blocking = false;
        bool isUnderWay = false;
        try
        {
            socket.Connect(to);
        }
        // A Unix socket has no such state: there the listener has no room.
        catch (SocketException failure) when (to.AddressFamily != AddressFamily.Unix && failure.SocketErrorCode is SocketError.WouldBlock or SocketError.InProgress)
        {
            isUnderWay = true;
        }
        var link = new SocketLink(socket);
        if (!isUnderWay)
            return link;
        await using CancellationTokenRegistration registration = ct.UnsafeRegister(static l => ((SocketLink)l!).Close(), link);
        try
        {
            while (!socket.Poll(0, SelectMode.SelectWrite))
                await link.WaitForWriteAsync().ConfigureAwait(false);
            var error = (SocketError)(int)socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!;
            return error == SocketError.Success ? link : throw new SocketException((int)error);
        }
        catch (Exception failure)
        {
            link.Close();
            ct.ThrowIfCancellationRequested();
            throw failure is ObjectDisposedException ? new SocketException((int)SocketError.OperationAborted) : failure;
        }
    }

    public override ValueTask<int> WaitAsync() => WaitAsync(here: false);

    public override ValueTask<int> WaitHereAsync() => WaitAsync(here: true);

    public override ValueTask<int> ReceiveAsync(Memory<byte> buffer)
    {
        int received = socket.Receive(buffer.Span, SocketFlags.None, out SocketError error);
        mayHaveMore = error == SocketError.Success && received == buffer.Length;
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
        if (polled is not null)
            Poller.Shared!.Remove(polled);
        socket.Dispose();
        polled?.Reading.Close();
        polled?.Writing.Close();
    }

    private ValueTask<int> WaitAsync(bool here) =>
        polled is null ? socket.ReceiveAsync(Memory<byte>.Empty, SocketFlags.None)
        : mayHaveMore ? new ValueTask<int>(0)
        : polled.Reading.WaitAsync(here);

    private async ValueTask SendRestAsync(ReadOnlyMemory<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            if (polled is null)
            {
                bytes = bytes[await socket.SendAsync(bytes, SocketFlags.None).ConfigureAwait(false)..];
                continue;
            }
            await WaitForWriteAsync().ConfigureAwait(false);
            int sent = socket.Send(bytes.Span, SocketFlags.None, out SocketError error);
            if (error is not (SocketError.Success or SocketError.WouldBlock))
                throw new SocketException((int)error);
            if (error == SocketError.Success)
                bytes = bytes[sent..];
        }
    }

    private ValueTask<int> WaitForWriteAsync() => polled!.Writing.WaitAsync(here: false);
}
