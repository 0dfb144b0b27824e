using Drap.Core.Membership;
using Drap.Core.Messages;
using Drap.Libp2p.Keys;
using Drap.Node.Time;

namespace Drap.Node.Evidences;

/// <summary>
/// Signs what this node has said on the market, a batch at a time: a worker its offers with its receipts, a scheduler its confirmations with heartbeats and acknowledgements, at most once a second to
/// each. Nothing waits for it. One caller at a time.
/// </summary>
/// <param name="swarm">The swarm, which statements name.</param>
/// <param name="key">The node's key; this owns it.</param>
internal sealed class Notary(PeerId swarm, PrivateKey key) : IDisposable
{
    /// <summary>Peers to whom something unsigned was said. At the limit the one that waits longest goes without.</summary>
    public const int PeersMax = 1024;

    private static readonly TimeSpan SealsEvery = TimeSpan.FromSeconds(1);

    private readonly Dictionary<PeerId, Said> said = [];

    /// <summary>The message as it goes out: some with a statement along.</summary>
    public Message Sending(PeerId to, Message message)
    {
        switch (message)
        {
            case Offer or Confirm:
                Of(to).Add(message);
                return message;
            case Receipt:
                Said all = Of(to);
                all.Add(message);
                return Seal(to, all, message);
            case Heartbeat or ResultAck when said.TryGetValue(to, out Said? waiting) && waiting.Messages.Count > 0 && BootClock.Now >= waiting.SealedAt + SealsEvery:
                return Seal(to, waiting, message);
            default:
                return message;
        }
    }

    public void Dispose() => key.Dispose();

    private Message Seal(PeerId to, Said waiting, Message message)
    {
        byte[] hashes = new byte[waiting.Messages.Count * Statement.HashBytes];
        int at = 0;
        foreach (Message one in waiting.Messages)
            Evidence.HashOf(Evidence.FrameOf(one)).CopyTo(hashes, Statement.HashBytes * at++);
        waiting.Messages.Clear();
        waiting.SealedAt = BootClock.Now;
        return Evidence.With(message, SignedStatements.Seal(new Statement(swarm, to, [.. hashes]), key));
    }

    private Said Of(PeerId to)
    {
        if (said.TryGetValue(to, out Said? waiting))
            return waiting;
        if (said.Count >= PeersMax)
            said.Remove(said.MinBy(s => s.Value.SealedAt).Key);
        return said[to] = waiting = new Said();
    }

    private sealed class Said
    {
        public Queue<Message> Messages { get; } = new();

        public Instant SealedAt { get; set; } = Instant.Zero;

        /// <summary>Of more than a statement holds the oldest goes unsigned.</summary>
        public void Add(Message message)
        {
            if (Messages.Count == Statement.MessagesMax)
                Messages.Dequeue();
            Messages.Enqueue(message);
        }
    }
}
