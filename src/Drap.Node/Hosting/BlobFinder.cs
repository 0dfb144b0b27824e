using Drap.Core.Nodes;
using Drap.Node.Blobs;
using Drap.Node.Overlay;

namespace Drap.Node.Hosting;

/// <summary>Brings a blob of which only the name is known, from whoever has it: those who said so in the DHT first, then those that are connected.</summary>
internal sealed class BlobFinder(IOverlay overlay, BlobExchange exchange)
{
    /// <summary>Nodes that are asked, one after the other: more know as little, and each that is away costs time.</summary>
    private const int AskedMax = 16;

    /// <summary>Brings it and all below it, pinned under this owner; says why it is not to be had, null if it is here.</summary>
    public async Task<string?> BringAsync(Cid cid, JobId owner, CancellationToken cancel)
    {
        IReadOnlyList<PeerId> providers = await overlay.FindProvidersAsync(cid, cancel).ConfigureAwait(false);
        PeerId[] candidates = [.. providers.Concat(overlay.Peers).Where(p => p != overlay.Self).Distinct().Take(AskedMax)];
        string why = "no other node is connected";
        foreach (PeerId peer in candidates)
        {
            BlobFetch fetch = await exchange.FetchAsync(peer, [new WantedBlob(cid, Durable: true)], exchange.ProverOf(peer), owner, cancel).ConfigureAwait(false);
            if (fetch.End == FetchEnd.Safe)
                return null;
            // What one who has it says tells more than that others do not have it.
            if (fetch.End != FetchEnd.Gone || why.StartsWith("no other", StringComparison.Ordinal))
                why = candidates.Length == 1 ? $"{peer.Short} was asked: {fetch.Why}" : $"{candidates.Length} nodes were asked; {peer.Short}: {fetch.Why}";
        }
        return why;
    }
}
