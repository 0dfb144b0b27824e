using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;

namespace Drap.Node.Blobs;

/// <summary>Which blobs a store holds, how many bytes they take and which was used last. All members may be called from many threads.</summary>
internal sealed class BlobIndex
{
    private const int Stripes = 64;

    private readonly BlobStoreOptions options;
    private readonly ConcurrentDictionary<Cid, BlobEntry> entries = new();
    private readonly Lock[] stripes = new Lock[Stripes];
    private long bytes, tick;

    public BlobIndex(BlobStoreOptions options)
    {
        this.options = options;
        for (int i = 0; i < Stripes; i++)
            stripes[i] = new Lock();
    }

    public int Count => entries.Count;

    /// <summary>Bytes of all blobs.</summary>
    public long Bytes => Volatile.Read(ref bytes);

    public ICollection<BlobEntry> Entries => entries.Values;

    public bool Contains(Cid cid) => entries.ContainsKey(cid);

    public bool TryGet(Cid cid, [NotNullWhen(true)] out BlobEntry? entry) => entries.TryGetValue(cid, out entry);

    /// <summary>A blob that is needed now. Throws <see cref="BlobMissingException"/> where it is not here.</summary>
    public BlobEntry Find(Cid cid)
    {
        if (!entries.TryGetValue(cid, out BlobEntry? entry))
            throw new BlobMissingException(cid, "");
        Touch(entry);
        return entry;
    }

    /// <summary>Says that a blob was used now.</summary>
    public void Touch(BlobEntry entry) => entry.Use(Interlocked.Increment(ref tick));

    public bool TryInsert(BlobEntry entry)
    {
        bool isNew = entries.TryAdd(entry.Cid, entry);
        if (isNew)
            Interlocked.Add(ref bytes, entry.Length);
        return isNew;
    }

    /// <summary>Takes this very entry out; false where it is not here or another has its place.</summary>
    public bool TryRemove(BlobEntry entry)
    {
        bool wasHere = entries.TryRemove(KeyValuePair.Create(entry.Cid, entry));
        if (wasHere)
            Interlocked.Add(ref bytes, -entry.Length);
        return wasHere;
    }

    /// <summary>Says that a blob lies elsewhere now.</summary>
    public void Move(BlobEntry entry) => entries[entry.Cid] = entry;

    /// <summary>The lock under which a blob's file is put in its place or out of it.</summary>
    public Lock StripeOf(Cid cid) => stripes[(uint)cid.GetHashCode() % Stripes];

    /// <summary>Throws <see cref="BlobStoreFullException"/> where one more blob of <paramref name="more"/> bytes has no room.</summary>
    public void CheckRoom(long more)
    {
        if (options.IsShort())
            throw new BlobStoreFullException($"the disk of {options.Folder} is full; what is left of it is kept for the journal");
        if (more > options.CapacityBytes - Bytes)
            throw new BlobStoreFullException(
                $"the store in {options.Folder} holds {Bytes} of at most {options.CapacityBytes} bytes; no room for {more} more");
        if (Count >= BlobStore.BlobsMax)
            throw new BlobStoreFullException($"the store in {options.Folder} holds {BlobStore.BlobsMax} blobs, which is the most");
    }
}
