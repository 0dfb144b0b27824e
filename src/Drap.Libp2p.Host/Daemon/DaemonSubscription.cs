using System.Net.Sockets;
using Drap.Libp2p.Daemon;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>A topic as a daemon brings it. Who reads slowly makes the daemon drop messages. One read at a time; must be disposed.</summary>
public sealed class DaemonSubscription : IDisposable
{
    private readonly DaemonSocket socket;

    internal DaemonSubscription(string topic, DaemonSocket socket)
    {
        Topic = topic;
        this.socket = socket;
    }

    /// <summary>The topic.</summary>
    public string Topic { get; }

    /// <summary>The next message; null when the daemon has ended the subscription, or this was disposed.</summary>
    /// <exception cref="DaemonException">What the daemon sent is no message, or the connection is lost.</exception>
    public async ValueTask<PubsubMessage?> NextAsync(CancellationToken ct = default)
    {
        try
        {
            if (await socket.ReadMessageAsync(ct).ConfigureAwait(false) is not { } bytes)
                return null;
            return PubsubMessage.TryDecode(bytes, out PubsubMessage? message) ? message : throw new DaemonException("what the daemon sent is no message of a topic");
        }
        catch (ObjectDisposedException)
        {
            return null;
        }
        catch (SocketException e)
        {
            throw new DaemonException($"the connection with the daemon was lost: {e.Message}", e);
        }
    }

    /// <summary>Ends the subscription.</summary>
    public void Dispose() => socket.Dispose();
}
