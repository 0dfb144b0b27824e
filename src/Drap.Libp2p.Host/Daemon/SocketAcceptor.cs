using System.Net.Sockets;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>
/// Serves the connections of a listening socket, a bounded number at once: further ones wait in the system's queue until one has ended, and what
/// connects beyond that is refused by the system. Owns the listening socket.
/// </summary>
internal sealed class SocketAcceptor : IAsyncDisposable
{
    // When no descriptors are left, those in use must end first.
    private static readonly TimeSpan RetryAfter = TimeSpan.FromMilliseconds(10);

    private readonly Socket listener;
    private readonly int connectionsMax;
    private readonly Func<Socket, CancellationToken, Task> serve;
    private readonly SemaphoreSlim room;
    private readonly CancellationTokenSource stopping = new();
    private readonly Task accepting;

    /// <summary>Begins. <paramref name="serve"/> owns its socket, must not throw, and ends soon after its token is cancelled.</summary>
    public SocketAcceptor(Socket listener, int connectionsMax, Func<Socket, CancellationToken, Task> serve)
    {
        this.listener = listener;
        this.connectionsMax = connectionsMax;
        this.serve = serve;
        room = new SemaphoreSlim(connectionsMax);
        accepting = AcceptAsync();
    }

    /// <summary>Takes no more, and waits until those that are served have ended.</summary>
    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync().ConfigureAwait(false);
        await accepting.ConfigureAwait(false);
        listener.Dispose();
        // Each of them gives its room back.
        for (int i = 0; i < connectionsMax; i++)
            await room.WaitAsync().ConfigureAwait(false);
        room.Dispose();
        stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                await room.WaitAsync(stopping.Token).ConfigureAwait(false);
                if (await AcceptOneAsync().ConfigureAwait(false) is not { } socket)
                {
                    room.Release();
                    return;
                }
                _ = ServeAsync(socket);
            }
        }
        catch (OperationCanceledException)
        {
            // Disposed while there was no room.
        }
    }

    private async Task<Socket?> AcceptOneAsync()
    {
        while (true)
        {
            try
            {
                return await listener.AcceptAsync(stopping.Token).ConfigureAwait(false);
            }
            catch (SocketException)
            {
                // One that has gone before it was taken, or no descriptors.
                await Task.Delay(RetryAfter, CancellationToken.None).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return null;
            }
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            if (socket.AddressFamily != AddressFamily.Unix)
                socket.NoDelay = true;
            await serve(socket, stopping.Token).ConfigureAwait(false);
        }
        finally
        {
            room.Release();
        }
    }
}
