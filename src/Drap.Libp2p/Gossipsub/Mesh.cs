using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Gossipsub;

/// <summary>The meshes of the topics that we hear: who comes in, who goes, and what is said about it (GRAFT and PRUNE).</summary>
internal sealed class Mesh(RouterState state)
{
    private readonly List<TopicLink> candidates = [];
    private int exchanged;

    /// <summary>We hear a topic from now on. Whoever was in its fan-out comes first.</summary>
    public void Join(TopicState topic)
    {
        topic.IsHeard = true;
        if (topic.Fanout is { } fanout)
        {
            topic.Fanout = null;
            foreach (TopicLink link in fanout)
            {
                link.IsInFanout = false;
                if (topic.Mesh.Count < state.Options.MeshSize && MayGraft(link))
                    Graft(link);
            }
        }
        state.Topics.Changed(topic);
        Fill(topic, state.Options.MeshSize - topic.Mesh.Count, static (_, _) => true, 0);
    }

    /// <summary>We hear it no more.</summary>
    public void Leave(TopicState topic)
    {
        while (topic.Mesh.Count > 0)
            Prune(topic.Mesh[^1], state.Options.UnsubscribeBackoff, exchange: state.Options.PeerExchange);
        topic.IsHeard = false;
        topic.IsValidated = false;
        state.Topics.Changed(topic);
    }

    /// <summary>
    /// A peer hears a topic from now on. It is grafted at once if the mesh is thin: what is published between now and the next heartbeat would
    /// otherwise reach nobody.
    /// </summary>
    public void HearerCame(TopicLink link)
    {
        if (link.Topic.IsHeard && link.Topic.Mesh.Count < state.Options.MeshLow && MayGraft(link))
            Graft(link);
    }

    /// <summary>A peer hears a topic no more, or has gone.</summary>
    public void HearerWent(TopicLink link)
    {
        if (link.IsInMesh)
            Drop(link);
    }

    /// <summary>A peer has put us into its mesh, and wants to be in ours (v1.0, "GRAFT"; v1.1, "PRUNE Backoff and Peer Exchange").</summary>
    public void OnGraft(GossipPeer peer, ReadOnlySpan<byte> graft)
    {
        if (!peer.TakesMeshes || TopicOf(graft, RpcField.GraftTopic) is not { IsHeard: true } topic)
        {
            // No answer for topics that we do not hear: a flood of such GRAFTs must not make a flood of ours.
            return;
        }
        TopicLink link = RouterState.LinkOf(peer, topic);
        if (link.IsInMesh)
            return;
        if (!link.IsHearer || peer.IsDirect)
        {
            // It has said before that it hears the topic, or it is in error; direct peers stand outside of meshes.
            Prune(link, state.Options.PruneBackoff, exchange: false);
        }
        else if (state.Now < link.Backoff)
        {
            Instant flooding = link.Backoff - state.Options.PruneBackoff + state.Options.GraftFloodTime;
            state.Misbehaved(peer, Misbehaviour.GraftInBackoff, state.Now < flooding ? 2 : 1);
            Prune(link, state.Options.PruneBackoff, exchange: false);
        }
        else if (state.ScoreOf(peer) < 0)
        {
            Prune(link, state.Options.PruneBackoff, exchange: false);
        }
        else if (topic.Mesh.Count >= state.Options.MeshHigh && !peer.IsOutbound)
        {
            // Whoever dials in must not push out whom we chose.
            Prune(link, state.Options.PruneBackoff, exchange: state.Options.PeerExchange);
        }
        else
        {
            Admit(link);
        }
    }

    /// <summary>A peer has put us out of its mesh.</summary>
    public void OnPrune(GossipPeer peer, ReadOnlySpan<byte> prune)
    {
        if (TopicOf(prune, RpcField.PruneTopic) is not { IsHeard: true } topic || peer.LinkTo(topic) is not { } link)
            return;
        bool wasInMesh = link.IsInMesh;
        if (wasInMesh)
            Drop(link);
        TimeSpan backoff = state.Options.PruneBackoff;
        var reader = new ProtoReader(prune);
        while (reader.Next())
        {
            if (reader.Field == RpcField.PruneBackoff && reader.UInt64() is > 0 and ulong seconds)
                backoff = TimeSpan.FromSeconds(Math.Min(seconds, (ulong)state.Limits.BackoffMax.TotalSeconds));
            else if (reader.Field == RpcField.PrunePeers && wasInMesh && state.ScoreOf(peer) >= state.Options.Score.AcceptExchangeThreshold)
                TryExchanged(reader.Bytes());
        }
        BackOff(link, backoff);
    }

