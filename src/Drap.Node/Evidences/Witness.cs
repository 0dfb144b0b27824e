using System.Collections.Immutable;
using Drap.Core.Membership;
using Drap.Core.Messages;
using Drap.Node.Overlay;

namespace Drap.Node.Evidences;

/// <summary>
/// Remembers what others said on the market until they have signed it, and keeps it then. Signatures are looked at beside what brings them, a few at a time; what does not fit is lost as evidence,
/// and nothing else. <see cref="Hear"/> has one caller at a time.
/// </summary>
/// <param name="swarm">The swarm, which statements must name.</param>
/// <param name="self">This node, which they must name, too.</param>
/// <param name="log">Where it is kept.</param>
/// <param name="nameOf">Whose a peer is, as accounts are kept by.</param>
/// <param name="complain">A peer does not stand by what it said.</param>
internal sealed class Witness(PeerId swarm, PeerId self, EvidenceLog log, Func<PeerId, string> nameOf, Action<PeerId, string> complain)
{
    private readonly Dictionary<PeerId, Queue<Message>> heard = [];
    private readonly RecordChecks checks = new();

    /// <summary>A message came.</summary>
    public void Hear(PeerId from, Message message)
    {
        if (Evidence.IsOne(message))
            Remember(from, message);
        ImmutableArray<byte> seal = Evidence.SealOf(message);
        if (seal.IsEmpty)
        {
            if (message is Receipt)
                complain(from, "its receipt bears no signature");
            return;
        }
        if (!heard.Remove(from, out Queue<Message>? all))
            all = new Queue<Message>();
        Message[] messages = [.. all];
        checks.Run(() => Check(from, seal, messages, message as Receipt));
    }

    private void Check(PeerId from, ImmutableArray<byte> seal, Message[] messages, Receipt? receipt)
    {
        if (!SignedStatements.TryOpen(seal.AsSpan(), out Statement? statement, out PeerId signer) || signer != from || statement.Swarm != swarm || statement.Receiver != self)
        {
            complain(from, "what it signed is not what it said, or not to this node");
            return;
        }
        var hashes = new HashSet<Wrapped>();
        for (int at = 0; at + Statement.HashBytes <= statement.Hashes.Length; at += Statement.HashBytes)
            hashes.Add(new Wrapped(statement.Hashes.Slice(at, Statement.HashBytes)));
        var signed = new List<byte[]>();
        bool isReceiptSigned = receipt is null;
        foreach (Message message in messages)
        {
            byte[] frame = Evidence.FrameOf(message);
            if (!hashes.Contains(new Wrapped([.. Evidence.HashOf(frame)])))
                continue;
            signed.Add(frame);
            isReceiptSigned |= ReferenceEquals(message, receipt);
        }
        if (!isReceiptSigned)
            complain(from, "it signed another receipt than it sent");
        if (signed.Count > 0)
            log.Add(from, nameOf(from), seal, signed, isReceiptSigned ? receipt : null);
    }

    private void Remember(PeerId from, Message message)
    {
        if (!heard.TryGetValue(from, out Queue<Message>? all))
        {
            if (heard.Count >= Notary.PeersMax)
                heard.Remove(heard.Keys.Min());
            heard[from] = all = new Queue<Message>();
        }
        if (all.Count == Statement.MessagesMax)
            all.Dequeue();
        all.Enqueue(message);
    }
}
