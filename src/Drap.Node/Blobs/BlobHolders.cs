using System.Collections.Immutable;

namespace Drap.Node.Blobs;

/// <summary>
/// Which peers probably have a large file: those from which it came and those to which it went. Only a hint: who is asked for what it has not says so.
/// Thread-safe.
/// </summary>
internal sealed class BlobHolders
{
    /// <summary>Files of which something is known: some 10 MiB. At the limit the one that was heard of first is forgotten.</summary>
    private const int FilesMax = 65_536;

    private readonly Lock gate = new();
    private readonly Dictionary<Cid, ImmutableArray<PeerId>> known = [];
    private readonly Queue<Cid> order = new();

    /// <summary>A peer has it, or will have it soon; those that were heard of last are kept.</summary>
    public void Note(Cid file, PeerId peer)
    {
        lock (gate)
        {
            if (!known.TryGetValue(file, out ImmutableArray<PeerId> peers))
            {
                if (known.Count == FilesMax)
                    known.Remove(order.Dequeue());
                order.Enqueue(file);
                peers = [];
            }
            ImmutableArray<PeerId> others = peers.Remove(peer);
            known[file] = [peer, .. others.Take(BlobWire.HoldersMax - 1)];
        }
    }

    /// <summary>Those that are known, the last heard of first.</summary>
    public ImmutableArray<PeerId> Of(Cid file)
    {
        lock (gate)
            return known.GetValueOrDefault(file, []);
    }
}