    /// <summary>Keeps a mesh as large and as good as it should be (v1.1, "Heartbeat Maintenance").</summary>
    public void Heartbeat(TopicState topic)
    {
        GossipOptions options = state.Options;
        for (int i = topic.Mesh.Count - 1; i >= 0; i--)
            if (state.ScoreOf(topic.Mesh[i].Peer) < 0)
                Prune(topic.Mesh[i], options.PruneBackoff, exchange: false);
        if (topic.Mesh.Count < options.MeshLow)
            Fill(topic, options.MeshSize - topic.Mesh.Count, static (_, _) => true, 0);
        if (topic.Mesh.Count > options.MeshHigh)
            Trim(topic);
        if (topic.Mesh.Count >= options.MeshLow && Outbound(topic.Mesh) is var outbound && outbound < options.MeshOutbound)
            Fill(topic, options.MeshOutbound - outbound, static (link, _) => link.Peer.IsOutbound, 0);
        if (state.Ticks % options.OpportunisticGraftTicks == 0 && topic.Mesh.Count > 1)
            GraftBetter(topic);
    }

    /// <summary>To be called before the topics' heartbeats.</summary>
    public void BeginHeartbeat() => exchanged = 0;

    private bool MayGraft(TopicLink link) =>
        link.IsHearer && !link.IsInMesh && link.Peer is { IsConnected: true, TakesMeshes: true, IsDirect: false }
        // Our heartbeats and the other's are not at the same time: who comes back too early is punished, so wait for one more.
        && (link.Backoff == Instant.Zero || link.Backoff + state.Options.HeartbeatInterval <= state.Now)
        && state.ScoreOf(link.Peer) >= 0;

    /// <summary>Grafts so many peers, chosen by chance among those of the right kind.</summary>
    private void Fill(TopicState topic, int count, Func<TopicLink, double, bool> isRight, double bar)
    {
        if (count <= 0)
            return;
        candidates.Clear();
        foreach (TopicLink link in topic.Hearers)
            if (!link.IsInMesh && isRight(link, bar) && MayGraft(link))
                candidates.Add(link);
        state.Draw(candidates, count);
        for (int i = 0; i < count && i < candidates.Count; i++)
            Graft(candidates[i]);
    }

    /// <summary>
    /// Prunes a mesh that is too large down to D: the best stay, then some by chance, so that a newcomer can show what it is worth; and
    /// among those who stay are enough that we dialled.
    /// </summary>
    private void Trim(TopicState topic)
    {
        GossipOptions options = state.Options;
        candidates.Clear();
        candidates.AddRange(topic.Mesh);
        // Shuffled first, so that chance decides between equals.
        state.Draw(candidates, candidates.Count);
        candidates.Sort((a, b) => state.ScoreOf(b.Peer).CompareTo(state.ScoreOf(a.Peer)));
        int kept = options.MeshSize;
        for (int i = options.MeshByScore; i < kept; i++)
        {
            int j = i + state.Prng.Below(candidates.Count - i);
            (candidates[i], candidates[j]) = (candidates[j], candidates[i]);
        }
        int outbound = 0;
        for (int i = 0; i < kept; i++)
            outbound += candidates[i].Peer.IsOutbound ? 1 : 0;
        int last = kept - 1;
        for (int i = kept; i < candidates.Count && outbound < options.MeshOutbound; i++)
        {
            if (!candidates[i].Peer.IsOutbound)
                continue;
            while (candidates[last].Peer.IsOutbound)
                last--;
            (candidates[i], candidates[last]) = (candidates[last], candidates[i]);
            outbound++;
        }
        for (int i = kept; i < candidates.Count; i++)
            Prune(candidates[i], options.PruneBackoff, exchange: options.PeerExchange);
    }

