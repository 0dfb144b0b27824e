using Drap.Libp2p.Gossipsub;

namespace Drap.Libp2p.Host.PubSubs;

/// <summary>Brings a router's news to the observer: in order, one at a time, on the pool, and so many at most that a slow one costs nothing but news.</summary>
internal sealed class PubSubEvents(IPubSubObserver? observer) : IThreadPoolWorkItem
{
    /// <summary>As many as a burst of peers with a few topics each brings. Then the oldest is lost.</summary>
    private const int WaitingMax = 16_384;

    private readonly Lock gate = new();
    private readonly Queue<GossipEffect> waiting = new();
    private int missed;
    private bool isTelling;

    public void Add(GossipEffect news)
    {
        if (observer is null)
            return;
        lock (gate)
        {
            if (waiting.Count == WaitingMax)
            {
                waiting.Dequeue();
                missed++;
            }
            waiting.Enqueue(news);
            if (isTelling)
                return;
            isTelling = true;
        }
        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    void IThreadPoolWorkItem.Execute()
    {
        while (true)
        {
            GossipEffect? news;
            int lost;
            lock (gate)
            {
                lost = missed;
                missed = 0;
                if (!waiting.TryDequeue(out news))
                {
                    isTelling = false;
                    return;
                }
            }
            if (lost > 0)
                observer!.Missed(lost);
            switch (news)
            {
                case GossipEffect.PeerSubscription s:
                    observer!.PeerSubscription(s.Peer, s.Topic, s.Subscribed);
                    break;
                case GossipEffect.MeshChanged m:
                    observer!.MeshChanged(m.Peer, m.Topic, m.Joined);
                    break;
                case GossipEffect.Misbehaved m:
                    observer!.Misbehaved(m.Peer, m.What);
                    break;
            }
        }
    }
}
