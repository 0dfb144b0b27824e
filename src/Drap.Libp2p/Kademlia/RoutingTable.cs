using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// The servers that a node knows, in 256 buckets by how many leading bits their keys share with its own; a bucket holds k, so a network
/// of a million peers fills about sixteen (libp2p/specs, kad-dht, "Kademlia routing table"). Long-lived peers stay: a full bucket takes
/// a newcomer only in place of one that fails. Not thread-safe.
/// </summary>
public sealed class RoutingTable
{
    /// <summary>Newcomers that wait at a full bucket for a place; the one that waits longest is forgotten first.</summary>
    public const int WaitingMax = 5;

    /// <summary>
    /// Failures in a row after which a peer is dropped: one may be a connection that was just cut. Until then it is stale: not told to
    /// others, asked last, and the first to go when somebody waits.
    /// </summary>
    public const int FailuresMax = 2;

    /// <summary>A peer that was heard from so lately is not asked whether it lives when somebody wants its place.</summary>
    public static readonly TimeSpan FreshFor = TimeSpan.FromMinutes(1);

    private readonly KadKey self;
    private readonly int bucketSize;
    private readonly Bucket?[] buckets = new Bucket?[KadKey.Bits];
    private Instant heardLast = Instant.Zero;

    /// <summary>An empty table of the node that stands at <paramref name="self"/>, with buckets of <paramref name="bucketSize"/>.</summary>
    public RoutingTable(KadKey self, int bucketSize)
    {
        Invariant.Check(bucketSize > 0);
        this.self = self;
        this.bucketSize = bucketSize;
    }

    /// <summary>Peers in all buckets, stale ones too.</summary>
    public int Count { get; private set; }

    /// <summary>Peers that did not fail when they were asked last.</summary>
    public int CountGood => All().Count(contact => contact.Failures == 0);

    /// <summary>Peers in the bucket of those that share exactly so many leading bits with the node.</summary>
    public int CountAt(int commonPrefix) => buckets[commonPrefix]?.Contacts.Count ?? 0;

    /// <summary>Looks a peer up.</summary>
    public bool TryGet(PeerId id, [NotNullWhen(true)] out KadPeer? peer)
    {
        KadKey key = KadKey.Of(id);
        peer = key == self ? null : buckets[self.CommonPrefix(key)]?.Find(id)?.Peer;
        return peer is not null;
    }

    /// <summary>
    /// A server was heard from: it answered, or said that it is one. It gets a place, keeps it, or waits for one;
    /// <paramref name="check"/> is then the peer to be asked whether it still lives, null if none is due for that.
    /// </summary>
    public void Heard(KadPeer peer, Instant now, out KadPeer? check)
    {
        check = null;
        heardLast = Instant.Max(heardLast, now);
        if (peer.Key == self)
            return;
        Bucket bucket = buckets[self.CommonPrefix(peer.Key)] ??= new Bucket();
        if (bucket.Find(peer.Id) is { } known)
        {
            // The one heard from last stands last.
            bucket.Contacts.Remove(known);
            bucket.Contacts.Add(known);
            known.Heard = now;
            known.Failures = 0;
            known.IsChecked = false;
            if (!peer.Addresses.IsEmpty)
                known.Peer = peer;
            return;
        }
        bucket.Waiting.RemoveAll(waiting => waiting.Id == peer.Id);
        if (bucket.Contacts.Count < bucketSize)
        {
            bucket.Contacts.Add(new Contact(peer, now));
            Count++;
            return;
        }
        if (bucket.Contacts.Find(contact => contact.Failures > 0) is { } stale)
        {
            bucket.Contacts.Remove(stale);
            bucket.Contacts.Add(new Contact(peer, now));
            return;
        }
        if (bucket.Waiting.Count == WaitingMax)
            bucket.Waiting.RemoveAt(0);
        bucket.Waiting.Add(peer);
        Contact oldest = bucket.Contacts[0];
        if (oldest.IsChecked || now - oldest.Heard < FreshFor)
            return;
        oldest.IsChecked = true;
        check = oldest.Peer;
    }

    /// <summary>
    /// A peer did not answer what it was asked at <paramref name="askedAt"/>. That counts only if others answered since: who hears nobody
    /// has lost its own network, and must not forget everyone it could return through.
    /// </summary>
    public void Failed(PeerId id, Instant askedAt)
    {
        KadKey key = KadKey.Of(id);
        if (key == self || buckets[self.CommonPrefix(key)] is not { } bucket || bucket.Find(id) is not { } contact)
            return;
        contact.IsChecked = false;
        if (contact.Heard >= askedAt || heardLast < askedAt)
            return;
        if (++contact.Failures >= FailuresMax || bucket.Waiting.Count > 0)
            Drop(bucket, contact);
    }

