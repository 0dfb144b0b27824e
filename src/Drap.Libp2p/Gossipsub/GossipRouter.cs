using Drap.Libp2p.Protobuf;

namespace Drap.Libp2p.Gossipsub;

/// <summary>
/// Gossipsub 1.1 with 1.2's IDONTWANT, and floodsub for those who speak no more, as one machine: what happens goes in with the time, and what is to be done comes
/// out (libp2p/specs, pubsub/gossipsub). It reads no clock, opens no stream and checks no signature.
/// </summary>
/// <remarks>
/// How to drive it. 1. One loop owns a router; each call adds to the effects, which are performed in order. 2. A peer is <see cref="Connected"/> when a stream to it
/// is open; before that nothing of it is given to <see cref="Receive(PeerId, ReadOnlySpan{byte}, Instant, IList{GossipEffect})"/>. 3. Signatures are made and checked by others, on any
/// thread and in any order; each answer comes in once. 4. At <see cref="NextDeadline"/> <see cref="Tick"/> is called; later does no harm. A given
/// seed, inputs and times give the same effects. All state is bounded by <see cref="GossipLimits"/> and the number of connected peers.
/// </remarks>
public sealed class GossipRouter
{
    // As often as back-offs are over; nothing depends on it but memory.
    private const int CleanTicks = 15;

    private readonly RouterState state;
    private readonly Mesh mesh;
    private readonly Gossip gossip;
    private readonly Fanout fanout;
    private readonly Inbox inbox;
    private readonly Forwarder forwarder;
    private readonly Outbox outbox;
    private readonly Subscriptions subscriptions;
    private Instant heartbeatAt = Instant.Never;
    private Instant decayAt;
    private Instant directAt;

    /// <summary>A router for one node.</summary>
    /// <param name="self">Who we are.</param>
    /// <param name="publicKey">Our public key in its protobuf form; needed only if <paramref name="self"/> does not hold it.</param>
    /// <param name="options">How it behaves.</param>
    /// <param name="prng">Decides where chance does. Nobody else may know its state: it also keys the hashes of our tables.</param>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public GossipRouter(PeerId self, ReadOnlyMemory<byte> publicKey, GossipOptions options, Prng prng)
    {
        if (options.Fault() is { } fault)
            throw new ArgumentException(fault, nameof(options));
        state = new RouterState(self, publicKey, options, prng);
        mesh = new Mesh(state);
        gossip = new Gossip(state);
        fanout = new Fanout(state);
        forwarder = new Forwarder(state, fanout);
        inbox = new Inbox(state, gossip, forwarder);
        outbox = new Outbox(state, forwarder);
        subscriptions = new Subscriptions(state, mesh, forwarder);
    }

    /// <summary>When <see cref="Tick"/> is due; never while there is nobody to talk to and nothing to forget.</summary>
    public Instant NextDeadline => Instant.Min(heartbeatAt, forwarder.NextDeadline);

    /// <summary>What was done so far.</summary>
    public GossipCounters Counters => state.Counters;

    /// <summary>The options given.</summary>
    public GossipOptions Options => state.Options;

    /// <summary>A stream to a peer is open, on which it is written to.</summary>
    /// <param name="peer">The peer.</param>
    /// <param name="version">What it speaks.</param>
    /// <param name="outbound">Whether we dialled it; then it is harder to fake in numbers.</param>
    /// <param name="address">
    /// A number for its IP address by which peers behind the same one are found (P6); 0 if that is not known or should not count, as on loopback.
    /// </param>
    /// <param name="now">When.</param>
    /// <param name="effects">Takes what is to be done.</param>
    public void Connected(PeerId peer, GossipVersion version, bool outbound, UInt128 address, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        if (state.FindConnected(peer) is { } before)
            Leave(before);
        GossipPeer known = state.Connect(peer, version, outbound);
        state.Scores.Connected(known, address);
        subscriptions.Greet(known);
        Wake();
        state.End();
    }

    /// <summary>A peer's stream is gone. What it sent before is still acted on.</summary>
    public void Disconnected(PeerId peer, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        if (state.FindConnected(peer) is { } known)
            Leave(known);
        state.End();
    }

