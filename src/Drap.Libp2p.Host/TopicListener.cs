using Drap.Libp2p.Gossipsub;
using Drap.Libp2p.Host.PubSubs;

namespace Drap.Libp2p.Host;

/// <summary>
/// Who hears a topic on the threads that bring its messages, with no queue between: for who has a queue of its own. Dispose it, and the topic is left.
/// </summary>
public sealed class TopicListener : IDisposable
{
    private readonly RouterHost owner;
    private readonly Func<GossipMessage, MessageVerdict> check;
    private readonly Action<GossipMessage> deliver;

    internal TopicListener(RouterHost owner, string topic, Func<GossipMessage, MessageVerdict> check, Action<GossipMessage> deliver)
    {
        this.owner = owner;
        Topic = topic;
        this.check = check;
        this.deliver = deliver;
    }

    /// <summary>The topic.</summary>
    public string Topic { get; }

    /// <summary>Hears it no more; a call that is under way on another thread may still end.</summary>
    public void Dispose() => owner.Unlisten(this);

    internal MessageVerdict Check(GossipMessage message)
    {
        try
        {
            return check(message);
        }
        catch (Exception)
        {
            // The application's failure is not the peer's.
            return MessageVerdict.Ignore;
        }
    }

    internal void Deliver(GossipMessage message) => deliver(message);
}
