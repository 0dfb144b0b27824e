using System.Collections.Concurrent;
using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host.Memory;
using Drap.Libp2p.Host.Time;
using Drap.Libp2p.Keys;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>
/// The router of one host and what performs its effects. Steps are short, so whoever has an input makes the step himself, under one lock; what may
/// wait (writing, checking, asking the application) happens outside of it.
/// </summary>
internal sealed class RouterHost : IHostObserver, IThreadPoolWorkItem
{
    private readonly Lock gate = new();
    private readonly Libp2pHost host;
    private readonly GossipRouter router;
    private readonly SignatureChecks checks;
    private readonly PubSubEvents events;
    private readonly CallAt tick;
    // Under the lock.
    private readonly List<GossipEffect> effects = [];
    private readonly Dictionary<string, TopicHost> topics = new(StringComparer.Ordinal);
    private readonly List<P2pStream> broken = [];
    private List<PubSubPeer> touched = [];
    private Instant tickAt = Instant.Never;
    private int checksAdded;
    // One list of whom to write to that is not in use.
    private List<PubSubPeer>? spare;
    private List<ListenerCall> calls = [];
    private List<ListenerCall>? spareCalls;
    // What those brought who found the lock taken; whoever has it tells the router before he lets go.
    private readonly ConcurrentQueue<RouterNews> news = new();

    public RouterHost(Libp2pHost host, PrivateKey key, PubSubOptions options)
    {
        this.host = host;
        GossipOptions gossip = options.Gossip;
        if (gossip.LastSequence == 0)
            gossip = gossip with { LastSequence = (ulong)(host.TimeProvider.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100 };
        router = new GossipRouter(key.PeerId, key.PublicKey.Encoded.ToArray(), gossip, SystemRandom.NewPrng());
        Streams = new PeerStreams(this, host, options);
        Publisher = new Publisher(this, key);
        PartialFrames = new MemoryBudget(options.PartialFrameBytesMax);
        checks = new SignatureChecks(options.CheckersMax, done => Tell(new RouterNews(done)));
        events = new PubSubEvents(options.Observer);
        Gathering = new Gathering(WriteGathered, host.TimeProvider);
        tick = new CallAt(() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false));
    }

    public PeerStreams Streams { get; }

    public Publisher Publisher { get; }

    public Gathering Gathering { get; }

    /// <summary>It is over. Set under the lock.</summary>
    public bool IsClosed { get; private set; }

    public RunningTasks Running { get; } = new();

    public MemoryBudget PartialFrames { get; }

    public GossipRouter Router => router;

    /// <summary>Begins a step: takes the lock until the step is disposed.</summary>
    public RouterStep Begin()
    {
        gate.Enter();
        return new RouterStep(this, router, host.Hub.Clock.Now, effects);
    }

    /// <summary>
    /// Brings the router news that need no answer. If another has the lock it is he who tells it: nobody waits for a thread that may have been put aside in
    /// the middle of a step.
    /// </summary>
    public void Tell(RouterNews what)
    {
        news.Enqueue(what);
        TellRest();
    }

    /// <summary>
    /// Ends a step: performs what it gave, lets go of the lock, writes to whom there is something to write, and calls who listens. With
    /// <paramref name="keepsCheck"/> a checker of signatures is returned if there is something to check, for the caller to run.
    /// </summary>
    public IThreadPoolWorkItem? End(bool keepsCheck = false)
    {
        IThreadPoolWorkItem? check = EndOne(keepsCheck);
        TellRest();
        return check;
    }

    // Whoever brings news after the last look found the lock free, or the one who has it looks once more after he let go.
    private void TellRest()
    {
        Interlocked.MemoryBarrier();
        while (!news.IsEmpty && gate.TryEnter())
        {
            EndOne(keepsCheck: false);
            Interlocked.MemoryBarrier();
        }
    }

    private IThreadPoolWorkItem? EndOne(bool keepsCheck, bool leavesNothing = false)
    {
        List<PubSubPeer>? writes = null;
        List<ListenerCall>? due = null;
        P2pStream[] resets = [];
        int added;
        try
        {
            while (news.TryDequeue(out RouterNews what))
                what.Tell(Publisher, new RouterStep(this, router, host.Hub.Clock.Now, effects));
            // Performing may add to them, such as for a peer that is given up.
            for (int i = 0; i < effects.Count; i++)
                Perform(effects[i]);
            if (router.NextDeadline != tickAt && !IsClosed)
            {
                tickAt = router.NextDeadline;
                host.Hub.Deadlines.Set(tick, tickAt);
            }
            if (broken.Count > 0)
            {
                resets = [.. broken];
                broken.Clear();
            }
            if (touched.Count > 0 && (leavesNothing || !AreLeft(touched)))
            {
                writes = touched;
                touched = Interlocked.Exchange(ref spare, null) ?? [];
                foreach (PubSubPeer peer in writes)
                    peer.IsTouched = false;
            }
            if (calls.Count > 0)
            {
                due = calls;
                calls = Interlocked.Exchange(ref spareCalls, null) ?? [];
            }
        }
        finally
        {
            effects.Clear();
            added = checksAdded;
            checksAdded = 0;
            gate.Exit();
        }
        IThreadPoolWorkItem? check = checks.Start(added, keepsCheck);
        foreach (P2pStream stream in resets)
            stream.Reset();
        // Whoever hears a message may have an answer to it, for which somebody waits; so he comes before those to whom it is passed on. What we
        // publish ourselves goes out first.
        if (due is not null)
            CallAll(due, own: false);
        if (writes is not null)
        {
            foreach (PubSubPeer peer in writes)
                peer.Write();
            writes.Clear();
            spare = writes;
        }
        if (due is not null)
        {
            CallAll(due, own: true);
            due.Clear();
            spareCalls = due;
        }
        return check;
    }

