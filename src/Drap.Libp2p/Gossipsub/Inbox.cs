namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// Messages of others on their way in: copies are dropped before anything is spent on them, signatures are checked elsewhere and in any order, and what a
/// peer sent is acted on in the order in which it sent it.
/// </summary>
/// <remarks>
/// An id counts as seen only once its signature was found good. Else anybody could send a forged message under the next number of another and have the
/// real one dropped as its copy; so several different messages under one id may wait for their checks side by side.
/// </remarks>
internal sealed class Inbox(RouterState state, Gossip gossip, Forwarder forwarder)
{
    private readonly Queue<GossipMessage> validating = new();
    private readonly List<GossipPeer> paused = [];
    private long pendingBytes;
    private int undecided;
    private uint turns;

    /// <summary>Messages that wait for the application's word.</summary>
    public int Validating => undecided;

    /// <summary>Bytes of all messages that wait for the check of their signature.</summary>
    public long PendingBytes => pendingBytes;

    /// <summary>Takes a message; <paramref name="shared"/> is it if it need not be copied.</summary>
    public void Take(GossipPeer peer, in MessageFields fields, SignedMessage? shared)
    {
        state.Counters.Received++;
        if (state.Topics.Find(fields.Topic) is not { IsHeard: true } topic)
        {
            state.Counters.Unheard++;
            return;
        }
        if (fields.Fault() is { } fault)
        {
            Reject(peer, topic, fault);
            return;
        }
        // Our own come back, also those of an earlier life.
        if (fields.From.SequenceEqual(state.Self.Bytes))
        {
            state.Counters.Unheard++;
            return;
        }
        MessageKey key = MessageIds.KeyOf(state.Options.MessageIds, fields, state.Hash);
        GossipMessage? known = state.Cache.Find(key);
        if (state.Seen.Contains(key) || known is { Stage: MessageStage.Accepted })
        {
            TakeCopy(peer, topic, key, known);
            return;
        }
        int rivals = 0;
        for (; known is not null; known = known.Rival)
        {
            if (known.Content.Is(fields))
            {
                state.Counters.Duplicates++;
                known.AddHolder(peer);
                return;
            }
            rivals++;
        }
        if (rivals >= state.Limits.RivalsMax || IsFull(peer))
        {
            state.Counters.Overflowed++;
            return;
        }
        Await(peer, new GossipMessage(shared ?? new SignedMessage(fields, peer.Id), topic, key, peer, state.Now));
    }

    /// <summary>The check of a signature is over.</summary>
    public void Verified(GossipMessage message, bool isGood)
    {
        if (message.Verified is not null || message.Source is not { } source)
            return;
        message.Verified = isGood;
        long before = pendingBytes;
        while (source.Pending is { Count: > 0 } pending && pending.Peek().Verified is { } good)
        {
            GossipMessage first = pending.Dequeue();
            source.PendingBytes -= first.Content.Frame.Length;
            pendingBytes -= first.Content.Frame.Length;
            state.Cache.Release(first);
            if (good)
                Admit(first);
            else
                Condemn(first, RejectReason.BadSignature);
            if (first.Stage != MessageStage.Validating)
                LetGo(first);
        }
        if (source.Pending is { Count: 0 })
            source.Pending = null;
        if (paused.Count > 0)
            ResumeAfter(source, before);
    }

    /// <summary>The application has decided.</summary>
    public void Validated(GossipMessage message, MessageVerdict verdict)
    {
        if (message.Stage != MessageStage.Validating)
            return;
        undecided--;
        state.Cache.Release(message);
        switch (verdict)
        {
            case MessageVerdict.Accept:
                Accept(message);
                break;
            case MessageVerdict.Reject:
                state.Seen.Reject(message.Key);
                Condemn(message, RejectReason.Invalid);
                break;
            default:
                Ignore(message);
                break;
        }
        LetGo(message);
    }

    /// <summary>Messages about which the application does not decide must not fill the room for others.</summary>
    public void Heartbeat()
    {
        Instant since = state.Now - state.Options.HeartbeatInterval * state.Options.HistoryLength;
        while (validating.TryPeek(out GossipMessage? oldest) && (oldest.Stage != MessageStage.Validating || oldest.StageAt < since))
        {
            validating.Dequeue();
            Validated(oldest, MessageVerdict.Ignore);
        }
    }

    /// <summary>A peer has gone: it is read no more in any case. What it sent is still acted on.</summary>
    public void Disconnected(GossipPeer peer)
    {
        if (!peer.IsPaused)
            return;
        peer.IsPaused = false;
        paused.Remove(peer);
    }

    private void TakeCopy(GossipPeer peer, TopicState topic, MessageKey key, GossipMessage? known)
    {
        state.Counters.Duplicates++;
        if (known is { Stage: MessageStage.Validating })
        {
            known.AddHolder(peer);
        }
        else if (known is { Stage: MessageStage.Accepted })
        {
            // P3: whoever brings it shortly after the first has brought it, too; once.
            if (topic.Score is { CountsMeshDeliveries: true } score && state.Now - known.StageAt <= score.MeshDeliveriesWindow
                && !known.IsHeldBy(peer) && peer.LinkTo(topic) is { } link)
            {
                known.AddHolder(peer);
                PeerScores.DeliveredToo(link);
            }
            if (known.IsToPassOn)
                known.AddHolder(peer);
        }
        else if (state.Seen.WasRejected(key))
        {
            Reject(peer, topic, RejectReason.Invalid);
        }
    }