    /// <summary>A peer says that it is no server (any more).</summary>
    public void Remove(PeerId id)
    {
        KadKey key = KadKey.Of(id);
        if (key == self || buckets[self.CommonPrefix(key)] is not { } bucket)
            return;
        bucket.Waiting.RemoveAll(waiting => waiting.Id == id);
        if (bucket.Find(id) is { } contact)
            Drop(bucket, contact);
    }

    /// <summary>
    /// The <paramref name="count"/> peers nearest to <paramref name="target"/>, the nearest first. Stale ones only, and last, when they
    /// are wanted and there are not enough others.
    /// </summary>
    public List<KadPeer> Closest(KadKey target, int count, bool withStale)
    {
        var good = new List<Contact>();
        var stale = new List<Contact>();
        // Who shares with the node as many bits as the target does is nearest to it; then who shares more with the node, all of one
        // distance class; then, class by class, who shares fewer.
        int shared = Math.Min(self.CommonPrefix(target), KadKey.Bits - 1);
        Gather(shared, good, stale);
        if (good.Count < count)
        {
            for (int i = shared + 1; i < KadKey.Bits; i++)
                Gather(i, good, stale);
        }
        for (int i = shared - 1; i >= 0 && good.Count < count; i--)
            Gather(i, good, stale);
        var nearest = good.Select(contact => contact.Peer).OrderBy(peer => peer.Key ^ target).Take(count).ToList();
        if (withStale && nearest.Count < count)
            nearest.AddRange(stale.Select(contact => contact.Peer).OrderBy(peer => peer.Key ^ target).Take(count - nearest.Count));
        return nearest;
    }

    /// <summary>Every peer, bucket by bucket.</summary>
    public IEnumerable<KadPeer> Peers => All().Select(contact => contact.Peer);

    /// <summary>Buckets hold whom they should, once, and no more than they may.</summary>
    public void CheckInvariants()
    {
        int count = 0;
        for (int i = 0; i < KadKey.Bits; i++)
        {
            if (buckets[i] is not { } bucket)
                continue;
            Invariant.Check(bucket.Contacts.Count <= bucketSize && bucket.Waiting.Count <= WaitingMax);
            Invariant.Check(bucket.Contacts.All(contact => self.CommonPrefix(contact.Peer.Key) == i));
            Invariant.Check(bucket.Contacts.Select(contact => contact.Peer.Id).Concat(bucket.Waiting.Select(peer => peer.Id)).Distinct().Count()
                == bucket.Contacts.Count + bucket.Waiting.Count);
            Invariant.Check(bucket.Waiting.Count == 0 || bucket.Contacts.Count == bucketSize);
            count += bucket.Contacts.Count;
        }
        Invariant.Check(count == Count);
    }

    private IEnumerable<Contact> All() => buckets.Where(bucket => bucket is not null).SelectMany(bucket => bucket!.Contacts);

    private void Gather(int index, List<Contact> good, List<Contact> stale)
    {
        if (buckets[index] is not { } bucket)
            return;
        foreach (Contact contact in bucket.Contacts)
            (contact.Failures == 0 ? good : stale).Add(contact);
    }

    private void Drop(Bucket bucket, Contact contact)
    {
        bucket.Contacts.Remove(contact);
        if (bucket.Waiting.Count == 0)
        {
            Count--;
            return;
        }
        // Who came last is the likeliest to be there.
        KadPeer next = bucket.Waiting[^1];
        bucket.Waiting.RemoveAt(bucket.Waiting.Count - 1);
        bucket.Contacts.Insert(0, new Contact(next, Instant.Zero));
    }

    // The peer that was heard from longest ago stands first.
    private sealed class Bucket
    {
        public List<Contact> Contacts { get; } = [];

        public List<KadPeer> Waiting { get; } = [];

        public Contact? Find(PeerId id) => Contacts.Find(contact => contact.Peer.Id == id);
    }

    private sealed class Contact(KadPeer peer, Instant heard)
    {
        public KadPeer Peer { get; set; } = peer;

        public Instant Heard { get; set; } = heard;

        public int Failures { get; set; }

        /// <summary>Whether it is being asked whether it lives, since somebody waits for its place.</summary>
        public bool IsChecked { get; set; }
    }
}