    /// <summary>A mesh whose median is poor gets some peers above it (v1.1, "Opportunistic Grafting").</summary>
    private void GraftBetter(TopicState topic)
    {
        candidates.Clear();
        candidates.AddRange(topic.Mesh);
        candidates.Sort((a, b) => state.ScoreOf(a.Peer).CompareTo(state.ScoreOf(b.Peer)));
        double median = state.ScoreOf(candidates[candidates.Count / 2].Peer);
        if (median < state.Options.Score.OpportunisticGraftThreshold)
            Fill(topic, state.Options.OpportunisticGraftPeers, (link, bar) => state.ScoreOf(link.Peer) > bar, median);
    }

    private void Graft(TopicLink link)
    {
        Admit(link);
        state.DraftFor(link.Peer).Grafts.Add(link.Topic);
    }

    private void Admit(TopicLink link)
    {
        link.IsInMesh = true;
        link.Topic.AddToMesh(link);
        PeerScores.Joined(link, state.Now);
        state.Effects.Add(new GossipEffect.MeshChanged(link.Peer.Id, link.Topic.Name, true));
    }

    private void Drop(TopicLink link)
    {
        PeerScores.Left(link, state.Now);
        link.IsInMesh = false;
        link.Topic.RemoveFromMesh(link);
        state.Effects.Add(new GossipEffect.MeshChanged(link.Peer.Id, link.Topic.Name, false));
    }

    private void Prune(TopicLink link, TimeSpan backoff, bool exchange)
    {
        if (link.IsInMesh)
            Drop(link);
        BackOff(link, backoff);
        List<PruneDraft> prunes = state.DraftFor(link.Peer).Prunes;
        // One RPC may hold the same GRAFT thousands of times.
        foreach (PruneDraft said in prunes)
            if (ReferenceEquals(said.Topic, link.Topic))
                return;
        prunes.Add(new PruneDraft(link.Topic, (long)Math.Ceiling(backoff.TotalSeconds), exchange && state.ScoreOf(link.Peer) >= 0 ? Others(link) : []));
    }

    private void BackOff(TopicLink link, TimeSpan time) => link.Backoff = Instant.Max(link.Backoff, state.Now + time);

    /// <summary>Peers of a topic that another may try.</summary>
    private List<GossipPeer> Others(TopicLink pruned)
    {
        var others = new List<GossipPeer>();
        foreach (TopicLink link in pruned.Topic.Hearers)
            if (!ReferenceEquals(link, pruned) && link.Peer.TakesMeshes && state.ScoreOf(link.Peer) >= 0)
                others.Add(link.Peer);
        state.Draw(others, state.Limits.PrunePeersMax);
        if (others.Count > state.Limits.PrunePeersMax)
            others.RemoveRange(state.Limits.PrunePeersMax, others.Count - state.Limits.PrunePeersMax);
        return others;
    }

    private void TryExchanged(ReadOnlySpan<byte> info)
    {
        ReadOnlySpan<byte> id = default, record = default;
        var reader = new ProtoReader(info);
        while (reader.Next())
        {
            if (reader.Field == RpcField.PeerInfoId)
                id = reader.Bytes();
            else if (reader.Field == RpcField.PeerInfoRecord)
                record = reader.Bytes();
        }
        if (exchanged >= state.Limits.ExchangedPeersMax || record.Length > state.Limits.PeerRecordBytesMax
            || !PeerId.TryFromBytes(id, out PeerId peer) || peer == state.Self || state.FindConnected(peer) is not null)
            return;
        exchanged++;
        state.Effects.Add(new GossipEffect.Connect(peer, record.ToArray()));
    }

    private TopicState? TopicOf(ReadOnlySpan<byte> control, int field)
    {
        ReadOnlySpan<byte> name = default;
        var reader = new ProtoReader(control);
        while (reader.Next())
            if (reader.Field == field)
                name = reader.Bytes();
        return state.Topics.Find(name);
    }

    private static int Outbound(List<TopicLink> links)
    {
        int count = 0;
        foreach (TopicLink link in links)
            count += link.Peer.IsOutbound ? 1 : 0;
        return count;
    }
}
