namespace Drap.Node.Blobs;

/// <summary>
/// Keeps blobs (and what folders name) from collection while somebody works with them; of this process only, where a pin is of a
/// job and outlives it. Dispose gives them up.
/// </summary>
public sealed class BlobHold : IDisposable
{
    private readonly HoldTable table;
    private readonly List<Cid> held = [];
    private bool isDisposed;

    internal BlobHold(HoldTable table) => this.table = table;

    internal void Add(Cid cid)
    {
        lock (held)
        {
            Invariant.Check(!isDisposed);
            held.Add(cid);
        }
        table.Add(cid);
    }

    public void Dispose()
    {
        lock (held)
        {
            if (isDisposed)
                return;
            isDisposed = true;
        }
        foreach (Cid cid in held)
            table.Remove(cid);
    }
}

/// <summary>How many holds each blob is under.</summary>
internal sealed class HoldTable
{
    private readonly Dictionary<Cid, int> counts = [];

    public void Add(Cid cid)
    {
        lock (counts)
            counts[cid] = counts.GetValueOrDefault(cid) + 1;
    }

    public void Remove(Cid cid)
    {
        lock (counts)
        {
            if (--counts[cid] == 0)
                counts.Remove(cid);
        }
    }

    public HashSet<Cid> All()
    {
        lock (counts)
            return [.. counts.Keys];
    }
}
