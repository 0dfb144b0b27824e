namespace Drap.Libp2p.Gossipsub;

/// <summary>To whom a message goes.</summary>
internal sealed class Forwarder(RouterState state, Fanout fanout)
{
    // Beyond it the oldest is lost to who comes later: whoever publishes more than that before anybody is there does not mean those.
    private const int UnheardMax = 256;

    // What we published and nobody got, while the cache holds it.
    private readonly List<GossipMessage> unheard = [];

    // What is passed on when its time has come; later ones never before earlier ones.
    private readonly Queue<(GossipMessage Message, Instant At)> waiting = new();
    private TimeSpan delay = state.Options.PassOnDelay;

    /// <summary>When <see cref="PassOnDue"/> has something to do.</summary>
    public Instant NextDeadline => waiting.TryPeek(out (GossipMessage, Instant At) first) ? first.At : Instant.Never;

    /// <summary>Messages that wait to be passed on.</summary>
    public int Waiting => waiting.Count;

    /// <summary>A message of another was accepted: it is passed on, now or after <see cref="GossipOptions.PassOnDelay"/>.</summary>
    public void Accepted(GossipMessage message)
    {
        if (state.Options.PassOnDelay == TimeSpan.Zero || message.Source!.Id != message.Content.From
            || message.Content.Data.Length >= state.Options.IDontWantBytesMin || message.TopicState.Hearers.Count > state.Options.MeshHigh)
        {
            PassOn(message);
            return;
        }
        if (waiting.Count == state.Limits.PassOnWaitingMax)
            PassOnFirst();
        message.IsToPassOn = true;
        // Nobody forgets the topic meanwhile: it would be another object when it comes back.
        message.TopicState.Links++;
        waiting.Enqueue((message, state.Now + delay));
    }

    /// <summary>Passes on what has waited long enough.</summary>
    public void PassOnDue()
    {
        while (NextDeadline <= state.Now)
            PassOnFirst();
    }

    private void PassOnFirst()
    {
        GossipMessage message = waiting.Dequeue().Message;
        message.IsToPassOn = false;
        PassOn(message);
        message.TopicState.Links--;
        state.Topics.Release(message.TopicState);
    }

    /// <summary>To the mesh, and to those who stand outside of meshes.</summary>
    private void PassOn(GossipMessage message)
    {
        TopicState topic = message.TopicState;
        foreach (TopicLink link in topic.Mesh)
            Send(link.Peer, message);
        foreach (TopicLink link in topic.Flooded)
            if (link.Peer.IsDirect || state.ScoreOf(link.Peer) >= state.Options.Score.PublishThreshold)
                Send(link.Peer, message);
        // Who brings it later counts only where copies are counted (P3).
        if (topic.Score is not { CountsMeshDeliveries: true })
            message.ForgetHolders();
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
        Trim();
        if (!link.Peer.IsDirect && state.ScoreOf(link.Peer) < state.Options.Score.PublishThreshold)
            return;
        foreach (GossipMessage message in unheard)
            if (message.TopicState.Utf8.SequenceEqual(link.Topic.Utf8))
                Send(link.Peer, message);
    }

    /// <summary>Forgets what is too old to be told of, and draws how long messages wait from now on.</summary>
    public void Heartbeat()
    {
        Trim();
        if (state.Options.PassOnDelay is { Ticks: > 1 } most)
            delay = most - new TimeSpan(state.Prng.Below((int)(most.Ticks / 2)));
    }

    private void Trim() => unheard.RemoveAll(message => !ReferenceEquals(state.Cache.Find(message.Key), message));

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
