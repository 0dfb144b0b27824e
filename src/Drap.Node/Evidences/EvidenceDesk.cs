using Drap.Core.Messages;
using Drap.Libp2p.Keys;

namespace Drap.Node.Evidences;

/// <summary>One node's evidence: what it says is signed, what it hears is kept once it is, and its own bills are, too. <see cref="Sending"/> and <see cref="Hear"/> have one caller at a time.</summary>
internal sealed class EvidenceDesk : IDisposable
{
    private readonly Notary notary;
    private readonly Witness witness;

    /// <summary>Opens a node's.</summary>
    /// <param name="swarm">The swarm: its founder's key.</param>
    /// <param name="key">The node's key; this owns it.</param>
    /// <param name="folder">Where it is kept.</param>
    /// <param name="principalOf">Whose a peer is; of whom that is not known accounts are kept by its own name.</param>
    /// <param name="complain">A peer does not stand by what it said; on any thread.</param>
    public EvidenceDesk(PeerId swarm, PrivateKey key, string folder, Func<PeerId, Principal?> principalOf, Action<PeerId, string> complain)
    {
        Log = new EvidenceLog(folder);
        notary = new Notary(swarm, key);
        witness = new Witness(swarm, key.PeerId, Log, peer => principalOf(peer)?.Name ?? peer.ToString(), complain);
    }

    /// <summary>What is kept.</summary>
    public EvidenceLog Log { get; }

    /// <summary>The message as it goes out.</summary>
    public Message Sending(PeerId to, Message message)
    {
        Message sent = notary.Sending(to, message);
        if (sent is Receipt receipt)
            Log.Add(to, receipt.Principal.Name, receipt.Seal, [Evidence.FrameOf(receipt)], receipt);
        return sent;
    }

    /// <summary>A message came.</summary>
    public void Hear(PeerId from, Message message) => witness.Hear(from, message);

    public void Dispose()
    {
        notary.Dispose();
        Log.Dispose();
    }
}