    /// <summary>
    /// The stream to a connected peer was lost and is a new one, while the one from it went on: what it said that it hears stands, since it will not say
    /// it again. It is told again what we hear, and meshes with it begin anew, since it may have lost them.
    /// </summary>
    public void Reopened(PeerId peer, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        if (state.FindConnected(peer) is { } known)
        {
            subscriptions.Greet(known);
            foreach (TopicLink link in known.Links.Where(l => l.IsHearer).ToArray())
            {
                mesh.HearerWent(link);
                mesh.HearerCame(link);
            }
        }
        state.End();
    }

    /// <summary>A peer's signed record, as it goes into PRUNEs to others; too long a one is not kept.</summary>
    public void SetPeerRecord(PeerId peer, ReadOnlyMemory<byte> record)
    {
        if (state.FindConnected(peer) is { } known && record.Length <= state.Limits.PeerRecordBytesMax)
            known.Record = record;
    }

    /// <summary>The stream to a peer does not keep up, or does again: while most do not, <see cref="Publish"/> says so. Messages for it go on being sent.</summary>
    public void SetBusy(PeerId peer, bool isBusy)
    {
        if (state.FindConnected(peer) is { } known)
            state.SetBusy(known, isBusy);
    }

    /// <summary>What the application thinks of a peer (P5).</summary>
    public void SetApplicationScore(PeerId peer, double score)
    {
        if (double.IsFinite(score) && state.FindConnected(peer) is { } known)
            PeerScores.SetApplicationScore(known, score);
    }

    /// <summary>A peer has sent an RPC, without its length. A malformed one counts against it, and nothing of it is done.</summary>
    public void Receive(PeerId peer, ReadOnlySpan<byte> rpc, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        if (state.FindConnected(peer) is { } known && IsHeard(known))
        {
            state.Counters.Rpcs++;
            RpcFault fault = RpcCheck.Of(rpc, state.Limits);
            if (fault == RpcFault.None)
                Read(known, rpc);
            else
                Refuse(known, fault == RpcFault.Malformed ? Misbehaviour.MalformedRpc : Misbehaviour.OversizedRpc);
        }
        state.End();
    }

    /// <summary>A peer has sent an RPC with one message in it, which is at hand as an object: for simulators, which need not copy it for each router.</summary>
    public void Receive(PeerId peer, SignedMessage message, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        if (state.FindConnected(peer) is { } known && IsHeard(known))
        {
            state.Counters.Rpcs++;
            inbox.Take(known, message.Fields(), message);
        }
        state.End();
    }

    /// <summary>
    /// We hear a topic from now on; if <paramref name="validated"/> the application decides about each of its messages. A second call changes only that.
    /// False if no topic can have that name, or there are too many.
    /// </summary>
    public bool Subscribe(string topic, bool validated, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        TopicState? known = state.Topics.OursOrNew(topic);
        if (known is not null)
        {
            known.IsValidated = validated;
            if (!known.IsHeard)
            {
                known.IsHeard = true;
                subscriptions.Announce(known, on: true);
                mesh.Join(known);
            }
        }
        state.End();
        return known is not null;
    }

    /// <summary>We hear a topic no more.</summary>
    public void Unsubscribe(string topic, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        if (state.Topics.Find(topic) is { IsHeard: true } known)
        {
            subscriptions.Announce(known, on: false);
            mesh.Leave(known);
        }
        state.End();
    }

    /// <summary>A topic will be published to: peers for it are chosen now. They are kept for <see cref="GossipOptions.FanoutTime"/>. False as with <see cref="Subscribe"/>.</summary>
    public bool Prepare(string topic, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        TopicState? known = state.Topics.OursOrNew(topic);
        if (known is not null)
        {
            fanout.Open(known);
            Wake();
        }
        state.End();
        return known is not null;
    }

    /// <summary>Publishes a message; it goes out when <see cref="Signed"/> has come for it and for those before it.</summary>
    public PublishOutcome Publish(string topic, ReadOnlySpan<byte> data, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        PublishOutcome outcome = outbox.Publish(topic, data);
        Wake();
        state.End();
        return outcome;
    }

