namespace Drap.Core.Health;

/// <summary>How often something may be done: so often at once, and then once an interval.</summary>
/// <param name="Interval">After this long once more.</param>
/// <param name="Burst">How often at once; from 1.</param>
public readonly record struct RateTerms(TimeSpan Interval, int Burst);

/// <summary>
/// How often each of many may do something, and all together: a bucket each within one for all. What one may not do takes nothing from the others. Pure; one
/// caller at a time.
/// </summary>
/// <param name="each">For each.</param>
/// <param name="all">For all together.</param>
/// <param name="keysMax">How many are counted. At the limit the one that was busy longest ago is forgotten; the rate in all stands.</param>
public sealed class RateTable<TKey>(RateTerms each, RateTerms all, int keysMax)
    where TKey : notnull, IComparable<TKey>
{
    private readonly Dictionary<TKey, Bucket> buckets = [];
    private Bucket total;

    /// <summary>How many are counted.</summary>
    public int Count => buckets.Count;

    /// <summary>Whether it may be done now; if so it is counted.</summary>
    public bool TryTake(TKey key, Instant now)
    {
        Bucket own = buckets.GetValueOrDefault(key);
        if (!own.TryTake(now, each) || !total.TryTake(now, all))
            return false;
        if (!buckets.ContainsKey(key) && buckets.Count >= keysMax)
            buckets.Remove(buckets.MinBy(b => (b.Value.FullAt, b.Key)).Key);
        buckets[key] = own;
        return true;
    }

    /// <summary>A bucket as the time at which it would be full again, which is all that there is to know of it.</summary>
    private struct Bucket
    {
        public Instant FullAt { get; private set; }

        public bool TryTake(Instant now, RateTerms terms)
        {
            Instant from = Instant.Max(FullAt, now);
            if (from - now > terms.Interval * (terms.Burst - 1))
                return false;
            FullAt = from + terms.Interval;
            return true;
        }
    }
}