    // While others sign, each of whom ends with a step, little is worth no write of its own: one frame and one call of the system carry it with theirs. Nor is
    // it in a flood.
    private bool AreLeft(List<PubSubPeer> peers)
    {
        foreach (PubSubPeer peer in peers)
            if (peer.IsWorthWriting)
                return false;
        return Publisher.Signing > 0 || (!IsClosed && Gathering.TryLeave(host.Hub.Clock.Now));
    }

    private void WriteGathered()
    {
        Begin();
        Gathering.Ended();
        EndOne(keepsCheck: false, leavesNothing: true);
        TellRest();
    }

    /// <summary>The heartbeat.</summary>
    void IThreadPoolWorkItem.Execute()
    {
        using RouterStep step = Begin();
        // Set again even if the clock was read a little before the deadline.
        tickAt = Instant.Never;
        if (!IsClosed)
            step.Router.Tick(step.Now, step.Effects);
    }

    /// <summary>Under the lock: there is something to write to a peer, which is done after the step.</summary>
    public void Touch(PubSubPeer peer)
    {
        if (peer.IsTouched)
            return;
        peer.IsTouched = true;
        touched.Add(peer);
    }

    /// <summary>Under the lock: a stream is to be reset, which is done after the step.</summary>
    public void Break(P2pStream stream) => broken.Add(stream);

    void IHostObserver.Identified(PeerConnection connection, KnownPeer peer) => Streams.Identified(connection, peer);

    void IHostObserver.Disconnected(PeerConnection connection, bool isLast) => Streams.Disconnected(connection, isLast);

    /// <summary>Adds a subscriber; the first one makes the topic heard.</summary>
    public void Subscribe(TopicSubscription subscription, Func<GossipMessage, ValueTask<MessageVerdict>>? validator)
    {
        using RouterStep step = Begin();
        ObjectDisposedException.ThrowIf(IsClosed, typeof(PubSub));
        if (topics.TryGetValue(subscription.Topic, out TopicHost? topic))
        {
            if (topic.Listener is not null)
                throw new InvalidOperationException($"{subscription.Topic} has a listener");
            if (validator is not null && topic.Validator != validator)
                throw new InvalidOperationException($"{subscription.Topic} is heard already, with another validator");
        }
        else
        {
            if (!step.Router.Subscribe(subscription.Topic, validator is not null, step.Now, step.Effects))
                throw new ArgumentException("no topic can have that name, or there are too many", nameof(subscription));
            topics[subscription.Topic] = topic = new TopicHost(validator);
        }
        topic.Subscribers = [.. topic.Subscribers, subscription];
    }

    public void Unsubscribe(TopicSubscription subscription)
    {
        using RouterStep step = Begin();
        subscription.Complete();
        if (!topics.TryGetValue(subscription.Topic, out TopicHost? topic))
            return;
        topic.Subscribers = [.. topic.Subscribers.Where(s => s != subscription)];
        if (topic.Subscribers.Length > 0)
            return;
        topics.Remove(subscription.Topic);
        step.Router.Unsubscribe(subscription.Topic, step.Now, step.Effects);
    }

    /// <summary>Makes a listener hear its topic, which nobody else hears here.</summary>
    public void Listen(TopicListener listener)
    {
        using RouterStep step = Begin();
        ObjectDisposedException.ThrowIf(IsClosed, typeof(PubSub));
        if (topics.ContainsKey(listener.Topic))
            throw new InvalidOperationException($"{listener.Topic} is heard already");
        if (!step.Router.Subscribe(listener.Topic, validated: true, step.Now, step.Effects))
            throw new ArgumentException("no topic can have that name, or there are too many", nameof(listener));
        topics[listener.Topic] = new TopicHost(null) { Listener = listener };
    }

    public void Unlisten(TopicListener listener)
    {
        using RouterStep step = Begin();
        if (!topics.TryGetValue(listener.Topic, out TopicHost? topic) || !ReferenceEquals(topic.Listener, listener))
            return;
        topics.Remove(listener.Topic);
        step.Router.Unsubscribe(listener.Topic, step.Now, step.Effects);
    }

