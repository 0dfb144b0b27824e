using Drap.Libp2p.Host;
using Drap.Libp2p.Host.Daemon;

namespace Drap.Node.Overlay.P2pd;

/// <summary>A stream that a daemon carries. Over a Unix socket a reset by the peer may look like the end of what it writes.</summary>
internal sealed class P2pdStream(DaemonStream stream) : OverlayStream
{
    private bool isReset;

    public override PeerId Peer => stream.Remote;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        CheckReset();
        try
        {
            return await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (Libp2pException failure)
        {
            throw Ended(failure);
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        CheckReset();
        try
        {
            await stream.WriteAsync(buffer, cancellationToken).ConfigureAwait(false);
        }
        catch (Libp2pException failure)
        {
            throw Ended(failure);
        }
    }

    public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        stream.CloseWrite();
        return ValueTask.CompletedTask;
    }

    public override void Reset()
    {
        isReset = true;
        stream.Reset();
    }

    protected override void Release() => stream.Dispose();

    private void CheckReset()
    {
        if (isReset)
            throw Ended(null);
    }

    private static OverlayException Ended(Exception? failure) => new(OverlayFailure.Reset, failure?.Message ?? "the stream was reset here", failure);
}
