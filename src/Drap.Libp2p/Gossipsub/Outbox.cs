namespace Drap.Libp2p.Gossipsub;

/// <summary>What becomes of a request to publish.</summary>
public enum PublishOutcome
{
    /// <summary>It goes out once it is signed.</summary>
    Taken,

    /// <summary>It is longer than <see cref="GossipLimits.MessageBytesMax"/>.</summary>
    TooLong,

    /// <summary>Too much waits for its signature; come again after a <see cref="GossipEffect.Published"/>.</summary>
    Full,

    /// <summary>No topic can have that name, or there are too many.</summary>
    BadTopic,
}

/// <summary>Our own messages on their way out. Signatures come in any order; messages go out in the order of their numbers, since others refuse what runs backwards.</summary>
internal sealed class Outbox(RouterState state, Forwarder forwarder)
{
    private readonly Queue<UnsignedMessage> waiting = new();
    private ulong sequence = state.Options.LastSequence;
    private int waitingBytes;

    public int Waiting => waiting.Count;

    public PublishOutcome Publish(string topicName, ReadOnlySpan<byte> data)
    {
        if (data.Length > state.Limits.MessageBytesMax)
            return PublishOutcome.TooLong;
        if (waiting.Count >= state.Limits.SigningMax || waitingBytes >= state.Limits.SigningBytesMax)
            return PublishOutcome.Full;
        if ((state.Topics.Find(topicName) ?? state.Topics.FindOrAdd(topicName)) is not { } topic)
            return PublishOutcome.BadTopic;
        // Nobody forgets the topic while a message for it is being signed.
        topic.Links++;
        sequence++;
        var message = new UnsignedMessage(
            topic, sequence, SignedMessage.Unsigned(state.Self, data, sequence, topic.Utf8), data.Length);
        waiting.Enqueue(message);
        waitingBytes += data.Length;
        state.Effects.Add(new GossipEffect.Sign(message));
        return PublishOutcome.Taken;
    }

    public void Signed(UnsignedMessage message, ReadOnlySpan<byte> signature)
    {
        if (message.Signed is not null)
            return;
        Invariant.Check(signature.Length is > 0 and <= SignedMessage.SignatureBytesMax);
        bool read = MessageFields.TryRead(message.SignedBytes.Span[SignedMessage.SigningPrefix.Length..], out MessageFields fields);
        Invariant.Check(read);
        fields.Signature = signature;
        // The sender's name holds the key unless the key is large.
        fields.HasKey = state.Self.Bytes[0] != 0x00;
        fields.Key = fields.HasKey ? state.PublicKey.Span : default;
        message.Signed = new SignedMessage(fields);
        while (waiting.TryPeek(out UnsignedMessage? first) && first.Signed is not null)
        {
            waiting.Dequeue();
            waitingBytes -= first.DataLength;
            Send(first.TopicState, first.Signed);
        }
    }

    private void Send(TopicState topic, SignedMessage content)
    {
        MessageFields fields = content.Fields();
        var message = new GossipMessage(content, topic, MessageIds.KeyOf(state.Options.MessageIds, fields, state.Hash), null, state.Now);
        if (state.Seen.Add(message.Key, state.Now))
        {
            state.Cache.Put(message);
            state.Promises.Keep(message.Key);
        }
        int peers = forwarder.Publish(message);
        state.Counters.Published++;
        if (topic.IsHeard && state.Options.DeliverOwn)
        {
            state.Counters.Delivered++;
            state.Effects.Add(new GossipEffect.Deliver(message));
        }
        state.Effects.Add(new GossipEffect.Published(content.Sequence, content, peers));
        topic.Links--;
        state.Topics.Release(topic);
    }
}
