using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// What is told about messages instead of sending them: IHAVE to some peers outside the mesh at each heartbeat, IWANT for what they tell of, and
/// IDONTWANT so that a large message does not come again.
/// </summary>
internal sealed class Gossip(RouterState state)
{
    private readonly List<TopicLink> listeners = [];
    private readonly List<GossipMessage> messages = [];
    private readonly List<byte[]> encoded = [];
    private Range[] wanted = [];

    /// <summary>A new heartbeat: what each peer may ask and tell starts anew, and who did not bring what it told of is judged.</summary>
    public void BeginHeartbeat()
    {
        while (state.Promises.NextBroken(state.Now) is { } peer)
        {
            state.Counters.BrokenPromises++;
            state.Misbehaved(peer, Misbehaviour.BrokenPromise, 1);
        }
        bool turn = state.Ticks % state.Options.HistoryLength == 0;
        foreach (GossipPeer peer in state.Connected)
        {
            peer.IHaves = peer.IdsAsked = peer.IWants = peer.IWantBytes = 0;
            if (turn)
                peer.TurnUnwanted();
        }
    }

    /// <summary>Tells some peers outside of a topic's mesh what is new (v1.1, "Adaptive Gossip Dissemination").</summary>
    public void Heartbeat(TopicState topic)
    {
        // Who floods what it publishes and passes nothing on has told everybody already.
        if (state.Cache.Count == 0 || (!topic.IsHeard && state.Options.FloodPublish))
            return;
        messages.Clear();
        state.Cache.Gossip(topic, messages);
        if (messages.Count == 0)
            return;
        listeners.Clear();
        foreach (TopicLink link in topic.Hearers)
            if (!link.IsInMesh && !link.IsInFanout && link.Peer is { TakesMeshes: true, IsDirect: false }
                && state.ScoreOf(link.Peer) >= state.Options.Score.GossipThreshold)
                listeners.Add(link);
        int count = Math.Max(state.Options.GossipLazy, listeners.Count * state.Options.GossipPercent / 100);
        state.Draw(listeners, count);
        bool isCut = messages.Count > Math.Min(state.Limits.IHaveIdsMax, state.Limits.IdsPerControlMax);
        encoded.Clear();
        for (int i = 0; i < count && i < listeners.Count; i++)
        {
            // If not all can be told of, each peer hears of others.
            if (i == 0 || isCut)
            {
                encoded.Clear();
                state.Draw(messages, isCut ? state.Limits.IHaveIdsMax : messages.Count);
                state.Writer.IHave(topic, messages, state.Options.MessageIds, encoded);
            }
            state.DraftFor(listeners[i].Peer).IHaves.AddRange(encoded);
        }
        messages.Clear();
        if (messages.Capacity > 4096)
            messages.TrimExcess();
    }

    /// <summary>A peer tells of messages: ask for those that are new.</summary>
    public void OnIHave(GossipPeer peer, ReadOnlySpan<byte> control)
    {
        if (state.ScoreOf(peer) < state.Options.Score.GossipThreshold || ++peer.IHaves > state.Limits.IHavesMax)
            return;
        int room = state.Limits.IHaveIdsMax - peer.IdsAsked;
        int looked = 0, count = 0;
        int at = 0;
        var parts = new ProtoReader(control);
        while (parts.Next() && room > 0)
        {
            if (parts.Field != RpcField.IHave)
                continue;
            ReadOnlySpan<byte> part = parts.Bytes();
            if (!IsOfHeardTopic(part))
                continue;
            var reader = new ProtoReader(part);
            while (reader.Next() && looked < state.Limits.IHaveIdsMax)
            {
                if (reader.Field != RpcField.IHaveIds)
                    continue;
                looked++;
                ReadOnlySpan<byte> id = reader.Bytes();
                if (id.IsEmpty || id.Length > MessageIds.BytesMax)
                    continue;
                MessageKey key = state.Hash.Of(id);
                if (state.Seen.Contains(key) || state.Cache.Find(key) is not null)
                    continue;
                if (count == wanted.Length)
                    Array.Resize(ref wanted, Math.Max(16, Math.Min(wanted.Length * 2, state.Limits.IHaveIdsMax)));
                control.Overlaps(id, out at);
                wanted[count++] = at..(at + id.Length);
            }
        }
        if (count > 0)
            Ask(peer, control, Math.Min(count, room), count);
        if (wanted.Length > 256)
            wanted = [];
    }

