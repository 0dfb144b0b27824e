namespace Drap.Core.Market.Arbitration;

/// <summary>What was advertised here within the last 50 ms: a worker that could serve all of it answers at once.</summary>
internal sealed class Demand
{
    /// <summary>How far it looks back; the longest window is as long.</summary>
    public static readonly TimeSpan Window = TimeSpan.FromMilliseconds(50);

    /// <summary>Ads remembered: at a full table the oldest is forgotten, which is a burst of five thousand ads a second.</summary>
    public const int AdsMax = 256;

    private readonly Queue<Entry> entries = [];

    /// <summary>Adds an ad's demand and forgets what is older than the window.</summary>
    public void Add(AdId ad, ResourceSum sum, Instant now)
    {
        while (entries.TryPeek(out Entry oldest) && (now - oldest.At > Window || entries.Count >= AdsMax))
            entries.Dequeue();
        entries.Enqueue(new Entry(now, ad, sum));
    }

    /// <summary>Whether there is anything to choose from: one ad alone gains nothing by waiting for itself.</summary>
    public bool HasRivals => entries.Count > 1;

    /// <summary>Whether all of it fits into what is free, dimension by dimension.</summary>
    public bool Fits(ResourcePool free)
    {
        var all = new ResourceSum();
        foreach (Entry entry in entries)
            all.Add(entry.Sum);
        return all.IsWithin(free);
    }

    private readonly record struct Entry(Instant At, AdId Ad, ResourceSum Sum);
}