    /// <summary>Answers <see cref="GossipEffect.Sign"/> once <see cref="UnsignedMessage.Sign"/> was called.</summary>
    public void Signed(UnsignedMessage message, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        outbox.Signed(message);
        state.End();
    }

    /// <summary>Answers <see cref="GossipEffect.Sign"/> where nothing could be signed: the message is dropped, and those behind it go on.</summary>
    public void NotSigned(UnsignedMessage message, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        outbox.Abandon(message);
        state.End();
    }

    /// <summary>Answers <see cref="GossipEffect.Verify"/>. A second answer for the same message is not heard.</summary>
    public void Verified(GossipMessage message, bool isGood, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        inbox.Verified(message, isGood);
        state.End();
    }

    /// <summary>Answers <see cref="GossipEffect.Validate"/>. An answer that comes after the history is not heard: the message was ignored by then.</summary>
    public void Validated(GossipMessage message, MessageVerdict verdict, Instant now, IList<GossipEffect> effects)
    {
        state.Begin(now, effects);
        inbox.Validated(message, verdict);
        state.End();
    }

    /// <summary>The time is <paramref name="now"/>: does what is due, at most one heartbeat, however late it is.</summary>
    public void Tick(Instant now, IList<GossipEffect> effects)
    {
        if (now < NextDeadline)
            return;
        state.Begin(now, effects);
        forwarder.PassOnDue();
        if (now >= heartbeatAt)
        {
            Heartbeat();
            heartbeatAt = IsIdle ? Instant.Never : now + state.Options.HeartbeatInterval;
        }
        state.End();
    }

    /// <summary>The peers that hear a topic, as far as they are connected; in no order.</summary>
    public IReadOnlyList<PeerId> PeersOf(string topic) =>
        state.Topics.Find(topic) is { } known ? known.Hearers.ConvertAll(l => l.Peer.Id) : [];

    /// <summary>The peers that hear any topic, as far as they are connected; in no order.</summary>
    public IReadOnlyList<PeerId> Hearers => [.. state.Connected.Where(peer => peer.Links.Any(link => link.IsHearer)).Select(peer => peer.Id)];

    /// <summary>The peers in a topic's mesh; in no order.</summary>
    public IReadOnlyList<PeerId> MeshOf(string topic) => state.Topics.Find(topic) is { } known ? known.Mesh.ConvertAll(l => l.Peer.Id) : [];

    /// <summary>The peers in a topic's fan-out; in no order.</summary>
    public IReadOnlyList<PeerId> FanoutOf(string topic) =>
        state.Topics.Find(topic)?.Fanout is { } peers ? peers.ConvertAll(l => l.Peer.Id) : [];

    /// <summary>The topics that we hear.</summary>
    public IReadOnlyList<string> Topics
    {
        get
        {
            var names = new List<string>();
            foreach (TopicState topic in state.Topics.Ours)
                if (topic.IsHeard)
                    names.Add(topic.Name);
            return names;
        }
    }

    /// <summary>What we think of a peer; 0 of one whom we do not know.</summary>
    public double ScoreOf(PeerId peer) => state.Find(peer) is { } known ? state.ScoreOf(known) : 0;

    /// <summary>Checks what must always hold between two steps; for tests and simulators, since it looks at everything.</summary>
    /// <exception cref="InvariantException">It does not: a bug of ours.</exception>
    public void CheckInvariants() => RouterInvariants.Check(state, inbox, forwarder);

    private bool IsIdle => state.Connected.Count == 0 && state.Known.Count == 0 && state.Cache.IsEmpty && state.Seen.Count == 0 && outbox.Waiting == 0;

    private void Wake()
    {
        if (heartbeatAt != Instant.Never)
            return;
        heartbeatAt = state.Now + state.Options.HeartbeatDelay;
        decayAt = state.Now + state.Options.Score.DecayInterval;
    }

