namespace Drap.Libp2p.Kademlia;

/// <summary>
/// How many servers the network has, from how densely they stand around keys that were looked up: of N peers at random places the i-th
/// nearest is at i / (N + 1) of the space. Least squares over the distances of several walks: N = Σ i² / Σ i·dᵢ - 1. Integers only.
/// </summary>
internal sealed class NetworkSize
{
    /// <summary>
    /// Walks that are remembered: with twenty distances each the estimate is within about 6 % of the truth, two times in three. More
    /// would make it lag behind a swarm that grows.
    /// </summary>
    public const int SamplesMax = 16;

    /// <summary>A walk says nothing any more after this: a swarm may have grown tenfold in an hour.</summary>
    private static readonly TimeSpan SampleLasts = TimeSpan.FromHours(1);

    private readonly Queue<Sample> samples = [];

    /// <summary>
    /// A walk ended with these, the k nearest that answered, the nearest first; <paramref name="isAll"/> if there are no others: fewer than k were heard of,
    /// the dead among them.
    /// </summary>
    public void Add(KadKey target, IReadOnlyList<KadPeer> closest, bool isAll, Instant now)
    {
        if (samples.Count == SamplesMax)
            samples.Dequeue();
        UInt128 squares = 0, products = 0;
        uint i = 0;
        foreach (KadPeer peer in closest)
        {
            // A peer that was itself the target stands there for a reason, and says nothing of how densely the others do.
            KadKey distance = peer.Key ^ target;
            if (distance == default)
                continue;
            i++;
            squares += i * i;
            products += (UInt128)distance.High * i;
        }
        samples.Enqueue(new Sample(now, squares, products, isAll ? closest.Count : null));
    }

    /// <summary>The other servers there are, about; null while no walk has said anything.</summary>
    public long? Estimate(Instant now)
    {
        while (samples.TryPeek(out Sample oldest) && now - oldest.At > SampleLasts)
            samples.Dequeue();
        if (samples.Count == 0)
            return null;
        // A walk that heard of fewer than k has counted them.
        if (samples.Last().Count is { } counted)
            return counted;
        UInt128 squares = 0, products = 0;
        foreach (Sample sample in samples)
        {
            if (sample.Count is not null)
                continue;
            squares += sample.Squares;
            products += sample.Products;
        }
        UInt128 size = products == 0 ? (UInt128)long.MaxValue : (squares << 64) / products;
        return (long)UInt128.Clamp(size, 1, long.MaxValue) - 1;
    }

    private readonly record struct Sample(Instant At, UInt128 Squares, UInt128 Products, int? Count);
}
