using Drap.Core.Transfer;

namespace Drap.Node.Blobs;

/// <summary>What decides who may read a node's blobs, in a swarm whose nodes have certificates.</summary>
/// <param name="self">Who stands behind this node.</param>
/// <param name="principalOf">Who stands behind a peer that is connected; null for one that is no member.</param>
internal sealed class BlobRights(Principal self, Func<PeerId, Principal?> principalOf)
{
    /// <summary>One of whom nothing is known yet owns nothing here.</summary>
    private static readonly Principal Stranger = new("");

    /// <summary>Who stands behind this node.</summary>
    public Principal Self => self;

    /// <summary>
    /// Whether all that the store holds is its own principal's: of a home, which keeps what its user brings and what comes of its jobs. Default: no, a
    /// worker's has what its tasks' principals brought.
    /// </summary>
    public bool IsHome { get; init; }

    /// <summary>Whether a live lease of the peer names the blob; the scheduler knows. Default: of none.</summary>
    public Func<PeerId, Cid, CancellationToken, ValueTask<bool>> LeaseNames { get; init; } = static (_, _, _) => ValueTask.FromResult(false);

    /// <summary>Who stands behind a peer.</summary>
    public Principal? PrincipalOf(PeerId peer) => principalOf(peer);

    /// <summary>Whose a blob of the store is, as far as the reader is concerned.</summary>
    public BlobOwnership OwnersOf(BlobStore store, Cid cid, Principal? reader)
    {
        BlobOwnership brought = store.Owners.Of(cid, reader);
        return IsHome && !brought.Principals.Contains(self) ? brought with { Principals = brought.Principals.Add(self) } : brought;
    }

    /// <summary>
    /// Who must show that it has what it names, when it is to bring something here; null where nobody need: among the nodes of one principal what is here
    /// is everybody's.
    /// </summary>
    public Principal? ProverOf(PeerId holder)
    {
        Principal other = principalOf(holder) ?? Stranger;
        return IsHome && other == self ? null : other;
    }
}
