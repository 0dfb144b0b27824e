using Drap.Core.Messages;

namespace Drap.Core.Market.Allocation;

/// <summary>An ad of ours that stands with the workers: first a window gathers answers to compare, then offers are taken as they come.</summary>
internal sealed class StandingAd(Ad ad, Audible audience, Instant publishedAt, Instant windowEnd)
{
    /// <summary>Offers remembered, 3 MiB an ad; beyond it a worker's own memory of what it confirmed keeps duplicates harmless.</summary>
    private const int MetMax = 65_536;

    private readonly HashSet<OfferId> met = [];

    public Ad Ad { get; } = ad;

    /// <summary>Where it went, and who hears it.</summary>
    public Audible Audience { get; private set; } = audience;

    public Instant PublishedAt { get; } = publishedAt;

    /// <summary>Since when its answers are gathered.</summary>
    public Instant AskedAt { get; private set; } = publishedAt;

    public Instant StandsUntil { get; } = publishedAt + ad.Stands;

    /// <summary>When the window closes even if some have not answered; <see cref="Instant.Zero"/> once closed.</summary>
    public Instant WindowEnd { get; set; } = windowEnd;

    /// <summary>Whether only those know of it to whom it was sent, each by himself.</summary>
    public bool IsDirect { get; set; }

    /// <summary>Whether it asks more, at once, for what the one before did not find.</summary>
    public bool IsSeeking { get; set; }

    /// <summary>Whether it called only a part of those who might serve.</summary>
    public bool IsNarrow => Ad.AnswerPermille < 1000 || !Audience.IsWidest;

    public bool IsGathering => WindowEnd != Instant.Zero;

    public HashSet<PeerId> Answered { get; } = [];

    public List<HeldOffer> Offers { get; } = [];

    /// <summary>All who hear its topic get it now: those that were asked take it for the repetition that it is, and the others answer.</summary>
    public void Spread(Audible audience, Instant now, Instant windowEnd) => (IsDirect, Audience, AskedAt, WindowEnd) = (false, audience, now, windowEnd);

    /// <summary>False for an offer that came before: the same id is the same offer.</summary>
    public bool TryMeet(OfferId offer) => met.Count >= MetMax || met.Add(offer);

    /// <summary>Whether nothing is gained by waiting: all have answered, or in a large audience twice the wanted offers are there.</summary>
    public bool MayClose(Instant now)
    {
        if (now >= WindowEnd)
            return true;
        if (Audience.Count <= Allocator.ExplicitAudienceMax)
            return Answered.Count >= Audience.Count;
        int wanted = 0, offered = 0;
        foreach (TaskGroup group in Ad.Groups)
            wanted += group.Count;
        foreach (HeldOffer held in Offers)
            foreach (OfferEntry entry in held.Offer.Entries)
                offered += entry.Count;
        return offered >= 2 * wanted;
    }
}