    /// <summary>Ends everything; what runs is waited for.</summary>
    public async Task CloseAsync()
    {
        using (RouterStep step = Begin())
        {
            IsClosed = true;
            host.Hub.Deadlines.Clear(tick);
            Streams.Close(step);
            foreach (TopicHost topic in topics.Values)
                foreach (TopicSubscription subscription in topic.Subscribers)
                    subscription.Complete();
            topics.Clear();
            Publisher.LetGo();
            Gathering.Dispose();
        }
        await Running.DrainAsync().ConfigureAwait(false);
    }

    private void Perform(GossipEffect effect)
    {
        switch (effect)
        {
            case GossipEffect.Send send:
                Streams.Send(send, new RouterStep(this, router, host.Hub.Clock.Now, effects));
                break;
            case GossipEffect.Verify verify:
                checks.Add(verify.Message);
                checksAdded++;
                break;
            case GossipEffect.Validate validate:
                if (!topics.TryGetValue(validate.Message.Topic, out TopicHost? asked))
                    break;
                if (asked.Listener is { } judge)
                    calls.Add(new ListenerCall(judge, validate.Message, IsCheck: true));
                else if (asked.Validator is { } validator)
                    Ask(validate.Message, validator);
                break;
            case GossipEffect.Deliver deliver:
                if (!topics.TryGetValue(deliver.Message.Topic, out TopicHost? topic))
                    break;
                if (topic.Listener is { } listener)
                    calls.Add(new ListenerCall(listener, deliver.Message, IsCheck: false));
                else
                    foreach (TopicSubscription subscription in topic.Subscribers)
                        subscription.Deliver(deliver.Message);
                break;
            case GossipEffect.Published published:
                Publisher.Published(published);
                break;
            case GossipEffect.Pause pause:
                Streams.Find(pause.Peer)?.Pause();
                break;
            case GossipEffect.Resume resume:
                Streams.Find(resume.Peer)?.Resume();
                break;
            case GossipEffect.Connect connect:
                Streams.Dial(connect);
                break;
            case GossipEffect.MeshChanged changed:
                // Whoever passes our messages on is worth more than others when there are too many connections.
                if (changed.Joined)
                    host.Protect(changed.Peer, $"mesh of {changed.Topic}");
                else
                    host.Unprotect(changed.Peer, $"mesh of {changed.Topic}");
                events.Add(changed);
                break;
            default:
                events.Add(effect);
                break;
        }
    }

    // Outside of the lock: on the thread that has checked signatures, or on that of who publishes. What listeners decided is told in one step.
    private void CallAll(List<ListenerCall> due, bool own)
    {
        bool decides = false;
        for (int i = 0; i < due.Count; i++)
        {
            ListenerCall call = due[i];
            if (call.Message.ReceivedFrom is null != own)
                continue;
            decides |= call.IsCheck;
            if (call.IsCheck)
                due[i] = call with { Verdict = call.Listener.Check(call.Message) };
            else
                call.Listener.Deliver(call.Message);
        }
        if (!decides)
            return;
        using RouterStep step = Begin();
        foreach (ListenerCall call in due)
            if (call.IsCheck && call.Message.ReceivedFrom is null == own)
                step.Router.Validated(call.Message, call.Verdict, step.Now, step.Effects);
    }

    private void Ask(GossipMessage message, Func<GossipMessage, ValueTask<MessageVerdict>> validator) =>
        ThreadPool.UnsafeQueueUserWorkItem(
            static s => s.Host.Running.Run(() => s.Host.ValidateAsync(s.Message, s.Validator)), (Host: this, Message: message, Validator: validator),
            preferLocal: false);

    private async Task ValidateAsync(GossipMessage message, Func<GossipMessage, ValueTask<MessageVerdict>> validator)
    {
        MessageVerdict verdict;
        try
        {
            verdict = await validator(message).ConfigureAwait(false);
        }
        catch (Exception)
        {
            // The application's failure is not the peer's.
            verdict = MessageVerdict.Ignore;
        }
        using RouterStep step = Begin();
        step.Router.Validated(message, verdict, step.Now, step.Effects);
    }
}

/// <summary>A topic that is heard: by whom, and who decides about its messages.</summary>
internal sealed class TopicHost(Func<GossipMessage, ValueTask<MessageVerdict>>? validator)
{
    public Func<GossipMessage, ValueTask<MessageVerdict>>? Validator => validator;

    public TopicSubscription[] Subscribers { get; set; } = [];

    public TopicListener? Listener { get; init; }
}

/// <summary>A listener is to decide about a message, or to hear it.</summary>
internal readonly record struct ListenerCall(TopicListener Listener, GossipMessage Message, bool IsCheck, MessageVerdict Verdict = MessageVerdict.Ignore);

/// <summary>A step at the router, under its lock; disposing it ends it.</summary>
internal readonly ref struct RouterStep(RouterHost owner, GossipRouter router, Instant now, List<GossipEffect> effects)
{
    public GossipRouter Router => router;

    public Instant Now => now;

    public List<GossipEffect> Effects => effects;

    public void Dispose() => owner.End();
}
