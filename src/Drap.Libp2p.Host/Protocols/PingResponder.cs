using Drap.Libp2p.Ping;

namespace Drap.Libp2p.Host.Protocols;

/// <summary>Answers pings, until the peer closes.</summary>
internal static class PingResponder
{
    public static async Task ServeAsync(P2pStream stream)
    {
        var ping = new PingEcho();
        while (true)
        {
            int read = await stream.ReadAsync(ping.Missing).ConfigureAwait(false);
            if (read == 0)
                return;
            if (ping.Filled(read))
                await stream.WriteAsync(ping.Whole).ConfigureAwait(false);
        }
    }
}
