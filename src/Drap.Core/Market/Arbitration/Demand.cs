namespace Drap.Core.Market.Arbitration;

/// <summary>
/// What was advertised here within the last 50 ms: a worker that could serve all of it answers at once. Of each scheduler its newest ad
/// counts, since it decides on one before it publishes the next.
/// </summary>
internal sealed class Demand
{
    /// <summary>How far it looks back; the longest window is as long.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMilliseconds(50);

    /// <summary>Schedulers remembered: at a full table the oldest ad is forgotten.</summary>
    public const int AdsMax = 256;

    private readonly List<Entry> entries = [];

    /// <summary>Adds an ad's demand and forgets what is older than the window, or than this ad of the same scheduler.</summary>
    public void Add(PeerId scheduler, ResourceSum sum, Instant now)
    {
        entries.RemoveAll(entry => now - entry.At > Window || entry.Scheduler == scheduler);
        if (entries.Count >= AdsMax)
            entries.RemoveAt(0);
        entries.Add(new Entry(now, scheduler, sum));
    }

    /// <summary>Whether there is anything to choose from: one scheduler alone gains nothing by waiting for itself.</summary>
    public bool HasRivals => entries.Count > 1;

    /// <summary>Whether all of it fits into what is free, dimension by dimension.</summary>
    public bool Fits(ResourcePool free)
    {
        var all = new ResourceSum();
        foreach (Entry entry in entries)
            all.Add(entry.Sum);
        return all.IsWithin(free);
    }

    private readonly record struct Entry(Instant At, PeerId Scheduler, ResourceSum Sum);
}
