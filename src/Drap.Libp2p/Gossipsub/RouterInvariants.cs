namespace Drap.Libp2p.Gossipsub;

/// <summary>What always holds of a router's tables between two steps.</summary>
internal static class RouterInvariants
{
    public static void Check(RouterState state, Inbox inbox, Forwarder forwarder)
    {
        var topics = new Dictionary<TopicState, int>();
        long pendingBytes = 0;
        foreach (GossipPeer peer in state.Known)
        {
            Invariant.Check(peer.Draft is null);
            Invariant.Check(!peer.IsConnected || ReferenceEquals(state.Connected[peer.At], peer));
            Invariant.Check(peer.IsConnected || peer.IsInGone);
            Invariant.Check(peer.Pending is not { Count: 0 });
            pendingBytes += peer.PendingBytes;
            long subscriptionBytes = 0;
            foreach (TopicLink link in peer.Links)
            {
                topics[link.Topic] = topics.GetValueOrDefault(link.Topic) + 1;
                Check(link);
                if (link.IsHearer)
                    subscriptionBytes += link.Topic.Utf8.Length;
            }
            Invariant.Check(subscriptionBytes <= peer.SubscriptionBytes);
            Invariant.Check(peer.SubscriptionBytes <= state.Limits.SubscriptionBytesMax);
        }
        Invariant.Check(pendingBytes <= inbox.PendingBytes);
        foreach ((TopicState topic, int links) in topics)
            Check(topic, links, state);
        foreach (TopicState topic in state.Topics.Ours)
        {
            Invariant.Check(topic.IsOurs && ReferenceEquals(state.Topics.Find(topic.Utf8), topic));
            Invariant.Check(topic.Fanout is null || !topic.IsHeard);
        }
        Invariant.Check(state.Cache.Count <= state.Limits.CacheMessagesMax);
        Invariant.Check(state.Seen.Count <= state.Limits.SeenMax);
        Invariant.Check(inbox.Validating <= state.Limits.ValidatingMax);
        Invariant.Check(forwarder.Waiting <= state.Limits.PassOnWaitingMax);
    }

    private static void Check(TopicLink link)
    {
        TopicState topic = link.Topic;
        Invariant.Check(ReferenceEquals(link.Peer.LinkTo(topic), link));
        Invariant.Check(!link.IsHearer || ReferenceEquals(topic.Hearers[link.At], link));
        // Only who is there and hears the topic is in a mesh or a fan-out.
        Invariant.Check(link.IsInMesh == topic.Mesh.Contains(link));
        Invariant.Check(link.IsInFanout == (topic.Fanout?.Contains(link) ?? false));
        Invariant.Check(!link.IsInMesh || (topic.IsHeard && link.IsHearer && link.Peer.TakesMeshes));
        Invariant.Check(!link.IsHearer || link.Peer.IsConnected);
        Invariant.Check(!link.IsInFanout || link.IsHearer);
        Invariant.Check(!(link.IsInMesh && link.Peer.IsDirect));
        Invariant.Check(topic.Flooded.Contains(link) == (link.IsHearer && (link.Peer.IsDirect || !link.Peer.TakesMeshes)));
    }

    private static void Check(TopicState topic, int links, RouterState state)
    {
        // Messages that wait hold the topic, too.
        Invariant.Check(topic.Links >= links);
        Invariant.Check(ReferenceEquals(state.Topics.Find(topic.Utf8), topic));
        Invariant.Check(topic.Hearers.Count <= links);
    }
}
