using Drap.Libp2p.Host.Streams;
using Drap.Libp2p.Relay;

namespace Drap.Libp2p.Host.Relay;

/// <summary>Messages of the relay's protocols on their streams.</summary>
internal static class RelayStreams
{
    /// <summary>The next message; null if what came is none.</summary>
    public static async ValueTask<RelayMessage?> ReadRelayAsync(this P2pStream stream, bool isStop, CancellationToken ct)
    {
        byte[]? bytes = await stream.ReadMessageAsync(RelayMessage.BytesMax, ct).ConfigureAwait(false);
        return bytes is not null && RelayMessage.TryDecode(bytes, isStop, out RelayMessage? message) ? message : null;
    }
}
