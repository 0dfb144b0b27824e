using System.Diagnostics.CodeAnalysis;

namespace Drap.Libp2p.Kademlia;

/// <summary>
/// What a node does on its own account: it looks each bucket of its table and its neighbourhood up from time to time, and says again what it put or provides
/// before those who keep it forget it. Says what is due; the machine asks. Not thread-safe.
/// </summary>
internal sealed class Upkeep(KadOptions options, RoutingTable table, KadKey self, Prng random)
{
    /// <summary>Questions of this kind that run at a time, so that they never crowd out others'.</summary>
    public const int QuestionsMax = 4;

    /// <summary>Buckets deeper than this are not looked up: to hit one costs 2^bits hashes, and full ones are of millions of peers.</summary>
    private const int RefreshDepthMax = 15;

    private static readonly TimeSpan RefreshFirst = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan RetrySoon = TimeSpan.FromMinutes(1);

    private readonly Queue<int> bucketsDue = [];
    private readonly HashSet<long> running = [];
    private TimeSpan refreshEvery = RefreshFirst;
    private Instant refreshAt = Instant.Never;

    /// <summary>What the node itself put or provides.</summary>
    public OwnRecords Own { get; } = new();

    /// <summary>Whether one more of its questions may run.</summary>
    public bool HasPlace => running.Count < QuestionsMax;

    public Instant NextDeadline
    {
        get
        {
            // What is due again waits for a place; a question that ends gives it one.
            Instant next = refreshAt;
            return HasPlace && table.Count > 0 ? Instant.Min(next, Own.NextDeadline) : next;
        }
    }

    /// <summary>The first peer is known: looks around at once, and often while the table grows; and what nobody keeps is said.</summary>
    public void Begin(Instant now)
    {
        refreshEvery = RefreshFirst;
        refreshAt = now;
        Own.HurryUnkept(now);
    }

    /// <summary>Refreshes the table if that is due.</summary>
    public void Advance(Instant now)
    {
        if (refreshAt <= now)
            Refresh(now);
    }

    /// <summary>Each bucket and the neighbourhood are to be looked up now.</summary>
    public void Refresh(Instant now)
    {
        refreshAt = table.Count == 0 ? Instant.Never : Jittered(now, refreshEvery);
        refreshEvery = TimeSpan.FromTicks(Math.Min(refreshEvery.Ticks * 2, options.RefreshInterval.Ticks));
        if (table.Count == 0)
            return;
        bucketsDue.Clear();
        // -1 stands for our own neighbourhood, which has whoever stands in the buckets deeper than the first that is not full.
        bucketsDue.Enqueue(-1);
        for (int i = 0; i <= RefreshDepthMax; i++)
        {
            bucketsDue.Enqueue(i);
            if (table.CountAt(i) < options.K)
                break;
        }
    }

    /// <summary>The next key that is to be looked up, of a peer that need not be; <paramref name="own"/> stands in our neighbourhood.</summary>
    public bool TryTakeLookup(PeerId own, [NotNullWhen(true)] out byte[]? target)
    {
        target = null;
        if (!bucketsDue.TryDequeue(out int bucket))
            return false;
        target = bucket < 0 ? own.Bytes.ToArray() : KeyPrefix.Of(self, bucket).Half(BitAt(bucket) ^ 1).FindPreimage(random);
        return true;
    }

    /// <summary>The next content or value that is to be said again.</summary>
    public bool TryTakeOwn(Instant now, out byte[] key, out bool isValue)
    {
        (key, isValue) = ([], false);
        if (table.Count == 0 || !Own.TryTakeDue(now, out key, out isValue))
            return false;
        Say(key, isValue, now);
        return true;
    }

    /// <summary>Something of ours is being said now: when that is due again.</summary>
    public void Say(byte[] key, bool isValue, Instant now) => Own.Schedule(key, isValue, Jittered(now, isValue ? options.PutInterval : options.ProvideInterval));

    /// <summary>
    /// Something of ours was said, and so many keep it. What nobody keeps, since nobody is known, all failed, or the question was given up, is said again soon.
    /// </summary>
    public void Said(byte[] key, bool isValue, int by, Instant now)
    {
        Own.SetKept(key, isValue, by);
        if (by == 0)
            Own.Schedule(key, isValue, now + RetrySoon);
    }

    /// <summary>A question of its own runs.</summary>
    public void Started(long query)
    {
        running.Add(query);
        Invariant.Check(running.Count <= QuestionsMax);
    }

    /// <summary>A question is over; false if it was somebody else's.</summary>
    public bool TryEnd(long query) => running.Remove(query);

    // Up to a tenth sooner, so that nodes that started together do not go on together.
    private Instant Jittered(Instant now, TimeSpan interval) =>
        now + new TimeSpan(interval.Ticks - (long)random.Below((ulong)interval.Ticks / 10 + 1));

    private int BitAt(int index) => (int)(self.High >> (63 - index)) & 1;
}
