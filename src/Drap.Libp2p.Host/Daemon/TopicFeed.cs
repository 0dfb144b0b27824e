using System.Buffers.Binary;
using System.Net.Sockets;
using Drap.Libp2p.Daemon;
using Drap.Libp2p.Gossipsub;

namespace Drap.Libp2p.Host.Daemon;

/// <summary>Carries a topic's messages to a program until either of them ends it.</summary>
internal static class TopicFeed
{
    /// <summary>Carries until the program closes its connection or its half of it, or the subscription is over. Does not throw.</summary>
    public static async Task RunAsync(TopicSubscription topic, DaemonSocket socket, CancellationToken stopping)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        Task listening = ListenAsync(socket, over);
        try
        {
            await foreach (GossipMessage message in topic.ReadAllAsync(over.Token).ConfigureAwait(false))
                await socket.WriteMessageAsync(MessageOf(message).Encode(), over.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The program has gone.
        }
        await over.CancelAsync().ConfigureAwait(false);
        await listening.ConfigureAwait(false);
    }

    // A subscriber has nothing more to say than that it ends: what it says is dropped.
    private static async Task ListenAsync(DaemonSocket socket, CancellationTokenSource over)
    {
        byte[] said = new byte[64];
        try
        {
            while (await socket.ReadAsync(said, over.Token).ConfigureAwait(false) > 0)
            {
            }
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // It is over, or will be with the next write.
        }
        await over.CancelAsync().ConfigureAwait(false);
    }

    private static PubsubMessage MessageOf(GossipMessage message)
    {
        SignedMessage content = message.Content;
        byte[] number = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(number, content.Sequence);
        return new PubsubMessage
        {
            From = content.From,
            Data = content.Data.ToArray(),
            SequenceNumber = number,
            Topics = [message.Topic],
            Signature = content.Signature.ToArray(),
            Key = content.IsKeyInName ? null : content.Key.ToArray(),
        };
    }
}
