namespace Drap.Libp2p.Gossipsub;

/// <summary>To whom a message goes.</summary>
internal sealed class Forwarder(RouterState state, Fanout fanout)
{
    // Beyond it the oldest is lost to who comes later: whoever publishes more than that before anybody is there does not mean those.
    private const int UnheardMax = 256;

    // What we published and nobody got, while the cache holds it.
    private readonly List<GossipMessage> unheard = [];

    /// <summary>Passes on what came from others: to the mesh, and to those who stand outside of meshes.</summary>
    public void PassOn(GossipMessage message)
    {
        TopicState topic = message.TopicState;
        foreach (TopicLink link in topic.Mesh)
            Send(link.Peer, message);
        foreach (TopicLink link in topic.Flooded)
            if (link.Peer.IsDirect || state.ScoreOf(link.Peer) >= state.Options.Score.PublishThreshold)
                Send(link.Peer, message);
    }

    /// <summary>
    /// Sends what we wrote: to all who hear the topic (v1.1, "Flood Publishing"), or to its mesh, filled up to D if it is thin, or to its fan-out. Says to how many.
    /// </summary>
    public int Publish(GossipMessage message)
    {
        int peers = SendOwn(message);
        if (peers == 0)
        {
            if (unheard.Count == UnheardMax)
                unheard.RemoveAt(0);
            unheard.Add(message);
        }
        return peers;
    }

    /// <summary>A peer begins to hear a topic: what we lately published to nobody was meant for such as it.</summary>
    public void HearerCame(TopicLink link)
    {
        if (unheard.Count == 0)
            return;
        Heartbeat();
        if (!link.Peer.IsDirect && state.ScoreOf(link.Peer) < state.Options.Score.PublishThreshold)
            return;
        foreach (GossipMessage message in unheard)
            if (message.TopicState.Utf8.SequenceEqual(link.Topic.Utf8))
                Send(link.Peer, message);
    }

    /// <summary>Forgets what is too old to be told of.</summary>
    public void Heartbeat() => unheard.RemoveAll(message => !ReferenceEquals(state.Cache.Find(message.Key), message));

    private int SendOwn(GossipMessage message)
    {
        TopicState topic = message.TopicState;
        double threshold = state.Options.Score.PublishThreshold;
        int before = state.Effects.Count;
        if (state.Options.FloodPublish)
        {
            topic.PublishedAt = state.Now;
            foreach (TopicLink link in topic.Hearers)
                if (link.Peer.IsDirect || state.ScoreOf(link.Peer) >= threshold)
                    Send(link.Peer, message);
            return state.Effects.Count - before;
        }
        fanout.Open(topic);
        foreach (TopicLink link in topic.IsHeard ? topic.Mesh : topic.Fanout!)
            Send(link.Peer, message);
        int missing = topic.IsHeard ? state.Options.MeshSize - topic.Mesh.Count : 0;
        foreach (TopicLink link in topic.Hearers)
        {
            if (link.IsInMesh || link.IsInFanout)
                continue;
            if (link.Peer.IsDirect || (state.ScoreOf(link.Peer) >= threshold && (!link.Peer.TakesMeshes || missing-- > 0)))
                Send(link.Peer, message);
        }
        return state.Effects.Count - before;
    }

    /// <summary>
    /// Whether most of those who would get what we publish do not keep up. As long as every second does the message gets through, and who is behind hears of it
    /// later: one slow peer slows nobody.
    /// </summary>
    public bool IsBusy(TopicState topic)
    {
        if (state.Busy == 0)
            return false;
        List<TopicLink> links = state.Options.FloodPublish ? topic.Hearers : topic.IsHeard ? topic.Mesh : topic.Fanout ?? topic.Hearers;
        int busy = 0;
        foreach (TopicLink link in links)
            busy += link.Peer.IsBusy ? 1 : 0;
        return 2 * busy > links.Count;
    }

    private void Send(GossipPeer peer, GossipMessage message)
    {
        if (message.IsHeldBy(peer) || peer.Id == message.Content.From)
            return;
        if (peer.DoesNotWant(message.Key))
        {
            state.Counters.Spared++;
            return;
        }
        state.Send(peer, message.Content);
    }
}
