using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Gossipsub;

/// <summary>Who hears what: our word to all peers, and theirs to us.</summary>
internal sealed class Subscriptions(RouterState state, Mesh mesh, Forwarder forwarder)
{
    // What a subscription to a topic of which nobody else has heard costs here beside its name: the topic, the link, and places in tables.
    private const int LinkBytes = 448;

    /// <summary>Tells a new peer all that we hear.</summary>
    public void Greet(GossipPeer peer) => Tell(peer, state.Topics.Ours, on: true);

    /// <summary>Tells all peers of one topic.</summary>
    public void Announce(TopicState topic, bool on)
    {
        if (state.Connected.Count == 0)
            return;
        ReadOnlyMemory<byte> frame = default;
        state.Writer.Subscriptions([topic], on, made => frame = made);
        foreach (GossipPeer peer in state.Connected)
            state.Send(peer, frame, FrameKind.Control);
    }

    /// <summary>A peer hears a topic, or does not any more. False if that is more than is taken note of.</summary>
    public bool On(GossipPeer peer, ReadOnlySpan<byte> subscription)
    {
        bool on = false;
        ReadOnlySpan<byte> name = default;
        var reader = new ProtoReader(subscription);
        while (reader.Next())
        {
            if (reader.Field == RpcField.SubscribeOn)
                on = reader.Bool();
            else if (reader.Field == RpcField.SubscribeTopic)
                name = reader.Bytes();
        }
        TopicState? topic = state.Topics.Find(name);
        TopicLink? link = topic is null ? null : peer.LinkTo(topic);
        if (!on)
        {
            if (link is { IsHearer: true })
                Leave(link);
            return true;
        }
        if (link is { IsHearer: true })
            return true;
        if (peer.SubscriptionBytes + LinkBytes + name.Length > state.Limits.SubscriptionBytesMax)
            return false;
        topic ??= state.Topics.FindOrAdd(name);
        if (topic is not null)
            Enter(link ?? RouterState.LinkOf(peer, topic));
        return true;
    }

    /// <summary>A peer has gone.</summary>
    public void Leave(GossipPeer peer)
    {
        for (int i = peer.Links.Count - 1; i >= 0; i--)
        {
            TopicLink link = peer.Links[i];
            if (link.IsHearer)
                Leave(link);
            else
                mesh.HearerWent(link);
        }
    }

    private void Enter(TopicLink link)
    {
        link.IsHearer = true;
        link.At = link.Topic.Hearers.Count;
        link.Topic.Hearers.Add(link);
        link.Peer.SubscriptionBytes += LinkBytes + link.Topic.Utf8.Length;
        if (link.Peer.IsDirect || !link.Peer.TakesMeshes)
            link.Topic.AddFlooded(link);
        state.Effects.Add(new GossipEffect.PeerSubscription(link.Peer.Id, link.Topic.Name, true));
        mesh.HearerCame(link);
        forwarder.HearerCame(link);
    }

    private void Leave(TopicLink link)
    {
        mesh.HearerWent(link);
        Fanout.Drop(link);
        TopicState topic = link.Topic;
        link.IsHearer = false;
        topic.Hearers[link.At] = topic.Hearers[^1];
        topic.Hearers[link.At].At = link.At;
        topic.Hearers.RemoveAt(topic.Hearers.Count - 1);
        topic.RemoveFlooded(link);
        link.Peer.SubscriptionBytes -= LinkBytes + topic.Utf8.Length;
        state.Effects.Add(new GossipEffect.PeerSubscription(link.Peer.Id, topic.Name, false));
        state.Release(link);
    }

    private void Tell(GossipPeer peer, IReadOnlyList<TopicState> topics, bool on) =>
        state.Writer.Subscriptions(topics, on, frame => state.Send(peer, frame, FrameKind.Control));
}
