using System.Security.Cryptography;
using Drap.Libp2p.Ping;

namespace Drap.Libp2p.Host;

/// <summary>Pings one peer over one stream that stays open. One ping at a time.</summary>
public sealed class Pinger : IDisposable
{
    private readonly P2pStream stream;
    private readonly TimeProvider time;
    private readonly byte[] question = new byte[PingEcho.Bytes];
    private readonly PingEcho answer = new();

    private Pinger(P2pStream stream, TimeProvider time)
    {
        this.stream = stream;
        this.time = time;
    }

    /// <summary>Opens the stream; see <see cref="Libp2pHost.OpenStreamAsync"/>.</summary>
    public static async Task<Pinger> OpenAsync(Libp2pHost host, PeerId peer, CancellationToken ct = default) =>
        new(await host.OpenStreamAsync(peer, [PingEcho.Protocol], ct).ConfigureAwait(false), host.TimeProvider);

    /// <summary>How long one ping takes there and back. After a cancelled one the pinger is of no use.</summary>
    /// <exception cref="Libp2pException">The stream ended, or something else came back.</exception>
    public async ValueTask<TimeSpan> PingAsync(CancellationToken ct = default)
    {
        RandomNumberGenerator.Fill(question);
        long start = time.GetTimestamp();
        await stream.WriteAsync(question, ct).ConfigureAwait(false);
        int read;
        do
        {
            read = await stream.ReadAsync(answer.Missing, ct).ConfigureAwait(false);
            if (read == 0)
                throw new Libp2pException("the peer ended the stream instead of answering the ping");
        }
        while (!answer.Filled(read));
        TimeSpan took = time.GetElapsedTime(start);
        return answer.Whole.Span.SequenceEqual(question) ? took : throw new Libp2pException("the peer answered the ping with something else");
    }

    /// <summary>Ends the stream.</summary>
    public void Dispose() => stream.Dispose();
}
