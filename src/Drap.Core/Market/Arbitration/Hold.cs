using Drap.Core.Execution;
using Drap.Core.Leases;
using Drap.Core.Messages;

namespace Drap.Core.Market.Arbitration;

/// <summary>An offer that is out, with what is held for it.</summary>
internal sealed class Hold(OfferId id, StandingAd ad, PrincipalUse use, Instant madeAt, Instant expires)
{
    public OfferId Id { get; } = id;

    public AdId Ad { get; } = ad.Ad.Id;

    public KnownScheduler Scheduler { get; } = ad.Scheduler;

    public PeerId To { get; } = ad.From;

    public Principal Principal { get; } = ad.Ad.Principal;

    /// <summary>What its principal has here; the offer counts in it while it is out.</summary>
    public PrincipalUse Use { get; } = use;

    /// <summary>How many answers one place was likely to get: what a fair share of wins is measured by.</summary>
    public int Rivals { get; } = Math.Max(1, (int)((long)ad.Ad.Audience * ad.Ad.AnswerPermille / 1000));

    public Instant MadeAt { get; } = madeAt;

    /// <summary>The ad's place in its scheduler's order of ads.</summary>
    public (long Epoch, long Sequence) AdOrder { get; } = (ad.Ad.Epoch.Value, ad.Ad.Sequence);

    /// <summary>How long the scheduler may gather answers before it confirms.</summary>
    public TimeSpan Window { get; } = ad.Ad.Window;

    public Instant Expires { get; set; } = expires;

    public bool IsExtended { get; set; }

    public int DiscountFrom { get; init; }

    /// <summary>Groups whose part the scheduler has let go.</summary>
    public List<int> Closed { get; } = [];

    public int DiscountPermille { get; init; }

    public List<HoldPart> Parts { get; } = [];

    /// <summary>
    /// Whether its scheduler has decided on it by the time when it publishes <paramref name="newer"/>, which says of what it has not: what is not
    /// confirmed by then has lost, or its confirmation is on the way. An offer that was made while the ad stood already is none of these, and gangs
    /// gather over many ads.
    /// </summary>
    public bool IsDecidedBy(StandingAd newer) =>
        ReferenceEquals(Scheduler, newer.Scheduler) && MadeAt < newer.ReceivedAt && AdOrder.CompareTo((newer.Ad.Epoch.Value, newer.Ad.Sequence - newer.Ad.Undecided)) < 0
        && Parts.TrueForAll(part => part.Task.GangSize == 0);
}

/// <summary>What an offer says of one group.</summary>
internal sealed class HoldPart(StandingGroup group, OfferEntry entry, List<Grant> grants)
{
    /// <summary>The group as it stands, open or not.</summary>
    public StandingGroup Group { get; } = group;

    public TaskGroup Task { get; } = group.Group;

    public OfferEntry Entry { get; } = entry;

    private int softTaken;

    /// <summary>What is held: one bundle a place if the offer is firm, else none.</summary>
    public List<Grant> Grants { get; } = grants;

    /// <summary>Whether its places were offered without being held.</summary>
    public int SoftCount => Entry.Firm ? 0 : Entry.Count;

    /// <summary>Tasks that it offers to take, in places and in the line behind them.</summary>
    public int Tasks => Entry.Count + Entry.Backlog;

    /// <summary>Places that were confirmed and leased.</summary>
    public int Taken { get; set; }

    /// <summary>Takes a held bundle for a confirmed task; null if all are taken.</summary>
    public Grant? TakeGrant()
    {
        if (Grants.Count == 0)
            return null;
        Grant grant = Grants[^1];
        Grants.RemoveAt(Grants.Count - 1);
        return grant;
    }

    /// <summary>Counts a place of a soft offer as confirmed; false if all are.</summary>
    public bool TakeSoft() => softTaken++ < Entry.Count;
}
