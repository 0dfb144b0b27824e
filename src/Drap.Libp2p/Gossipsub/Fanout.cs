namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// The fan-outs: peers chosen for topics that we publish to and do not hear. Opened by the first message or, so that it need not wait, before it.
/// </summary>
internal sealed class Fanout(RouterState state)
{
    private readonly List<TopicLink> candidates = [];

    /// <summary>Chooses peers for a topic that will be published to soon, and keeps them for the fan-out's time.</summary>
    public void Open(TopicState topic)
    {
        topic.PublishedAt = state.Now;
        if (topic.IsHeard)
            return;
        if (topic.Fanout is null)
        {
            topic.Fanout = [];
            state.Topics.Changed(topic);
        }
        Fill(topic, topic.Fanout);
    }

    /// <summary>Ends a fan-out that was not used, and refills one that has lost peers (v1.0, "Fanout Maintenance").</summary>
    public void Heartbeat(TopicState topic)
    {
        List<TopicLink> fanout = topic.Fanout!;
        for (int i = fanout.Count - 1; i >= 0; i--)
            if (topic.PublishedAt + state.Options.FanoutTime < state.Now || !IsFit(fanout[i]))
                Drop(fanout[i]);
        if (topic.PublishedAt + state.Options.FanoutTime >= state.Now)
        {
            Fill(topic, fanout);
            return;
        }
        topic.Fanout = null;
        state.Topics.Changed(topic);
    }

    /// <summary>A peer of it hears the topic no more, or has gone.</summary>
    public static void Drop(TopicLink link)
    {
        if (!link.IsInFanout)
            return;
        link.IsInFanout = false;
        link.Topic.Fanout!.Remove(link);
    }

    private void Fill(TopicState topic, List<TopicLink> fanout)
    {
        int missing = state.Options.MeshSize - fanout.Count;
        if (missing <= 0)
            return;
        candidates.Clear();
        foreach (TopicLink link in topic.Hearers)
            if (!link.IsInFanout && IsFit(link))
                candidates.Add(link);
        state.Draw(candidates, missing);
        for (int i = 0; i < missing && i < candidates.Count; i++)
        {
            candidates[i].IsInFanout = true;
            fanout.Add(candidates[i]);
        }
    }

    private bool IsFit(TopicLink link) =>
        link.IsHearer && link.Peer is { TakesMeshes: true, IsDirect: false } && state.ScoreOf(link.Peer) >= state.Options.Score.PublishThreshold;
}