    /// <summary>Whether anything that a peer says is looked at (v1.1, "Score Thresholds").</summary>
    private bool IsHeard(GossipPeer peer)
    {
        if (peer.IsDirect || state.ScoreOf(peer) >= state.Options.Score.GraylistThreshold)
        {
            peer.IsGraylisted = false;
            return true;
        }
        state.Counters.RpcsRefused++;
        if (!peer.IsGraylisted)
            state.Misbehaved(peer, Misbehaviour.Graylisted, 0);
        peer.IsGraylisted = true;
        return false;
    }

    private void Refuse(GossipPeer peer, Misbehaviour what)
    {
        state.Counters.RpcsRefused++;
        state.Misbehaved(peer, what, 1);
    }

    private void Read(GossipPeer peer, ReadOnlySpan<byte> rpc)
    {
        bool isFull = false;
        var reader = new ProtoReader(rpc);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case RpcField.Subscriptions:
                    isFull |= !subscriptions.On(peer, reader.Bytes());
                    break;
                case RpcField.Publish:
                    MessageFields.TryRead(reader.Bytes(), out MessageFields fields);
                    inbox.Take(peer, fields, null);
                    break;
                case RpcField.Control:
                    ReadControl(peer, reader.Bytes());
                    break;
            }
        }
        if (isFull)
            Refuse(peer, Misbehaviour.TooManySubscriptions);
    }

    private void ReadControl(GossipPeer peer, ReadOnlySpan<byte> control)
    {
        bool tells = false, asks = false;
        var reader = new ProtoReader(control);
        while (reader.Next())
        {
            switch (reader.Field)
            {
                case RpcField.IHave:
                    tells = true;
                    break;
                case RpcField.IWant:
                    asks = true;
                    break;
                case RpcField.Graft:
                    mesh.OnGraft(peer, reader.Bytes());
                    break;
                case RpcField.Prune:
                    mesh.OnPrune(peer, reader.Bytes());
                    break;
                case RpcField.IDontWant:
                    gossip.OnIDontWant(peer, reader.Bytes());
                    break;
            }
        }
        // These are bounded by the RPC and not by the part.
        if (tells)
            gossip.OnIHave(peer, control);
        if (asks)
            gossip.OnIWant(peer, control);
    }

    private void Leave(GossipPeer peer)
    {
        subscriptions.Leave(peer);
        inbox.Disconnected(peer);
        state.Scores.Disconnected(peer);
        peer.TurnUnwanted();
        peer.TurnUnwanted();
        peer.Record = default;
        Instant until = state.ScoreOf(peer) < 0 || peer.Misdeeds > 0 ? state.Now + state.Options.Score.RetainTime : state.Now;
        foreach (TopicLink link in peer.Links)
            until = Instant.Max(until, link.Backoff);
        state.Disconnect(peer, until);
    }

    private void Heartbeat()
    {
        state.Ticks++;
        Decay();
        state.Seen.Expire(state.Now - state.Options.SeenTime);
        inbox.Heartbeat();
        mesh.BeginHeartbeat();
        gossip.BeginHeartbeat();
        if (state.Ticks % CleanTicks == 0)
            state.Clean();
        if (state.Now >= directAt)
            ConnectDirect();
        for (int i = state.Topics.Ours.Count - 1; i >= 0; i--)
        {
            TopicState topic = state.Topics.Ours[i];
            if (topic.IsHeard)
                mesh.Heartbeat(topic);
            else
                fanout.Heartbeat(topic);
            gossip.Heartbeat(topic);
        }
        state.Cache.Shift();
        forwarder.Heartbeat();
    }

    private void Decay()
    {
        // After a suspension at most a minute of it: by then little is left of anything.
        for (int i = 0; i < 60 && decayAt <= state.Now; i++)
        {
            foreach (GossipPeer peer in state.Known)
                state.Scores.Decay(peer);
            decayAt += state.Options.Score.DecayInterval;
        }
        if (decayAt <= state.Now)
            decayAt = state.Now + state.Options.Score.DecayInterval;
    }

    private void ConnectDirect()
    {
        directAt = state.Now + state.Options.DirectInterval;
        foreach (PeerId peer in state.Options.Direct)
            if (state.FindConnected(peer) is null)
                state.Effects.Add(new GossipEffect.Connect(peer, default));
    }
}
