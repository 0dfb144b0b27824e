using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Drap.Libp2p.Gossipsub;

namespace Drap.Libp2p.Host;

/// <summary>
/// Messages of a topic, in the order in which they were accepted. What is not read in time is lost to this subscriber alone, the newest first. Dispose it, and if
/// it was the last of its topic the topic is left.
/// </summary>
public sealed class TopicSubscription : IDisposable
{
    private readonly Channel<GossipMessage> messages;
    private readonly PubSub owner;
    private readonly long bytesMax;
    private long bytes;
    private long lost;

    internal TopicSubscription(PubSub owner, string topic, PubSubOptions options)
    {
        this.owner = owner;
        Topic = topic;
        bytesMax = options.SubscriptionBytesMax;
        messages = Channel.CreateBounded<GossipMessage>(new BoundedChannelOptions(options.SubscriptionMessagesMax)
        {
            SingleWriter = true, FullMode = BoundedChannelFullMode.Wait,
        });
    }

    /// <summary>The topic.</summary>
    public string Topic { get; }

    /// <summary>Messages that found no room here.</summary>
    public long Lost => Volatile.Read(ref lost);

    /// <summary>The next message; waits for one.</summary>
    /// <exception cref="ChannelClosedException">The subscription is over, and all was read.</exception>
    public async ValueTask<GossipMessage> ReadAsync(CancellationToken ct = default)
    {
        GossipMessage message = await messages.Reader.ReadAsync(ct).ConfigureAwait(false);
        Interlocked.Add(ref bytes, -message.Content.Data.Length);
        return message;
    }

    /// <summary>The next message, if one is there.</summary>
    public bool TryRead([NotNullWhen(true)] out GossipMessage? message)
    {
        if (!messages.Reader.TryRead(out message))
            return false;
        Interlocked.Add(ref bytes, -message.Content.Data.Length);
        return true;
    }

    /// <summary>All messages, until the subscription is over.</summary>
    public async IAsyncEnumerable<GossipMessage> ReadAllAsync([EnumeratorCancellation] CancellationToken ct = default)
    {
        while (await messages.Reader.WaitToReadAsync(ct).ConfigureAwait(false))
            while (TryRead(out GossipMessage? message))
                yield return message;
    }

    /// <summary>Ends it; what was not read yet still can be.</summary>
    public void Dispose() => owner.Unsubscribe(this);

    // Under the router's lock.
    internal void Deliver(GossipMessage message)
    {
        if (Interlocked.Add(ref bytes, message.Content.Data.Length) <= bytesMax && messages.Writer.TryWrite(message))
            return;
        Interlocked.Add(ref bytes, -message.Content.Data.Length);
        lost++;
    }

    internal void Complete() => messages.Writer.TryComplete();
}
