using System.Net.Sockets;
using Drap.Libp2p.Daemon;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>
/// A stream to a peer that a daemon carries: as <see cref="P2pStream"/>, bytes both ways, each half closed for itself. One read and one write
/// may be under way at a time. Must be disposed.
/// </summary>
/// <remarks>Over a Unix socket a reset by the peer may look like the end of what it writes: such sockets have no reset.</remarks>
public sealed class DaemonStream : IDisposable
{
    // A peer that goes on writing to nobody is reset after this time.
    private static readonly TimeSpan LingerTime = TimeSpan.FromSeconds(30);

    private readonly DaemonSocket socket;
    private readonly StreamInfo info;
    private bool isReadOver, isWriteOver;

    internal DaemonStream(DaemonSocket socket, StreamInfo info)
    {
        this.socket = socket;
        this.info = info;
    }

    /// <summary>Who is at the other end, by the daemon's word.</summary>
    public PeerId Remote => info.Peer;

    /// <summary>The protocol that both sides agreed on.</summary>
    public string Protocol => info.Protocol;

    /// <summary>Where the peer is, as a binary multiaddr.</summary>
    public ReadOnlyMemory<byte> RemoteAddress => info.Address;

    /// <summary>Reads at least one byte; 0 at the end of what the peer writes.</summary>
    /// <exception cref="DaemonException">The stream has ended.</exception>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken ct = default)
    {
        try
        {
            int read = await socket.ReadAsync(buffer, ct).ConfigureAwait(false);
            isReadOver |= read == 0 && buffer.Length > 0;
            return read;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw Ended(e);
        }
    }

    /// <summary>Writes all of it, or as much as the daemon takes before the stream ends.</summary>
    /// <exception cref="DaemonException">The stream has ended.</exception>
    public async ValueTask WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken ct = default)
    {
        try
        {
            await socket.WriteAsync(bytes, ct).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw Ended(e);
        }
    }

    /// <summary>Says that this side writes no more; the peer reads to the end of what was written.</summary>
    public void CloseWrite()
    {
        isWriteOver = true;
        socket.CloseWrite();
    }

    /// <summary>Ends the stream both ways, at once; what is under way is lost.</summary>
    public void Reset() => socket.Abort();

    /// <summary>What a handler leaves: closes the write half, and lets the peer end its own; what that still writes is dropped.</summary>
    internal async Task FinishAsync(CancellationToken ct)
    {
        CloseWrite();
        using var late = new Patience(TimeProvider.System, LingerTime, ct);
        byte[] dropped = new byte[4096];
        while (!isReadOver)
            await ReadAsync(dropped, late.Token).ConfigureAwait(false);
    }

    /// <summary>Resets the stream, unless it was read to its end and closed for writing.</summary>
    public void Dispose()
    {
        if (isReadOver && isWriteOver)
            socket.Dispose();
        else
            socket.Abort();
    }

    private static DaemonException Ended(Exception e) =>
        new(e is SocketException ? "the peer or the daemon has reset the stream" : "the stream was reset here", e);
}