    private void Ask(GossipPeer peer, ReadOnlySpan<byte> control, int count, int of)
    {
        // By chance, so that several who tell of the same are asked for different ones first.
        for (int i = 0; i < count && i < of - 1; i++)
        {
            int j = i + state.Prng.Below(of - i);
            (wanted[i], wanted[j]) = (wanted[j], wanted[i]);
        }
        peer.IdsAsked += count;
        state.Counters.IWants += count;
        state.Writer.IWant(control, wanted.AsSpan(0, count), frame => state.Send(peer, frame, FrameKind.Gossip));
        // The first one is one by chance.
        state.Promises.Add(state.Hash.Of(control[wanted[0]]), peer, state.Now + state.Options.PromiseTime);
    }

    /// <summary>A peer asks for messages.</summary>
    public void OnIWant(GossipPeer peer, ReadOnlySpan<byte> control)
    {
        if (state.ScoreOf(peer) < state.Options.Score.GossipThreshold || ++peer.IWants > state.Limits.IWantsMax)
            return;
        int looked = 0;
        var parts = new ProtoReader(control);
        while (parts.Next())
        {
            if (parts.Field != RpcField.IWant)
                continue;
            var reader = new ProtoReader(parts.Bytes());
            while (reader.Next() && looked < state.Limits.IHaveIdsMax)
            {
                if (reader.Field != RpcField.IWantIds)
                    continue;
                looked++;
                if (state.Cache.Find(state.Hash.Of(reader.Bytes())) is not { Stage: MessageStage.Accepted } message
                    || peer.IWantBytes + message.Content.Frame.Length > state.Limits.IWantBytesMax
                    || message.CountQuestion(peer) > state.Limits.RetransmissionsMax)
                    continue;
                peer.IWantBytes += message.Content.Frame.Length;
                state.Counters.SentOnRequest++;
                state.Send(peer, message.Content);
            }
        }
    }

    /// <summary>A peer has messages already.</summary>
    public void OnIDontWant(GossipPeer peer, ReadOnlySpan<byte> part)
    {
        var reader = new ProtoReader(part);
        while (reader.Next())
            if (reader.Field == RpcField.IDontWantIds)
                peer.NoteUnwanted(state.Hash.Of(reader.Bytes()), state.Limits.IDontWantsMax);
    }

    /// <summary>Tells the mesh that a large message is here, before anybody decides about it: a copy less for each who hears it in time.</summary>
    public void TellHeld(GossipMessage message)
    {
        if (message.Content.Data.Length < state.Options.IDontWantBytesMin)
            return;
        ReadOnlyMemory<byte> frame = default;
        foreach (TopicLink link in message.TopicState.Mesh)
        {
            if (link.Peer.Version < GossipVersion.V12 || message.IsHeldBy(link.Peer) || link.Peer.Id == message.Content.From)
                continue;
            if (frame.IsEmpty)
                frame = state.Writer.IDontWant(message.Content, state.Options.MessageIds);
            state.Counters.IDontWants++;
            state.Send(link.Peer, frame, FrameKind.Gossip);
        }
    }

    private bool IsOfHeardTopic(ReadOnlySpan<byte> ihave)
    {
        ReadOnlySpan<byte> name = default;
        var reader = new ProtoReader(ihave);
        while (reader.Next())
            if (reader.Field == RpcField.IHaveTopic)
                name = reader.Bytes();
        return state.Topics.Find(name) is { IsHeard: true };
    }
}
