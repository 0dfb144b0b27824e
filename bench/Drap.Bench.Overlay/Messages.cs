using Drap.Libp2p.Host;

namespace Drap.Bench.Overlay;

/// <summary>Messages of a known length on streams.</summary>
internal static class Messages
{
    public static async Task FillAsync(P2pStream stream, Memory<byte> message)
    {
        while (!message.IsEmpty)
        {
            int read = await stream.ReadAsync(message);
            if (read == 0)
                throw new EndOfStreamException($"the stream ended {message.Length} bytes early");
            message = message[read..];
        }
    }
}
