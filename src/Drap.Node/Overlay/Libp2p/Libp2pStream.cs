using System.Runtime.CompilerServices;
using Drap.Libp2p.Host;

namespace Drap.Node.Overlay.Libp2p;

/// <summary>A stream of our own libp2p.</summary>
internal sealed class Libp2pStream(P2pStream stream) : OverlayStream
{
    public override PeerId Peer => stream.Remote;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ValueTask<int> read = stream.ReadAsync(buffer, cancellationToken);
        return read.IsCompletedSuccessfully ? read : WaitAsync(read);
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ValueTask written = stream.WriteAsync(buffer, cancellationToken);
        return written.IsCompletedSuccessfully ? written : WaitAsync(written);
    }

    public override ValueTask CompleteWritesAsync(CancellationToken cancellationToken = default)
    {
        ValueTask written = stream.CloseWriteAsync();
        return written.IsCompletedSuccessfully ? written : WaitAsync(written);
    }

    public override void Reset() => stream.Reset();

    /// <summary>What a failure of the library is to an overlay's user.</summary>
    public static OverlayException Translate(Libp2pException failure) => failure switch
    {
        StreamResetException { End: StreamEnd.ProtocolRefused } or ProtocolRefusedException => new OverlayException(OverlayFailure.NotServed, failure.Message, failure),
        StreamResetException => new OverlayException(OverlayFailure.Reset, failure.Message, failure),
        _ => new OverlayException(OverlayFailure.Unreachable, failure.Message, failure),
    };

    protected override void Release() => stream.Dispose();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private static async ValueTask<int> WaitAsync(ValueTask<int> read)
    {
        try
        {
            return await read.ConfigureAwait(false);
        }
        catch (Libp2pException failure)
        {
            throw Translate(failure);
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    private static async ValueTask WaitAsync(ValueTask written)
    {
        try
        {
            await written.ConfigureAwait(false);
        }
        catch (Libp2pException failure)
        {
            throw Translate(failure);
        }
    }
}
