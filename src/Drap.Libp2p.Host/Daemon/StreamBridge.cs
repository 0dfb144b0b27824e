using System.Buffers;
using System.Net.Sockets;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>
/// Carries a stream over a socket and back, half-closes and resets included: the end of what the peer writes is a shutdown of the socket's write
/// side, and the other way round; whichever of the two is reset, the other is.
/// </summary>
/// <remarks>
/// While nothing flows it holds no buffer. At most one piece of <see cref="PieceBytes"/> is under way in each direction: what the one side does not take, the
/// other's window holds back.
/// </remarks>
internal static class StreamBridge
{
    private const int PieceBytes = 64 * 1024;

    /// <summary>Carries until both directions have ended, and disposes both. Does not throw.</summary>
    public static async Task RunAsync(P2pStream stream, DaemonSocket socket, CancellationToken stopping)
    {
        using (stopping.Register(() => End(stream, socket)))
            await Task.WhenAll(ToPeerAsync(stream, socket), ToClientAsync(stream, socket)).ConfigureAwait(false);
        stream.Dispose();
        socket.Dispose();
    }

    private static async Task ToPeerAsync(P2pStream stream, DaemonSocket socket)
    {
        byte[]? buffer = null;
        try
        {
            while (true)
            {
                await socket.ReadAsync(Memory<byte>.Empty, CancellationToken.None).ConfigureAwait(false);
                buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
                int read = await socket.ReadAsync(buffer, CancellationToken.None).ConfigureAwait(false);
                if (read == 0)
                    break;
                await stream.WriteAsync(buffer.AsMemory(0, read)).ConfigureAwait(false);
                Return(ref buffer);
            }
            await stream.CloseWriteAsync().ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            End(stream, socket);
        }
        finally
        {
            Return(ref buffer);
        }
    }

    private static async Task ToClientAsync(P2pStream stream, DaemonSocket socket)
    {
        byte[]? buffer = null;
        try
        {
            while (true)
            {
                await stream.ReadAsync(Memory<byte>.Empty).ConfigureAwait(false);
                buffer = ArrayPool<byte>.Shared.Rent(PieceBytes);
                int read = await stream.ReadAsync(buffer).ConfigureAwait(false);
                if (read == 0)
                    break;
                await socket.WriteAsync(buffer.AsMemory(0, read), CancellationToken.None).ConfigureAwait(false);
                Return(ref buffer);
            }
            socket.CloseWrite();
        }
        catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException)
        {
            End(stream, socket);
        }
        finally
        {
            Return(ref buffer);
        }
    }

    private static void End(P2pStream stream, DaemonSocket socket)
    {
        stream.Reset();
        socket.Abort();
    }

    private static void Return(ref byte[]? buffer)
    {
        if (buffer is not null)
            ArrayPool<byte>.Shared.Return(buffer);
        buffer = null;
    }
}