    private void Await(GossipPeer peer, GossipMessage message)
    {
        // Nobody forgets the topic while a message of it waits: it would be another object when it comes back.
        message.TopicState.Links++;
        state.Cache.Await(message);
        (peer.Pending ??= new Queue<GossipMessage>(4)).Enqueue(message);
        peer.PendingBytes += message.Content.Frame.Length;
        pendingBytes += message.Content.Frame.Length;
        state.Counters.Checks++;
        state.Effects.Add(new GossipEffect.Verify(message));
        if (!peer.IsPaused && (IsOver(peer, 1) || pendingBytes >= state.Limits.PendingBytesOfAllMax))
        {
            peer.IsPaused = true;
            paused.Add(peer);
            state.Effects.Add(new GossipEffect.Pause(peer.Id));
        }
    }

    /// <summary>Its signature is good: from now on it is seen.</summary>
    private void Admit(GossipMessage message)
    {
        if (!state.Seen.Add(message.Key, state.Now))
        {
            // Its writer signed two under one number, and the other one came first.
            state.Counters.Duplicates++;
            message.Stage = MessageStage.Dropped;
            return;
        }
        state.Promises.Keep(message.Key);
        TopicState topic = message.TopicState;
        if (!topic.IsHeard)
        {
            Ignore(message);
            return;
        }
        gossip.TellHeld(message);
        if (!topic.IsValidated)
        {
            Accept(message);
        }
        else if (undecided >= state.Limits.ValidatingMax)
        {
            Ignore(message);
        }
        else
        {
            undecided++;
            message.Stage = MessageStage.Validating;
            message.StageAt = state.Now;
            state.Cache.Await(message);
            Enqueue(message);
            state.Effects.Add(new GossipEffect.Validate(message));
        }
    }

    /// <summary>One that is not decided must not keep all that came after it in the queue.</summary>
    private void Enqueue(GossipMessage message)
    {
        if (validating.Count >= 2 * state.Limits.ValidatingMax)
        {
            for (int i = validating.Count; i > 0; i--)
            {
                GossipMessage next = validating.Dequeue();
                if (next.Stage == MessageStage.Validating)
                    validating.Enqueue(next);
            }
        }
        validating.Enqueue(message);
    }

    private void Accept(GossipMessage message)
    {
        message.Stage = MessageStage.Accepted;
        message.StageAt = state.Now;
        TopicState topic = message.TopicState;
        state.Cache.Put(message);
        if (message.Source!.LinkTo(topic) is { } link)
            PeerScores.DeliveredFirst(link);
        foreach (GossipPeer holder in message.Holders)
            if (holder.LinkTo(topic) is { } also)
                PeerScores.DeliveredToo(also);
        forwarder.Accepted(message);
        state.Counters.Delivered++;
        state.Effects.Add(new GossipEffect.Deliver(message));
    }

    private void LetGo(GossipMessage message)
    {
        message.TopicState.Links--;
        state.Topics.Release(message.TopicState);
    }

    private void Ignore(GossipMessage message)
    {
        message.Stage = MessageStage.Dropped;
        state.Counters.Ignored++;
    }

    private void Condemn(GossipMessage message, RejectReason reason)
    {
        message.Stage = MessageStage.Dropped;
        Reject(message.Source!, message.TopicState, reason);
        foreach (GossipPeer holder in message.Holders)
            Reject(holder, message.TopicState, reason);
    }

    private void Reject(GossipPeer peer, TopicState topic, RejectReason reason)
    {
        state.Counters.Rejected++;
        if ((peer.IsConnected ? RouterState.LinkOf(peer, topic) : peer.LinkTo(topic)) is { } link)
            PeerScores.DeliveredInvalid(link);
        // What an application finds invalid another might not; but a relay checks signatures as we do.
        if (reason != RejectReason.Invalid)
            state.Misbehaved(peer, Misbehaviour.InvalidMessage, 0);
    }

    private bool IsOver(GossipPeer peer, int share) =>
        peer.Pending is { } pending
        && (pending.Count >= state.Limits.PendingMessagesMax / share || peer.PendingBytes >= state.Limits.PendingBytesMax / share);

    // The host stops reading between two frames, so that one frame more comes than the limits say.
    private bool IsFull(GossipPeer peer) =>
        peer.Pending is { } pending
        && (pending.Count >= state.Limits.PendingMessagesMax + state.Limits.MessagesPerRpcMax
            || peer.PendingBytes >= state.Limits.PendingBytesMax + state.Limits.FrameBytesMax
            || pendingBytes >= 2 * state.Limits.PendingBytesOfAllMax);

    private void ResumeAfter(GossipPeer source, long before)
    {
        long half = state.Limits.PendingBytesOfAllMax / 2;
        if (pendingBytes < half && before >= half)
        {
            for (int i = paused.Count - 1; i >= 0; i--)
                TryResume(paused[i]);
            return;
        }
        if (source.IsPaused)
            TryResume(source);
        // Who waits because of all others' messages gets a turn as those go down.
        if (paused.Count > 0)
            TryResume(paused[(int)(++turns % (uint)paused.Count)]);
    }

    private void TryResume(GossipPeer peer)
    {
        if (IsOver(peer, 2) || pendingBytes >= state.Limits.PendingBytesOfAllMax)
            return;
        peer.IsPaused = false;
        paused.Remove(peer);
        state.Effects.Add(new GossipEffect.Resume(peer.Id));
    }
}
