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

    /// <summary>Most of those who would get it do not keep up; come again when <see cref="GossipRouter.SetBusy"/> says that one does.</summary>
    Busy,

    /// <summary>No topic can have that name, or there are too many.</summary>
    BadTopic,
}

/// <summary>Our own messages on their way out. Signatures come in any order; messages go out in the order of their numbers, since others refuse what runs backwards.</summary>
internal sealed class Outbox(RouterState state, Forwarder forwarder)
{
    // Ed25519's, for which room is left behind what is signed. Of other keys the message is copied once it is signed.
    private const int UsualSignatureBytes = 64;

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
        // By flooding nothing is kept of a topic, so that their number does not matter.
        if ((state.Options.FloodPublish ? state.Topics.FindOrAdd(topicName) : state.Topics.OursOrNew(topicName)) is not { } topic)
            return PublishOutcome.BadTopic;
        if (forwarder.IsBusy(topic))
            return PublishOutcome.Busy;
        // Nobody forgets the topic while a message for it is being signed.
        topic.Links++;
        sequence++;
        // The sender's name holds the key unless the key is large.
        ReadOnlyMemory<byte> key = state.Self.Bytes[0] != 0x00 ? state.PublicKey : default;
        var message = new UnsignedMessage(
            topic, state.Self, key, SignedMessage.Draft(state.Self, data, sequence, topic.Utf8, UsualSignatureBytes, key.Length));
        waiting.Enqueue(message);
        waitingBytes += data.Length;
        state.Effects.Add(new GossipEffect.Sign(message));
        return PublishOutcome.Taken;
    }

    public void Signed(UnsignedMessage message)
    {
        Invariant.Check(message.IsSigned || message.IsAnswered);
        Answered(message);
    }

    public void Abandon(UnsignedMessage message)
    {
        Invariant.Check(!message.IsSigned || message.IsAnswered);
        Answered(message);
    }

    private void Answered(UnsignedMessage message)
    {
        if (message.IsAnswered)
            return;
        message.IsAnswered = true;
        while (waiting.TryPeek(out UnsignedMessage? first) && first.IsAnswered)
        {
            waiting.Dequeue();
            waitingBytes -= first.DataLength;
            if (first.Signed is not null)
                Send(first.TopicState, first.Signed);
            first.TopicState.Links--;
            state.Topics.Release(first.TopicState);
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
    }
}
